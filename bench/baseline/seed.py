"""Create the baseline's tables, products and signed-in users; prints their ids and tokens as JSON."""

import json
import os
import secrets
import sys
from datetime import timedelta

import django
from django.core.management import call_command
from django.utils import timezone

os.environ["DJANGO_SETTINGS_MODULE"] = "bench.baseline.settings"
django.setup()

from bench.baseline.authentication import digest  # noqa: E402
from bench.baseline.models import Artisan, Product, Token, User  # noqa: E402


def main(products: int, users: int) -> None:
    call_command("migrate", run_syncdb=True, verbosity=0)
    artisans = Artisan.objects.bulk_create(Artisan(name=f"Workshop {n}") for n in range(50))
    goods = Product.objects.bulk_create(
        Product(artisan=artisans[n % 50], name=f"Bowl {n}", price=1000 + n, stock=1_000_000_000)
        for n in range(products)
    )
    people = User.objects.bulk_create(User(email=f"buyer-{n}@example.test") for n in range(users))
    tokens = [f"aa_{secrets.token_hex(32)}" for _ in people]
    expiry = timezone.now() + timedelta(days=30)
    Token.objects.bulk_create(
        Token(digest=digest(token), user=user, expiry=expiry)
        for token, user in zip(tokens, people, strict=True)
    )
    json.dump({"products": [str(product.pk) for product in goods], "tokens": tokens}, sys.stdout)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
