from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("ledger", "0014_fee_shares_validated")]

    operations = [
        migrations.AddField(
            model_name="ledgerperiod",
            name="first_open_posting",
            field=models.BigIntegerField(
                help_text="No posting before it is on a later day, so that sums can start there.", null=True
            ),
        ),
    ]
