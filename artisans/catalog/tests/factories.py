from factory.declarations import Sequence, SubFactory
from factory.django import DjangoModelFactory

from artisans.catalog.models import Artisan, Category, Product


class ArtisanFactory(DjangoModelFactory[Artisan]):
    class Meta:
        model = Artisan

    slug = Sequence(lambda n: f"workshop-{n}")
    name = Sequence(lambda n: f"Workshop {n}")
    email = Sequence(lambda n: f"workshop{n}@example.test")
    craft = "Potter"
    town = "Astoria"


class CategoryFactory(DjangoModelFactory[Category]):
    class Meta:
        model = Category

    slug = Sequence(lambda n: f"kind-{n}")
    name = Sequence(lambda n: f"Kind {n}")


class ProductFactory(DjangoModelFactory[Product]):
    """On sale, ten units, at the price of the founding contract."""

    class Meta:
        model = Product

    artisan = SubFactory(ArtisanFactory)
    category = SubFactory(CategoryFactory)
    slug = Sequence(lambda n: f"thing-{n}")
    name = Sequence(lambda n: f"Thing {n}")
    price_minor = 8545
    currency = "USD"
    stock = 10
