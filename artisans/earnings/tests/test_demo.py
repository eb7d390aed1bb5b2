"""The demo shop has earnings in every state."""

import pytest
from django.core.management import CommandError, call_command

from artisans.catalog.models import Artisan
from artisans.catalog.tests.factories import ProductFactory
from artisans.earnings.models import Debt, Hold
from artisans.earnings.releases import Block, with_block
from orders.models import Order, StoreRules
from payments.models import Dispute, Earning, ProviderCall, ProviderMovement

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


def test_demo_has_earnings_in_every_state(settings, bowl, seller, shopper, admin_user):
    for name, user in (("artisan", seller), ("shopper", shopper), ("admin", admin_user)):
        user.email = f"{name}@demo.test"
        user.save(update_fields=["email"])
    for _ in range(2):
        ProductFactory.create(artisan__user=None, stock=9)
    Artisan.objects.update(commission_ppm=80_000)
    rules = StoreRules.objects.values().get()
    with pytest.raises(CommandError):
        call_command("demo_earnings")
    settings.DEMO = True
    settings.STRIPE_SECRET_KEY = "sk_test_of_nobody"

    call_command("demo_earnings")

    own = Earning.objects.filter(artisan=bowl.artisan)
    assert set(own.values_list("status", flat=True)) == {"pending", "released", "cancelled"}
    assert {row.block for row in with_block(own)} >= {Block.NONE.value, Block.RETURN.value}
    assert own.filter(returned_minor__gt=0).count() == 2
    assert set(Hold.objects.values_list("reason", flat=True)) == {"staff", "reserve"}
    assert Debt.objects.get().artisan != bowl.artisan
    assert StoreRules.objects.values().get() == rules

    assert Dispute.objects.get().status == "OPEN"
    explained = ProviderMovement.objects.order_by("external_id").values_list("explained_by", flat=True)
    assert list(explained) == ["capture", "capture", "dispute", "account", ""]
    assert not ProviderCall.objects.filter(state="open").exists()  # nothing is asked of the provider

    orders = Order.objects.count()
    call_command("demo_earnings")
    assert Order.objects.count() == orders
