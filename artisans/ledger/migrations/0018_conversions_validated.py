"""The checks of 0017 for the rows that exist."""

from django.db import migrations

from artisans.core.index_operations import ValidateCheck


class Migration(migrations.Migration):

    dependencies = [('ledger', '0017_conversions')]

    operations = [
        ValidateCheck('ledgeraccount', 'ledger_account_kind_known'),
        ValidateCheck('ledgerentry', 'ledger_entry_kind_known'),
    ]
