"""A flag for payments that a bank reported as fraud."""

from django.db import migrations, models

from artisans.core.index_operations import AddCheck


class Migration(migrations.Migration):

    dependencies = [('payments', '0045_fraud_warnings')]

    operations = [
        migrations.RemoveConstraint(
            model_name='paymentflag',
            name='payment_flag_kind_known',
        ),
        migrations.AlterField(
            model_name='paymentflag',
            name='kind',
            field=models.CharField(choices=[('mismatch', 'Amounts differ from the provider’s'), ('dispute', 'Payment disputed'), ('fraud_warning', 'Reported as fraud by the bank'), ('refund_failed', 'Refund failed'), ('stuck', 'No response from the provider'), ('conflict', 'More refunded than received'), ('unprotected', 'No seller protection'), ('unreadable', 'Unreadable data from the provider')], max_length=13),
        ),
        AddCheck(
            model_name='paymentflag',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['mismatch', 'dispute', 'fraud_warning', 'refund_failed', 'stuck', 'conflict', 'unprotected', 'unreadable'])), name='payment_flag_kind_known'),
        ),
    ]
