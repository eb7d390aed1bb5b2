"""Copies the one tax rate, shipping charge and cash limit of a shop into tables by place: the prices stay."""

from typing import Any

from django.db import migrations
from django.utils import timezone

EVERYWHERE = "Everywhere"


def copy(apps: Any, schema_editor: Any) -> None:
    def objects(label: str) -> Any:
        return apps.get_model(label).objects

    store = objects("orders.StoreRules").first()
    if store is None:
        return
    objects("regions.ShopCurrency").get_or_create(
        code=store.currency, defaults={"cash_limit_minor": store.cash_limit_minor}
    )
    if store.tax_is_set and not objects("regions.TaxZone").exists():
        zone = objects("regions.TaxZone").create(name=EVERYWHERE)
        objects("regions.TaxZoneArea").create(zone=zone)
        standard, _is_new = objects("regions.TaxClass").get_or_create(code="standard", name="Standard")
        objects("regions.TaxRate").create(
            zone=zone, tax_class=standard, rate_ppm=store.tax_rate_ppm, valid_from=timezone.now()
        )
    if store.shipping_is_set and not objects("shipping.ShippingZone").exists():
        zone = objects("shipping.ShippingZone").create(name=EVERYWHERE)
        objects("shipping.ShippingZoneArea").create(zone=zone)
        method = objects("shipping.ShippingMethod").create(zone=zone, name="Standard")
        objects("shipping.ShippingRate").create(
            method=method, currency=store.currency, price_minor=store.shipping_minor
        )


def copy_back(apps: Any, schema_editor: Any) -> None:
    """What now applies in the shop's own country, or everywhere else, for processes of release 0.1.0."""
    store = apps.get_model("orders.StoreRules").objects.first()
    if store is None:
        return
    rates = apps.get_model("regions.TaxRate").objects.filter(
        tax_class__code="standard", valid_from__lte=timezone.now()
    )
    charges = apps.get_model("shipping.ShippingRate").objects.filter(
        method__is_active=True, method__artisan=None, currency=store.currency, min_weight_g=0, min_goods_minor=0
    )
    currency = apps.get_model("regions.ShopCurrency").objects.filter(code=store.currency).first()
    for country in ("", store.country):
        area = {"country": country, "region": "", "postal_prefix": ""}
        at = {f"zone__areas__{name}": value for name, value in area.items()}
        if rate := rates.filter(**at).order_by("-valid_from").first():
            store.tax_rate_ppm, store.tax_is_set = rate.rate_ppm, True
        of = {f"method__zone__areas__{name}": value for name, value in area.items()}
        if charge := charges.filter(**of).order_by("price_minor").first():
            store.shipping_minor, store.shipping_is_set = charge.price_minor, True
    if currency is not None:
        store.cash_limit_minor = currency.cash_limit_minor or 0
    store.save()


class Migration(migrations.Migration):

    dependencies = [
        ("shipping", "0001_initial"),
        ("regions", "0001_initial"),
        ("orders", "0023_figures_by_day"),
    ]
    operations = [migrations.RunPython(copy, copy_back, elidable=True)]
