from django.db import migrations

from artisans.core.index_operations import ValidateCheck


class Migration(migrations.Migration):

    dependencies = [("ledger", "0013_fee_shares")]

    operations = [ValidateCheck(model_name="ledgerentry", name="ledger_entry_kind_known")]
