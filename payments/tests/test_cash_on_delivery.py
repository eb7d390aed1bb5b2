"""Which artisan collects cash, and how much: only cash on delivery, and no more than is still due."""

from collections.abc import Callable

import pytest
from django.db import transaction

from artisans.core.errors import Conflict
from orders.models import Parcel
from orders.services.parcels import parcel_report_cash, parcel_ship
from payments.lifecycle.parcels import parcel_return
from payments.lifecycle.receipt_reversals import receipt_reverse
from payments.methods import PaymentMethod
from payments.models import ReversalReason
from payments.tests.factories import record, start, usd
from tests.html import page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


@pytest.fixture
def cash(bowl, scarf, shopper):
    return start(PaymentMethod.CASH_ON_DELIVERY, {bowl: 1, scarf: 1}, user=shopper)


def ship(payment) -> list[Parcel]:
    parcels = list(payment.order.parcels.select_related("artisan__user").order_by("number"))
    for parcel in parcels:
        parcel_ship(parcel_id=parcel.pk, carrier="USPS", tracking="", actor=parcel.artisan.user)
    return parcels


@pytest.fixture
def shown(browser, api, seller) -> Callable[[Parcel], tuple[str, str | None]]:
    """What the artisan sees on the page, and what the API returns."""

    def read(parcel: Parcel) -> tuple[str, str | None]:
        text = page(browser(seller).get(f"/shop/artisan/parcels/{parcel.pk}/")).text
        return text, api(seller).get(f"/parcels/{parcel.pk}").json()["collect_cash"]

    return read


def test_artisan_collects_the_rest_after_a_partial_payment(bowl, shopper, staff, shown):
    payment = start(PaymentMethod.CASH_ON_DELIVERY, {bowl: 1}, user=shopper)
    record(payment, "40.00", actor=staff)
    [parcel] = ship(payment)

    text, amount = shown(parcel)

    assert ("collect $59.99 in cash" in text, "99.99 in cash" in text, amount) == (True, False, "59.99")


def test_no_cash_is_collected_for_a_returned_parcel(cash, seller, shown):
    parcel = ship(cash)[0]
    parcel_return(parcel_id=parcel.pk, actor=seller, restock=True, reason="refused at the door")

    text, amount = shown(parcel)

    assert ("in cash" in text, amount) == (False, None)
    assert Parcel.objects.get(pk=parcel.pk).share == usd("0.00")
    with pytest.raises(Conflict, match="returned or cancelled"), transaction.atomic():
        parcel_report_cash(parcel_id=parcel.pk, actor=parcel.artisan.user)


@pytest.mark.parametrize("method", [PaymentMethod.CHECK, PaymentMethod.BANK_TRANSFER])
@pytest.mark.parametrize("was_taken_back", [True, False])
def test_no_cash_is_collected_for_checks_and_bank_transfers(
    bowl, shopper, staff, shown, settings, method, was_taken_back
):
    settings.MANUAL_PAYMENT_AUTO_APPROVE = not was_taken_back
    payment = start(method, {bowl: 1}, user=shopper)
    receipt = record(payment, "99.99", actor=staff) if was_taken_back else None
    [parcel] = ship(payment)
    if receipt is not None:
        receipt_reverse(receipt_id=receipt.pk, reason=ReversalReason.BOUNCED, actor=staff)

    text, amount = shown(parcel)

    assert ("in cash" in text, amount) == (False, None)
    with pytest.raises(Conflict, match="not cash on delivery"), transaction.atomic():
        parcel_report_cash(parcel_id=parcel.pk, actor=parcel.artisan.user)
