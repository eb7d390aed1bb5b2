"""Copies `Artisan.commission_ppm` into rates; those that release 0.1.0 changes later are copied by
`commission_rates_fill` (payments/bookkeeping/deployment.py)."""

from typing import Any

from django.db import migrations
from django.utils import timezone


def copy(apps: Any, schema_editor: Any) -> None:
    rates = apps.get_model("catalog", "CommissionRate").objects
    artisans = apps.get_model("catalog", "Artisan").objects.filter(commission_ppm__gt=0)
    store, now = apps.get_model("orders", "StoreRules").objects.first(), timezone.now()
    if store is None or rates.exists():
        return
    rates.bulk_create(
        rates.model(artisan=artisan, currency=store.currency, rate_ppm=artisan.commission_ppm, valid_from=now)
        for artisan in artisans
    )


class Migration(migrations.Migration):

    dependencies = [
        ("catalog", "0007_commission_rates"),
        ("orders", "0011_parcel_cash_checked"),
    ]
    operations = [migrations.RunPython(copy, migrations.RunPython.noop, elidable=True)]
