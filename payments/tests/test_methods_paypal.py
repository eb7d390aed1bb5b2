"""A saved PayPal account: saved after approval at PayPal, and charged without another approval."""

import pytest

from payments.errors import MethodRemoved, PaymentDeclined
from payments.gateway.payments import payment_ensure_at_provider
from payments.lifecycle.saved_methods import (
    method_remove,
    method_setup_finish,
    method_setup_of,
    method_setup_start,
    payment_pay,
)
from payments.methods import PaymentMethod
from payments.models import PaymentMethodInfo, ProviderCustomer
from payments.tests.factories import reread, start

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


@pytest.fixture
def saved(shopper, paypal):
    setup = method_setup_start(user=shopper, provider="paypal")
    assert setup.action.url.startswith("http://")
    assert method_setup_of(user=shopper, call_id=setup.id).method is None
    paypal.post("paypal/approve", setup_token=setup.setup_id)
    method_setup_finish(setup.setup_id)
    return method_setup_of(user=shopper, call_id=setup.id).method


@pytest.fixture
def waiting(shopper, saved):
    payment = start(PaymentMethod.PAYPAL, user=shopper)
    payment_ensure_at_provider(payment)
    return reread(payment)


def test_account_is_saved_once_with_its_email_address(saved, paypal):
    assert (saved.payment_method, saved.provider, saved.is_default) == ("paypal", "paypal", True)
    assert "@" in saved.account_email
    assert ProviderCustomer.objects.get().user == saved.user
    assert len(paypal.journal("vault.token_created")) == 1


@pytest.mark.parametrize("captures", ["COMPLETED", "APPROVED"])
def test_saved_account_pays_without_the_buyer_at_paypal(saved, waiting, paypal, captures):
    paypal.post("paypal/settings", vaulted_orders=captures)

    payment_pay(waiting.pk, user=saved.user, method_reference=str(saved.pk))
    payment_pay(waiting.pk, user=saved.user, method_reference=str(saved.pk))

    assert (reread(waiting).status, waiting.order.payment_status) == ("COMPLETED", "PAID")
    assert paypal.cents("capture.completed") == [9999]


def test_account_unknown_to_paypal_is_removed_with_an_explanation(saved, waiting, paypal, monkeypatch):
    twin = PaymentMethodInfo.objects.get(pk=saved.pk)
    method_remove(user=saved.user, method_id=saved.pk)
    PaymentMethodInfo.objects.filter(pk=twin.pk).update(is_active=True, is_default=True)

    with pytest.raises(MethodRemoved):
        payment_pay(waiting.pk, user=saved.user, method_reference=str(saved.pk))

    assert not PaymentMethodInfo.objects.filter(is_active=True).exists()
    assert paypal.cents("capture.completed") == []


def test_decline_is_reported_and_nothing_is_captured(saved, waiting, paypal):
    paypal.post("paypal/force_error", call="create", issue="INSTRUMENT_DECLINED")

    with pytest.raises(PaymentDeclined):
        payment_pay(waiting.pk, user=saved.user, method_reference=str(saved.pk))

    assert reread(waiting).status == "FAILED"
    assert paypal.cents("capture.completed") == []
