"""Create oscar's tables and products; prints their ids, and the email addresses of guests, as JSON."""

import json
import os
import sys
from decimal import Decimal

import django
from django.core.management import call_command

os.environ["DJANGO_SETTINGS_MODULE"] = "bench.oscar.settings"
django.setup()

from oscar.core.loading import get_model  # noqa: E402

STOCK = 1_000_000_000


def main(products: int, guests: int) -> None:
    call_command("migrate", verbosity=0)
    get_model("address", "Country").objects.create(
        iso_3166_1_a2="US", printable_name="United States", name="United States", is_shipping_country=True
    )
    kind = get_model("catalogue", "ProductClass").objects.create(
        name="Bowls", requires_shipping=True, track_stock=True
    )
    category = get_model("catalogue", "Category").objects.add_root({"name": "Bowls"})
    partner = get_model("partner", "Partner").objects.create(name="Workshop", code="workshop")
    goods = [
        get_model("catalogue", "Product").objects.create(
            product_class=kind, title=f"Bowl {n}", upc=f"bowl-{n}", structure="standalone"
        )
        for n in range(products)
    ]
    category.product_set.add(*goods)
    get_model("partner", "StockRecord").objects.bulk_create(
        get_model("partner", "StockRecord")(
            product=product,
            partner=partner,
            partner_sku=product.upc,
            price_currency="USD",
            price=Decimal(10 + n % 90),
            num_in_stock=STOCK,
        )
        for n, product in enumerate(goods)
    )
    # Oscar creates these rows when a product is first added to a basket, and fails if two buyers do so at once.
    get_model("analytics", "ProductRecord").objects.bulk_create(
        get_model("analytics", "ProductRecord")(product=product) for product in goods
    )
    emails = [f"guest-{n}@example.test" for n in range(guests)]
    json.dump({"products": [str(product.pk) for product in goods], "tokens": emails}, sys.stdout)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
