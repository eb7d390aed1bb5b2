"""Workshops that are suspended or closed, with parcels and money that are still open."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from artisans.accounts.models import Role, User
from artisans.catalog.artisan_states import OwnersOnly, OwnWorkshop, WorkshopClosed, WorkshopNotActive
from artisans.catalog.members import invitation_accept, member_invite, member_leave
from artisans.catalog.models import Artisan, ArtisanInvitation, MemberRole, Product
from artisans.catalog.products import product_create, product_publish
from artisans.catalog.profile import profile_change, version_of
from artisans.catalog.statuses import ArtisanState
from artisans.catalog.tests.factories import ProductFactory
from artisans.core.errors import Conflict, Forbidden, InvalidInput
from artisans.core.security.tokens import invitation_token
from artisans.notifications.models import Notification
from artisans.workshop.states import (
    Act,
    WorkshopChanged,
    closing_cancel,
    closing_request,
    facts_of,
    workshop_change,
)
from artisans.workshop.tasks import close_workshops
from orders.services.parcels import parcel_deliver, parcel_ship
from payments.lifecycle.cancel_and_expire import order_cancel, order_expire
from payments.methods import PaymentMethod
from payments.tests.factories import record, reread, start
from tests import rows
from tests.html import page
from tests.problems import problem

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

S = ArtisanState


@pytest.fixture
def change(admin_user):
    """`change(artisan, act)` by staff, who saw the state as it is."""

    def changed(artisan, act, *, actor=admin_user, reason="The kiln is not safe.", **changes):
        seen = Artisan.objects.get(pk=artisan.pk).state
        arguments = {"artisan_id": artisan.pk, "act": act, "actor": actor, "reason": reason, "seen": seen}
        done = workshop_change(**arguments | changes)
        artisan.refresh_from_db()
        return done

    return changed


def cash_order(bowl, buyer):
    return start(PaymentMethod.CASH_ON_DELIVERY, {bowl: 1}, user=buyer).order


def told(artisan):
    mails = Notification.objects.filter(kind="workshop_state", recipient=artisan.email).order_by("created_at")
    return [mail.context["state"] for mail in mails]


def test_a_suspended_workshop_sells_nothing(api, browser, bowl, shopper, change):
    """Carts keep the product and say why, and a checkout under way is refused."""
    client = api(shopper)
    cart = client.post("/carts/", {"items": [{"product_id": str(bowl.pk)}]}).json()

    change(bowl.artisan, Act.SUSPEND)

    assert (bowl.artisan.state, bowl.artisan.is_active) == (S.SUSPENDED, False)
    assert facts_of(bowl.artisan).products == 0
    assert told(bowl.artisan) == ["suspended"]
    shown = client.get(f"/carts/{cart['id']}").json()
    assert [(one["code"], one["fix"]) for one in shown["problems"]] == [("not_available", "remove")]
    body = {"shipping_address": "123 Main St", "payment_method": "check"}
    refused = problem(client.post(f"/carts/{cart['id']}/checkout", body), 409)
    assert refused["problems"][0]["code"] == "not_available"
    assert browser().get(reverse("catalog:product", args=[bowl.slug])).status_code == 404
    change(bowl.artisan, Act.RESUME, reason="")
    assert client.get(f"/carts/{cart['id']}").json()["problems"] == []
    assert told(bowl.artisan) == ["suspended", "active"]


def test_a_suspended_artisan_ships_what_is_open_and_publishes_nothing(
    api, browser, bowl, seller, shopper, change
):
    parcel, artisans, program = cash_order(bowl, shopper).parcels.get(), browser(seller), api(seller)
    change(bowl.artisan, Act.SUSPEND)

    for address in (reverse("orders:parcel_list"), reverse("earnings:earning_list")):
        assert "The kiln is not safe." in page(artisans.get(address)).text
    assert program.post(f"/parcels/{parcel.pk}/ship", {"carrier": "x"}).status_code == 200
    refused = problem(program.post(f"/artisan/products/{bowl.pk}/publish", {}), 409)
    assert refused["code"] == "workshop_not_active"
    assert program.get("/artisan/profile/").json()["state"] == "suspended"


def test_late_money_revives_no_order_of_a_suspended_workshop(bowl, shopper, staff, change, time_machine):
    late = start(items={bowl: 1}, user=shopper)
    time_machine.move_to(timezone.now() + timedelta(days=11))
    order_expire(order_id=late.order_id)
    change(bowl.artisan, Act.SUSPEND)

    record(reread(late), late.amount.amount, actor=staff)

    order = reread(late).order
    assert (order.status, order.refund_due) == ("EXPIRED", late.amount)


def test_a_workshop_with_open_parcels_closes_after_the_last(browser, bowl, seller, shopper, change):
    """Its owner asks for it on the page, and may take that back until then."""
    workshop, client, address = bowl.artisan, browser(seller), reverse("workshop:close")
    orders = [cash_order(bowl, shopper), cash_order(bowl, rows.stranger())]
    member_invite(artisan=workshop, actor=seller, email="x@example.test", role=MemberRole.HELPER)
    assert client.post(address, {"reason": "I retire."}).url == address
    shown = page(client.get(address))
    assert "I retire." in shown.text
    client.post(address, {"cancel": "1"})
    workshop.refresh_from_db()
    assert workshop.state == S.ACTIVE
    client.post(address, {"reason": "I do retire."})
    client.post(address, {"reason": "I do retire."})
    workshop.refresh_from_db()
    assert (workshop.state, facts_of(workshop).parcels_open) == (S.CLOSING, 2)

    order_cancel(order_id=orders[0].pk, reason="late", actor=shopper)
    close_workshops()
    workshop.refresh_from_db()
    assert workshop.state == S.CLOSING
    parcel_ship(parcel_id=orders[1].parcels.get().pk, carrier="x", tracking="", actor=seller)
    close_workshops()

    workshop.refresh_from_db()
    assert (workshop.state, Product.objects.filter(artisan=workshop, is_active=True).count()) == (S.CLOSED, 0)
    assert not ArtisanInvitation.objects.exists()
    assert told(workshop) == ["closing", "active", "closing", "closed"]
    parcel_deliver(parcel_id=orders[1].parcels.get().pk, actor=seller)
    change(workshop, Act.REOPEN, reason="")
    product_publish(artisan=workshop, product_id=bowl.pk, actor=seller)
    bowl.refresh_from_db()
    assert (workshop.state, bowl.is_on_sale) == (S.ACTIVE, True)


def test_a_closed_workshop_stays_as_it_is(api, bowl, seller, change):
    workshop = bowl.artisan
    closing_request(artisan=workshop, actor=seller)
    workshop.refresh_from_db()
    assert workshop.state == S.CLOSED

    version = version_of(workshop)
    values = {"name": "Jug", "category": bowl.category, "price_minor": 100}
    for refused in (
        lambda: product_create(artisan=workshop, actor=seller, currency="USD", values=values),
        lambda: profile_change(artisan=workshop, actor=seller, values={"town": "Rome"}, version=version),
        lambda: member_invite(artisan=workshop, actor=seller, email="x@y.test", role=MemberRole.HELPER),
    ):
        with pytest.raises(WorkshopClosed):
            refused()
    with pytest.raises(WorkshopNotActive):
        product_publish(artisan=workshop, product_id=bowl.pk, actor=seller)
    with pytest.raises(Conflict):
        closing_cancel(artisan=workshop, actor=seller)
    program = api(seller)
    assert (
        problem(program.patch("/artisan/profile/", {"version": version, "town": "Rome"}), 409)["code"]
        == "workshop_closed"
    )
    assert program.get("/parcels/").status_code == program.get("/earnings/balance").status_code == 200


def test_a_variant_comes_back_when_its_product_is_published_again(bowl, seller, change):
    vase = rows_with_variants(bowl)
    closing_request(artisan=bowl.artisan, actor=seller)
    bowl.artisan.refresh_from_db()
    change(bowl.artisan, Act.REOPEN, reason="")

    product_publish(artisan=bowl.artisan, product_id=vase.pk, actor=seller)

    assert vase.variants.filter(is_active=True, archived_at=None).count() == 2


def rows_with_variants(bowl):
    vase = ProductFactory.create(artisan=bowl.artisan, option_1="Size", stock=0, name="Vase")
    for size in ("Small", "Large"):
        ProductFactory.create(
            parent=vase, artisan=bowl.artisan, category=vase.category, option_1=size, name=f"Vase ({size})"
        )
    return vase


def test_staff_decide_with_reasons_on_what_they_saw_and_not_about_their_own(
    browser, admin_user, bowl, seller, change
):
    workshop = bowl.artisan
    for nobody in (rows.powerless_staff(), seller):
        with pytest.raises(Forbidden):
            change(workshop, Act.SUSPEND, actor=nobody)
    with pytest.raises(InvalidInput):
        change(workshop, Act.SUSPEND, reason="")
    with pytest.raises(WorkshopChanged):
        change(workshop, Act.SUSPEND, seen=S.SUSPENDED)
    with pytest.raises(WorkshopChanged):
        change(workshop, Act.REOPEN)
    with pytest.raises(OwnersOnly):
        closing_request(artisan=workshop, actor=rows.helper())
    User.objects.filter(pk=seller.pk).update(role=Role.STAFF, is_superuser=True)
    seller.refresh_from_db()
    with pytest.raises(OwnWorkshop):
        change(workshop, Act.SUSPEND, actor=seller)
    workshop.refresh_from_db()
    assert (workshop.state, told(workshop)) == (S.ACTIVE, [])

    client = browser(admin_user)
    shown = page(client.get(reverse("admin:catalog_artisan_change", args=[workshop.pk])))
    [address] = [link.attrs["href"] for link in shown.all("a") if link.text.strip() == "Suspend or close"]
    entered = {"act": "close", "reason": "It sells copies.", "seen": "active"}
    assert client.post(address, entered).status_code == 302
    assert client.post(address, entered).status_code == 200, "it is closed by now"
    workshop.refresh_from_db()
    assert workshop.state == S.CLOSED


def test_what_the_shop_closes_its_owner_does_not_keep(bowl, seller, shopper, change):
    cash_order(bowl, shopper)
    change(bowl.artisan, Act.SUSPEND)
    change(bowl.artisan, Act.CLOSE)
    with pytest.raises(Conflict):
        closing_cancel(artisan=bowl.artisan, actor=seller)

    change(bowl.artisan, Act.KEEP, reason="")
    assert bowl.artisan.state == S.SUSPENDED, "as before the closing"


def test_the_next_owner_keeps_a_workshop_whose_closing_the_last_one_asked_for(bowl, seller, shopper):
    workshop, heir = bowl.artisan, rows.stranger()
    cash_order(bowl, shopper)
    invited = member_invite(artisan=workshop, actor=seller, email=heir.email, role=MemberRole.OWNER)
    invitation_accept(token=invitation_token(invited.pk, invited.version), user=heir)
    closing_request(artisan=workshop, actor=seller)
    member_leave(artisan=workshop, user=seller)
    heir.refresh_from_db()

    assert closing_cancel(artisan=workshop, actor=heir).state == S.ACTIVE


def test_what_the_release_before_deactivates_is_suspended(bowl, change):
    Artisan.objects.filter(pk=bowl.artisan_id).update(is_active=False)
    bowl.artisan.refresh_from_db()
    assert bowl.artisan.state == S.SUSPENDED
    change(bowl.artisan, Act.RESUME, reason="")
    assert bowl.artisan.is_active
