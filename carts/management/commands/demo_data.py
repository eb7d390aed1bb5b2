"""A demo shop: artisans, products, store rules and public logins."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.auth.models import Group
from django.core.files.base import ContentFile
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from artisans.accounts.models import Role, User
from artisans.catalog.applications import application_start, application_submit
from artisans.catalog.models import (
    Artisan,
    Category,
    CommissionRate,
    Product,
    StockMove,
    StockMoveKind,
    Terms,
    TermsAcceptance,
)
from artisans.catalog.picture_encoder import make_copies
from artisans.catalog.pictures import Sizes, folder_store, picture_show
from artisans.catalog.price_lists import Scope, prices_convert, products_to_convert, proposals
from artisans.catalog.products import product_create
from artisans.catalog.terms import terms_accept, terms_publish
from artisans.catalog.variants import VariantInput, variants_change
from artisans.core.models import save_columns
from artisans.core.money import Money
from artisans.regions.conversion import PriceSteps, convert_price
from artisans.regions.models import (
    STANDARD,
    RateSheet,
    RateSource,
    ShopCurrency,
    TaxClass,
    TaxRate,
    TaxRounding,
    TaxZone,
    TaxZoneArea,
)
from artisans.regions.rate_files import DayRates
from artisans.regions.services import digest_of_typed, rates_import
from artisans.shipping.models import ShippingMethod, ShippingRate, ShippingZone, ShippingZoneArea
from carts.management.demo_year import DemoYear
from orders.models import Order, StoreRules

FOLDER = settings.BASE_DIR / "artisans" / "catalog" / "demo"
PASSWORD = "demo-alley-1"  # noqa: S105  # printed at every start of the demo
CURRENCY = "USD"
TRADE = timedelta(days=400)  # commission is taken of all of the demo's year
OLD = timedelta(days=7)  # older orders were not made by trying the demo shop
RULES = {
    "name": "Artisans Alley",
    "support_email": "help@demo.test",
    "currency": CURRENCY,
    "country": "US",
    "tax_rate_ppm": 100_000,  # this and the next three are for processes of release 0.1.0
    "shipping_minor": 599,
    "tax_is_set": True,
    "shipping_is_set": True,
    "cash_limit_minor": 15_000,
    "account_holder": "Artisans Alley Demo Co.",
    "account_iban": "DE89 3704 0044 0532 0130 00",
    "account_bic": "COBADEFFXXX",
    "account_bank": "Demo Bank",
    "check_payee": "Artisans Alley Demo Co.",
    "check_address": "1 Alley Lane\nPortland, OR 97201\nUSA",
}

# Countries, tax in percent with its name, and methods: name, price, free from goods worth, days.
PLACES: dict[str, tuple[str, int, str, list[tuple[str, int, int, tuple[int, int]]]]] = {
    "United States": ("US", 10, "", [("Standard", 599, 0, (3, 5))]),
    "European Union": (
        "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK",
        19,
        "VAT",
        [("Parcel", 1290, 20_000, (5, 9)), ("Express", 2990, 0, (2, 3))],
    ),
    "United Kingdom": ("GB", 20, "VAT", [("Tracked", 1490, 0, (6, 10))]),
    "Japan": ("JP", 10, "Consumption tax", [("Airmail", 1690, 0, (7, 12))]),
    "Rest of the world": ("", 0, "", [("Airmail", 1990, 0, (8, 20))]),
}
PER_EURO = {"EUR": 10**10, "USD": 10_705_000_000, "JPY": 1_719_400_000_000}  # in parts of 10**10
CURRENCIES = (("EUR", 100, 0, 14_000), ("JPY", 100, 0, 24_000))  # step of prices, taken off, cash limit

TERMS = """What you sell here, you have made yourself, by hand.

You ship within the time that your page names, and answer buyers within two working days.

The shop takes its commission from each sale, and pays out what you earned once the buyer can no longer send the \
parcel back."""
STORY = "I grow willow by the river, and weave it in winter, when the sap is down. Every basket is signed underneath."
MESSAGE = "I sell at the Saturday market in Astoria, and would like to reach people further away. Two baskets a week."


class Command(BaseCommand):
    help = "Load demo data into an empty shop. Running it again only adds what is missing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--year",
            action="store_true",
            help="Also make a year of orders, payments, refunds, disputes and abandoned checkouts. Takes some minutes.",
        )
        parser.add_argument("--orders", type=int, default=1500, help="About how many orders the year has.")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("Demo data contains public logins, so it is only loaded with DEMO=true.")
        strangers = User.objects.exclude(email__endswith="@demo.test").exists()
        if strangers and not User.objects.filter(email="admin@demo.test").exists():
            raise CommandError("This database already contains a shop; demo data is not loaded into it.")
        catalogue = json.loads((FOLDER / "catalogue.json").read_text())
        known = set(Product.objects.values_list("slug", flat=True))
        wanted = [row["picture"] for row in catalogue["products"] if row["slug"] not in known]
        with ThreadPoolExecutor() as pool:
            self.copies = dict(zip(wanted, pool.map(copies_of, wanted), strict=True))
        with transaction.atomic():
            StoreRules.objects.get_or_create(pk=1, defaults=RULES)
            if not TaxZone.objects.exists():
                self.places()
            self.people()
            categories: dict[str, Category] = {}
            for place, row in enumerate(catalogue["categories"]):  # after those that they are part of
                parent = categories[row["parent"]] if "parent" in row else None
                categories[row["slug"]], _is_new = Category.objects.get_or_create(
                    slug=row["slug"], defaults={"name": row["name"], "position": place, "parent": parent}
                )
            if not CommissionRate.objects.exists():
                CommissionRate.objects.create(
                    currency=CURRENCY, rate_ppm=80_000, valid_from=timezone.now() - TRADE
                )
            artisans = {row["slug"]: self.artisan(row) for row in catalogue["artisans"]}
            self.applicant(categories)
            made = sum(self.product(row, artisans, categories) for row in reversed(catalogue["products"]))
            self.currencies()
        self.stdout.write(
            f"Demo shop: {len(artisans)} artisans, {Product.objects.count()} products ({made} new)."
        )

        if options["year"]:
            self.year(options["orders"])

    def year(self, orders: int) -> None:
        if Order.objects.filter(created_at__lt=timezone.now() - OLD).exists():
            raise CommandError(
                "The shop has orders of the past already, so nothing was added. Use an empty database."
            )
        if orders < 1:
            raise CommandError("Ask for one order at least.")
        made = DemoYear(orders=orders, say=self.stdout.write).make()
        self.stdout.write(f"A year: {made['orders']} orders, {made['abandoned']} abandoned checkouts.")

    def places(self) -> None:
        """Taxes and shipping of four places, one for the rest of the world, and one that the shop does not ship to."""
        standard, _is_new = TaxClass.objects.get_or_create(code=STANDARD, defaults={"name": "Standard"})
        now = timezone.now()
        for name, (countries, percent, label, methods) in PLACES.items():
            rounding = TaxRounding.DOCUMENT if countries == "JP" else TaxRounding.LINE
            has_reverse_charge = "DE" in countries.split()
            zone = TaxZone.objects.create(name=name, rounding=rounding, has_reverse_charge=has_reverse_charge)
            TaxRate.objects.create(
                zone=zone, tax_class=standard, rate_ppm=percent * 10_000, name=label, valid_from=now
            )
            shipping = ShippingZone.objects.create(name=name)
            for country in countries.split() or [""]:
                TaxZoneArea.objects.create(zone=zone, country=country)
                ShippingZoneArea.objects.create(zone=shipping, country=country)
            for place, (method, price, free_from, days) in enumerate(methods):
                low, high = days
                row = ShippingMethod.objects.create(
                    zone=shipping, name=method, min_days=low, max_days=high, position=place
                )
                row.rates.create(currency=CURRENCY, price_minor=price)
                if free_from:
                    row.rates.create(currency=CURRENCY, min_goods_minor=free_from, price_minor=0)
        ShippingZoneArea.objects.create(zone=ShippingZone.objects.create(name="Not served"), country="AQ")

    def people(self) -> None:
        login("shopper@demo.test", "Sam Shopper")
        login("artisan@demo.test", "Ari Artisan", role=Role.ARTISAN)
        staff = login("staff@demo.test", "Stef Staff", role=Role.STAFF)
        staff.groups.add(*Group.objects.filter(name__in=["Payments team", "Refunds team", "Orders team"]))
        login("admin@demo.test", "Ada Admin", role=Role.STAFF, is_superuser=True)

    def applicant(self, categories: dict[str, Category]) -> None:
        """Terms, which the shown workshops have accepted, and someone whose application waits for staff."""
        if Terms.objects.exists():
            return
        terms = terms_publish(text=TERMS, changes="", actor=User.objects.get(email="admin@demo.test"), seen=0)
        for owner in User.objects.filter(artisan__isnull=False):
            TermsAcceptance.objects.create(artisan=owner.artisan, terms=terms, user=owner)
        user = login("applicant@demo.test", "Fern Applicant")
        application = application_start(user=user, name="Fern & Ash", craft="Basket maker", town="Astoria")
        artisan = application.artisan
        artisan.story, artisan.contact_email = STORY, user.email
        save_columns(artisan, ["story", "contact_email"])
        values = {
            "name": "Willow log basket",
            "category": categories["home"],
            "price_minor": 8900,
        }
        user.refresh_from_db()
        product_create(artisan=artisan, actor=user, currency=CURRENCY, values=values, stock=2)
        terms_accept(artisan=artisan, terms_id=terms.pk, actor=user)
        application_submit(application_id=application.pk, actor=user, text=MESSAGE)

    def currencies(self) -> None:
        """EUR and JPY with prices converted from those at home, commission, and charges for delivery."""
        if RateSheet.objects.exists():
            return
        admin = User.objects.get(email="admin@demo.test")
        rates = PER_EURO
        day = DayRates("EUR", timezone.localdate(), rates)
        sheet = rates_import(day=day, source=RateSource.MANUAL, sha256=digest_of_typed(day), actor=admin)
        Artisan.objects.filter(is_active=True).update(
            converted_currencies=[code for code, *_steps in CURRENCIES]
        )
        for position, (code, price_step, charm, cash_limit) in enumerate(CURRENCIES, start=1):
            currency, _is_new = ShopCurrency.objects.get_or_create(
                code=code,
                defaults={
                    "position": position,
                    "price_step_minor": price_step,
                    "price_charm_minor": charm,
                    "cash_limit_minor": cash_limit,
                },
            )
            products = list(products_to_convert(code, sheet, Scope()))
            found = list(proposals(currency, sheet, products))
            prices_convert(currency=currency, sheet=sheet, found=found, actor=admin)
            CommissionRate.objects.get_or_create(
                currency=code,
                artisan=None,
                category=None,
                defaults={"rate_ppm": 80_000, "valid_from": timezone.now() - TRADE},
            )
            self.charges(PriceSteps(code, price_step), rates)

    def charges(self, steps: PriceSteps, rates: dict[str, int]) -> None:
        """For delivery, as those at home."""
        code = steps.currency

        def converted(minor: int) -> int:
            home = Money(minor, CURRENCY)
            return minor and convert_price(home, steps, rate_from=rates[CURRENCY], rate_to=rates[code]).minor

        for rate in ShippingRate.objects.filter(currency=CURRENCY):
            ShippingRate.objects.get_or_create(
                method=rate.method,
                currency=code,
                min_weight_g=rate.min_weight_g,
                min_goods_minor=converted(rate.min_goods_minor),
                defaults={"price_minor": converted(rate.price_minor)},
            )

    def artisan(self, row: dict[str, Any]) -> Artisan:
        owner = User.objects.filter(email=row["email"]).first()
        fields = {name: row[name] for name in ("name", "craft", "town", "story", "email")}
        artisan, is_new = Artisan.objects.get_or_create(slug=row["slug"], defaults=fields | {"user": owner})
        if is_new:
            portrait = ContentFile(picture("portraits", row["portrait"]))
            artisan.portrait.save(row["portrait"], portrait, save=False)
            save_columns(artisan, ["portrait"])
        return artisan

    def product(
        self, row: dict[str, Any], artisans: dict[str, Artisan], categories: dict[str, Category]
    ) -> bool:
        texts = {name: row[name] for name in ("name", "description", "materials", "dimensions")}
        product, is_new = Product.objects.get_or_create(
            slug=row["slug"],
            defaults=texts
            | {
                "artisan": artisans[row["artisan"]],
                "category": categories[row["category"]],
                "price_minor": Money.parse(row["price"], CURRENCY).minor,
                "currency": CURRENCY,
                "stock": 0 if "variants" in row else row["stock"],
            },
        )
        if is_new:
            picture_show(product=product, sizes=self.copies[row["picture"]], alt=row["picture_alt"])
            if "variants" in row:
                add_variants(product, row)
            elif row["stock"]:
                StockMove.objects.create(
                    product=product, kind=StockMoveKind.ADJUST, quantity=row["stock"], reason="opening stock"
                )
        return is_new


def add_variants(product: Product, row: dict[str, Any]) -> None:
    variants_change(
        artisan=product.artisan,
        product_id=product.pk,
        actor=User.objects.get(email="admin@demo.test"),
        option_names=row["options"],
        variants=[
            VariantInput(
                options=tuple(entry["options"]),
                price_minor=Money.parse(entry["price"], CURRENCY).minor,
                counted=entry["stock"],
            )
            for entry in row["variants"]
        ],
    )


def login(email: str, name: str, **fields: Any) -> User:
    user = User.objects.filter(email=email).first()
    if user is None:
        user = User.objects.create_user(email, PASSWORD, name=name, **fields)
        EmailAddress.objects.create(user=user, email=email, primary=True, verified=True)
    return user


def copies_of(name: str) -> Sizes:
    """Here and not by the worker, so that the shop has its pictures when it opens."""
    with TemporaryDirectory() as folder:
        sizes = make_copies(FOLDER / "pictures" / name, Path(folder), effort=0)
        return folder_store(Path(folder), sizes)


def picture(folder: str, name: str) -> bytes:
    return Path(FOLDER / folder / name).read_bytes()
