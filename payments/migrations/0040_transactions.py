"""Transactions are entries of the ledger; staff look at requests to providers."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ("ledger", "0016_transactions"),
        ("payments", "0039_figures_by_day"),
    ]

    operations = [
        migrations.CreateModel(
            name="Transaction",
            fields=[],
            options={
                "verbose_name": "transaction",
                "verbose_name_plural": "transactions",
                "ordering": ("-happened_at", "-key"),
                "proxy": True,
                "default_permissions": (),
                "indexes": [],
                "constraints": [],
            },
            bases=("ledger.ledgerentry",),
        ),
        migrations.AlterModelOptions(
            name="providerrequest",
            options={"default_permissions": ("view",), "ordering": ("-started_at",)},
        ),
    ]
