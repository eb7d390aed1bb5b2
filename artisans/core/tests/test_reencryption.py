"""Key rotation while the shop runs: every stored value is re-encrypted with the first key and can always be found."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from artisans.core.doctor.environment import check_encryption_keys
from artisans.core.doctor.registry import State
from artisans.core.security.encryption import keyed_hashes
from artisans.core.security.reencryption import reencrypt
from orders.models import StoreRules
from payments.bookkeeping.provider_calls import calls_with_secret, provider_call_enqueue
from payments.models import Operation, PaymentMethodInfo, ProviderCall
from payments.tests.factories import start

pytestmark = pytest.mark.django_db

OLD, NEW = "old-key-" + "Zb3vQm9tLw2xRk7cHn5sYd8fGj4pUa6e", "new-key-" + "Gj4pUa6eTi1oVqXzWbMZb3vQm9tLw2xR"
IDS = ("pm_first_1", "pm_second_2")


@pytest.fixture(autouse=True, scope="module")
def shared_rows() -> None:
    """No rows for all tests: rows are written under keys that the tests choose."""


@pytest.fixture
def stored(settings, shopper, store) -> ProviderCall:
    """Two saved methods, a call that names one, and the bank account, under the old key."""
    settings.ENCRYPTION_KEYS = [OLD]
    for token in IDS:
        PaymentMethodInfo.objects.create(
            user=shopper,
            payment_method="credit_card",
            provider="stripe",
            provider_method_id=token,
            consented_at=timezone.now(),
        )
    store.save()
    return provider_call_enqueue(Operation.SAVE, provider="stripe", user=shopper, request={"token": IDS[0]})


def raw(table: str) -> str:
    """The whole table as a dump would show it."""
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT * FROM "{table}"')
        return str(cursor.fetchall())


def found(token: str) -> int:
    return PaymentMethodInfo.objects.filter(provider_method_hash__in=keyed_hashes(token)).count()


def run() -> str:
    out = StringIO()
    call_command("reencrypt", stdout=out, stderr=out)
    return out.getvalue()


def test_dump_contains_no_payment_method_id_and_no_bank_account(stored, store):
    shown = "".join(map(raw, ("payments_paymentmethodinfo", "payments_providercall", "orders_storerules")))

    assert not [text for text in (*IDS, store.account_iban, store.account_bic) if text in shown]
    assert StoreRules.objects.get().account_iban == store.account_iban


def test_bank_account_is_in_mails_but_not_in_the_outbox(settings, store, shopper, mails):
    settings.ENCRYPTION_KEYS = [OLD]
    store.save()
    start(user=shopper)

    assert store.account_iban not in raw("notifications_notification")
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    run()
    settings.ENCRYPTION_KEYS = [NEW]
    assert store.account_iban in mails(shopper.email)[-1].body


def test_payment_methods_work_during_and_after_a_rotation(settings, stored, store):
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    before = raw("payments_paymentmethodinfo")
    assert [found(token) for token in IDS] == [1, 1]
    assert ProviderCall.objects.filter(calls_with_secret("token", IDS[0])).get().secret("token") == IDS[0]

    said = run()

    assert "payments.PaymentMethodInfo.provider_method_id: 2 values, 2 re-encrypted" in said
    assert before != raw("payments_paymentmethodinfo")
    settings.ENCRYPTION_KEYS = [NEW]
    assert [found(token) for token in IDS] == [1, 1]
    assert {method.provider_method_id for method in PaymentMethodInfo.objects.all()} == set(IDS)
    assert ProviderCall.objects.filter(calls_with_secret("token", IDS[0])).get().secret("token") == IDS[0]
    assert StoreRules.objects.get().account_iban == store.account_iban


def test_second_run_changes_nothing(settings, stored):
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    run()

    assert sum(tally.changed for tally in reencrypt()) == 0


def test_rows_that_cannot_be_decrypted_are_reported_and_left_unchanged(settings, stored):
    settings.ENCRYPTION_KEYS = [NEW]
    before = raw("payments_paymentmethodinfo")

    with pytest.raises(CommandError, match="keep the old keys"):
        run()

    assert raw("payments_paymentmethodinfo") == before
    [tally] = [
        tally for tally in reencrypt() if tally.column == "payments.PaymentMethodInfo.provider_method_id"
    ]
    assert set(tally.unopened) == {str(pk) for pk in PaymentMethodInfo.objects.values_list("pk", flat=True)}


def test_doctor_names_the_columns_that_no_key_opens(settings, stored):
    def found() -> tuple[State, str]:
        [result] = check_encryption_keys()
        return result.state, result.value

    assert found() == (State.OK, "decrypt the newest values")
    settings.ENCRYPTION_KEYS = [NEW]
    state, value = found()
    assert state == State.PROBLEM
    assert "payments.PaymentMethodInfo.provider_method_id" in value
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    assert found()[0] == State.OK


def test_unencrypted_row_works_and_gets_encrypted(settings, stored):
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE payments_paymentmethodinfo SET provider_method_id = 'pm_' || provider_method_hash"
        )
        cursor.execute("UPDATE payments_paymentmethodinfo SET provider_method_hash = ''")
    token = PaymentMethodInfo.objects.all()[0].provider_method_id
    assert token.startswith("pm_")

    run()

    assert token not in raw("payments_paymentmethodinfo")
    assert found(token) == 1


def test_value_changed_meanwhile_is_not_overwritten(settings, stored, monkeypatch):
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    method = PaymentMethodInfo.objects.order_by("pk")[0]

    def changed_meanwhile(text: str) -> str:
        PaymentMethodInfo.objects.filter(pk=method.pk).update(provider_method_id="pm_newer")
        return "pm_outdated"

    monkeypatch.setattr("artisans.core.security.reencryption.decrypt_if_set", changed_meanwhile)
    list(reencrypt())

    method.refresh_from_db()
    assert method.provider_method_id == "pm_newer"
