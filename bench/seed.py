"""Create the shop's tables, products and signed-in buyers; prints their ids and tokens as JSON."""

import json
import os
import sys

import django
from django.core.management import call_command

os.environ["DJANGO_SETTINGS_MODULE"] = "artisans.settings"
django.setup()

from artisans.accounts.models import AuthToken, User  # noqa: E402
from artisans.catalog.models import Artisan, Category, Product, StockMove, StockMoveKind  # noqa: E402
from artisans.catalog.search_index import search_index_refresh  # noqa: E402
from orders.setup import store_setup  # noqa: E402

STOCK = 1_000_000_000


def main(products: int, users: int) -> None:
    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    store_setup(
        answers={
            "tax-rate": "10",
            "shipping": "5.99",
            "countries": "all",
            "support-email": "help@example.test",
            "cash-limit": "1000",
            "iban": "DE89 3704 0044 0532 0130 00",
        }
    )
    category = Category.objects.create(slug="bowls", name="Bowls")
    artisans = Artisan.objects.bulk_create(
        Artisan(slug=f"workshop-{n}", name=f"Workshop {n}", email=f"workshop-{n}@example.test")
        for n in range(50)
    )
    goods = Product.objects.bulk_create(
        Product(
            artisan=artisans[n % 50],
            category=category,
            slug=f"bowl-{n}",
            name=f"Bowl {n}",
            price_minor=1000 + n,
            stock=STOCK,
        )
        for n in range(products)
    )
    StockMove.objects.bulk_create(
        StockMove(product=product, kind=StockMoveKind.ADJUST, quantity=STOCK, reason="opening stock")
        for product in goods
    )
    search_index_refresh()
    people = User.objects.bulk_create(
        User(email=f"buyer-{n}@example.test", password="!") for n in range(users)
    )
    tokens = [AuthToken.objects.create(user=user)[1] for user in people]
    json.dump({"products": [str(product.pk) for product in goods], "tokens": tokens}, sys.stdout)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
