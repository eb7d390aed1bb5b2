"""Countries that were stored by another word and mean one code for certain: UK is GB, EL is GR, gb is GB.

Whatever else is not on the list stays as it is; `manage.py check_addresses` lists it.
"""

import re
from typing import Any

from django.db import migrations

ALIASES = {"UK": "GB", "EL": "GR"}


def mended(country: Any) -> Any:
    code = country.strip().upper() if isinstance(country, str) else ""
    return ALIASES.get(code, code) if re.fullmatch("[A-Z]{2}", code, re.ASCII) else country


def mend(apps: Any, schema_editor: Any) -> None:
    orders = apps.get_model("orders", "Order").objects
    for order in orders.only("shipping_address", "billing_address").iterator():
        changed = {}
        for name in ("shipping_address", "billing_address"):
            address = getattr(order, name)
            if isinstance(address, dict) and address.get("country") != mended(address.get("country")):
                changed[name] = address | {"country": mended(address["country"])}
        if changed:
            orders.filter(pk=order.pk).update(**changed)
    for store in apps.get_model("orders", "StoreRules").objects.all():
        if store.country != mended(store.country):
            type(store).objects.filter(pk=store.pk).update(country=mended(store.country))


class Migration(migrations.Migration):
    dependencies = [("orders", "0012_second_person_help")]
    operations = [migrations.RunPython(mend, migrations.RunPython.noop, elidable=True)]
