"""Accounts and entries of currencies that providers exchange."""

from django.db import migrations, models

from artisans.core.index_operations import AddCheck


class Migration(migrations.Migration):

    dependencies = [
        ('ledger', '0016_transactions'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='ledgeraccount',
            name='ledger_account_kind_known',
        ),
        migrations.RemoveConstraint(
            model_name='ledgerentry',
            name='ledger_entry_kind_known',
        ),
        migrations.AlterField(
            model_name='ledgeraccount',
            name='kind',
            field=models.CharField(choices=[('provider', 'Balance at a payment provider'), ('bank', 'Bank account'), ('cash', 'Cash'), ('courier_cash', 'Cash held by a courier'), ('disputed', 'Disputed, not decided yet'), ('bank_transit', 'On its way from a provider to the bank'), ('payout_transit', 'Payouts on their way'), ('suspense', 'Unexplained'), ('order', 'Money held for orders'), ('seller_pending', 'Earned by the artisan, not released yet'), ('seller_available', 'Available to the artisan'), ('seller_held', 'Held back from the artisan'), ('sales_tax', 'Sales tax to be remitted'), ('fee_tax', 'Tax on commission'), ('commission', 'Commission'), ('fee_recovered', 'Payment fees charged to artisans'), ('fee_other', 'Other income'), ('provider_fee', 'Fees of payment providers'), ('payout_fee', 'Fees of payouts'), ('dispute_fee', 'Fees of disputes'), ('goodwill', 'Goodwill'), ('bad_debt', 'Bad debt'), ('bank_fee', 'Bank fees'), ('fx_position', 'Currencies exchanged by providers'), ('fx', 'Exchange differences')], max_length=20),
        ),
        migrations.AlterField(
            model_name='ledgerentry',
            name='kind',
            field=models.CharField(choices=[('capture', 'Captured by the provider'), ('receipt', 'Received offline'), ('receipt_reversed', 'Receipt reversed'), ('cash_deposit', 'Cash deposited in the bank'), ('deposit_reversed', 'Cash deposit reversed'), ('refund', 'Refunded to the buyer'), ('refund_failed', 'Refund failed'), ('dispute_lost', 'Dispute lost'), ('dispute_won', 'Lost dispute won after all'), ('dispute_taken', 'Taken for a dispute'), ('dispute_back', 'Given back from a dispute'), ('provider_fee', 'Fee of the provider'), ('withdrawal', 'Withdrawn to the bank'), ('conversion', 'Converted by the provider'), ('fx_realised', 'Exchange difference'), ('sale', 'Earned by artisans'), ('sale_cancelled', 'No longer earned'), ('clawback', 'Refund shared with artisans'), ('clawback_reversed', 'Shared refund reversed'), ('fee_share', 'Payment fee borne by artisans'), ('release', 'Earnings released'), ('hold', 'Held back from the artisan'), ('hold_released', 'No longer held back'), ('settlement', 'Debt paid by the artisan'), ('settlement_reversed', 'Payment of a debt reversed'), ('write_off', 'Debt written off'), ('write_off_reversed', 'Write-off of a debt reversed')], max_length=20),
        ),
        AddCheck(
            model_name='ledgeraccount',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['provider', 'bank', 'cash', 'courier_cash', 'disputed', 'bank_transit', 'payout_transit', 'suspense', 'order', 'seller_pending', 'seller_available', 'seller_held', 'sales_tax', 'fee_tax', 'commission', 'fee_recovered', 'fee_other', 'provider_fee', 'payout_fee', 'dispute_fee', 'goodwill', 'bad_debt', 'bank_fee', 'fx_position', 'fx'])), name='ledger_account_kind_known'),
        ),
        AddCheck(
            model_name='ledgerentry',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['capture', 'receipt', 'receipt_reversed', 'cash_deposit', 'deposit_reversed', 'refund', 'refund_failed', 'dispute_lost', 'dispute_won', 'dispute_taken', 'dispute_back', 'provider_fee', 'withdrawal', 'conversion', 'fx_realised', 'sale', 'sale_cancelled', 'clawback', 'clawback_reversed', 'fee_share', 'release', 'hold', 'hold_released', 'settlement', 'settlement_reversed', 'write_off', 'write_off_reversed'])), name='ledger_entry_kind_known'),
        ),
    ]
