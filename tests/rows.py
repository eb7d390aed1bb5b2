"""The store, users and products of the fixtures: created on first use and reused afterwards.

A module whose tests share their rows makes them once, in a fixture of its own scope on top of `module_db`;
the fixtures of conftest.py then find the same rows.
"""

from importlib import import_module

from django.apps import apps
from django.contrib.auth.models import Group

from artisans.accounts.models import Role, User
from artisans.accounts.tests.factories import UserFactory
from artisans.catalog.applications import application_start
from artisans.catalog.models import Application, Artisan, ArtisanMember, MemberRole, Product, Terms
from artisans.catalog.terms import terms_accept
from artisans.catalog.tests.factories import ArtisanFactory, ProductFactory
from orders.models import Carrier, StoreRules
from orders.tests.factories import store_of

STAFF_GROUPS = ("Payments team", "Refunds team", "Orders team")


def store() -> StoreRules:
    """10 % tax, 5.99 shipping, cash up to 150.00, a bank account, an address for checks."""
    return StoreRules.objects.filter(tax_is_set=True).first() or store_of()


def user(email: str, **fields: str) -> User:
    return User.objects.filter(email=email).first() or UserFactory.create(email=email, **fields)


def shopper() -> User:
    return user("shopper@example.test", name="Sam Shopper")


def stranger() -> User:
    return user("stranger@example.test")


def artisan(email: str, name: str, slug: str) -> User:
    found = user(email, role=Role.ARTISAN)
    if not hasattr(found, "artisan"):
        ArtisanFactory.create(user=found, email=found.email, name=name, slug=slug)
    return found


def seller() -> User:
    return artisan("seller@example.test", "Harbour Pottery", "harbour-pottery")


def other_seller() -> User:
    return artisan("weaver@example.test", "Loom and Light", "loom-and-light")


def helper() -> User:
    """A helper in the seller's team."""
    found = user("helper@example.test", role=Role.ARTISAN)
    if not hasattr(found, "artisan_member"):
        ArtisanMember.objects.create(user=found, artisan=seller().artisan, role=MemberRole.HELPER)
    return found


def staff() -> User:
    """May record, reject and return money, and cancel orders."""
    found = user("staff@example.test", role=Role.STAFF)
    found.groups.set(Group.objects.filter(name__in=STAFF_GROUPS))
    assert found.groups.count() == len(STAFF_GROUPS)
    return found


def powerless_staff() -> User:
    """Staff without permissions for orders or money."""
    return user("intern@example.test", role=Role.STAFF)


def superuser() -> User:
    email = "admin@example.test"
    return User.objects.filter(email=email).first() or User.objects.create_superuser(email, "correct-horse-1")


def bowl() -> Product:
    """85.45: one unit costs 99.99 with tax and shipping, as in the founding contract."""
    return product(seller(), "Moss bowl", "moss-bowl")


def scarf() -> Product:
    return product(other_seller(), "Tide scarf", "tide-scarf", price_minor=3333)


def product(owner: User, name: str, slug: str, **fields: int) -> Product:
    store()
    found = Product.objects.filter(slug=slug).first()
    return found or ProductFactory.create(artisan=owner.artisan, name=name, slug=slug, **fields)


def carriers() -> list[Carrier]:
    """Those of the migration, which a test with commits may have deleted."""
    migration = import_module("orders.migrations.0017_list_carriers")
    migration.fill(apps, None)
    return list(Carrier.objects.all())


def applying() -> Application:
    """The stranger's application to sell, not sent yet, with everything that it needs."""
    user = stranger()
    terms = Terms.objects.first() or Terms.objects.create(number=1, text="Be kind.\n\nShip in time.")
    application = application_start(
        user=user, name="Fern & Ash <Studio>", craft="Basket maker", town="Astoria"
    )
    user.refresh_from_db()  # an artisan now
    Artisan.objects.filter(pk=application.artisan_id).update(
        story="Willow, by hand.", contact_email="fern@example.test"
    )
    ProductFactory.create(artisan=application.artisan, name="Basket", is_active=False, stock=0)
    terms_accept(artisan=application.artisan, terms_id=terms.pk, actor=user)
    return Application.objects.select_related("artisan__user").get(pk=application.pk)
