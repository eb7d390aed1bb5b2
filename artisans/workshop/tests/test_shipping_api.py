"""An owner's own shipping methods by API."""

import pytest

from artisans.accounts.tests.sign_in import api_client
from artisans.audit.models import AuditEntry
from artisans.catalog.models import ArtisanMember, MemberRole
from artisans.regions.models import Place
from artisans.shipping.models import ShippingMethod, ShippingZone
from artisans.shipping.selectors import methods_at

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

PATH = "/artisan/shipping_methods"
FREE_FROM_50 = [
    {"currency": "USD", "price": "9.00", "min_weight_g": 0, "min_goods": "0.00"},
    {"currency": "USD", "price": "0.00", "min_weight_g": 0, "min_goods": "50.00"},
]


@pytest.fixture
def client(api, seller):
    return api(seller)


def create(client, **changes):
    body = {"zone_id": ShippingZone.objects.get().pk, "name": "By bike", "prices": FREE_FROM_50}
    return client.post(PATH, body | changes)


def offered(artisan) -> list[str]:
    return [one.name for one in methods_at(Place("US"), artisan_ids=[artisan.pk], currency="USD")]


def test_method_is_added_listed_changed_and_deleted(client, seller):
    made = create(client)

    assert made.status_code == 201
    body = made.json()
    assert (body["prices"], body["kind"], body["is_active"]) == (FREE_FROM_50, "delivery", True)
    assert ShippingMethod.objects.get(pk=body["id"]).charged_per == "parcel"
    listed = client.get(PATH).json()
    assert listed["methods"] == [body]
    assert [zone["areas"] for zone in listed["zones"]] == [["*"]]
    assert offered(seller.artisan) == ["Standard", "By bike"]

    own = f"{PATH}/{body['id']}"
    changed = client.patch(own, {"min_days": 1, "max_days": 3}).json()
    assert changed == body | {"min_days": 1, "max_days": 3}
    cheaper = client.patch(own, {"prices": [{"currency": "USD", "price": "5"}]}).json()
    assert [row["price"] for row in cheaper["prices"]] == ["5.00"]
    client.patch(own, {"is_active": False})
    assert offered(seller.artisan) == ["Standard"]
    assert client.delete(own).status_code == 204
    assert client.delete(own).status_code == client.patch(own, {"name": "x"}).status_code == 404
    actions = AuditEntry.objects.filter(action__startswith="shipping_method").order_by("pk")
    assert list(actions.values_list("action", flat=True))[-1] == "shipping_method.delete"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"zone_id": 999}, "no such shipping zone"),
        ({"min_days": 5, "max_days": 2}, "shorter"),
        ({"min_days": 5}, "both days"),
        ({"prices": [{"currency": "USD", "price": "9.999"}]}, "decimal"),
        ({"prices": [{"currency": "ZZZ", "price": "9"}]}, "ZZZ"),
        ({"prices": [*FREE_FROM_50, FREE_FROM_50[0]]}, "has the same limits as another one"),
    ],
)
def test_wrong_method_is_not_saved(client, seller, changes, words):
    answer = create(client, **changes)

    assert answer.status_code == 400
    assert words in answer.json()["detail"]
    assert not ShippingMethod.objects.filter(artisan=seller.artisan).exists()


def test_name_is_taken_once(client):
    create(client)

    assert "another one with the name" in create(client).json()["detail"]


def test_methods_of_the_shop_and_helpers_are_refused(client, api, seller, shopper):
    assert client.patch(f"{PATH}/{ShippingMethod.objects.get().pk}", {"name": "Mine"}).status_code == 404
    ArtisanMember.objects.create(artisan=seller.artisan, user=shopper, role=MemberRole.HELPER)
    shopper.role = seller.role
    shopper.save()
    assert api_client(shopper).get(PATH).status_code == 404
