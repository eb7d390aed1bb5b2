"""VAT IDs: what buyers enter, what VIES says over a socket, what staff decide."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import requests
import time_machine
from django.db import connection, transaction
from django.utils import timezone

from artisans.audit.models import AuditEntry
from artisans.core.errors import InvalidInput
from artisans.core.retention import RULES, purge
from artisans.notifications.models import Notification
from artisans.tax_ids import services, vies
from artisans.tax_ids.errors import TaxIdChanged, ViesNotUsed
from artisans.tax_ids.models import TaxId, TaxIdNotice, TaxIdStatus
from artisans.tax_ids.numbers import country_of, vat_id_read
from artisans.tax_ids.selectors import is_check_due
from artisans.tax_ids.services import tax_id_ask_again, tax_id_check, tax_id_decide, tax_id_record_use
from artisans.tax_ids.tasks import tax_ids_check_due_task
from tests.locks import wait_until_blocked_by_us

VALID, NOT_VALID, DOWN, SLOW = "DE136695976", "DE100006200", "DE100008301", "DE100001999"
BLOCKED = "DE100002401"
S = TaxIdStatus


@pytest.fixture
def vies_sandbox(sandbox_server, settings):
    settings.VIES_API_BASE = f"{sandbox_server.base_url}/vies"
    yield sandbox_server.simulator
    sandbox_server.simulator.faults.remove()


def use(value, email=""):
    """As a buyer; the task is not run."""
    with transaction.atomic():
        return tax_id_record_use(value=value, email=email)


def checked(value):
    """After VIES was asked as often as it is."""
    now = timezone.now()
    tax_id = use(value)
    for minutes in range(4):
        with time_machine.travel(now + timedelta(minutes=minutes * 5)):
            tax_id_check(tax_id.pk)
    return TaxId.objects.get(value=value)


@pytest.mark.parametrize(
    ("text", "value", "country"),
    [
        ("de 136 695 976", "DE136695976", "DE"),
        ("EL094259216", "EL094259216", "GR"),
        ("GR 094259216", "EL094259216", "GR"),
        ("XI432525179", "XI432525179", "GB"),
        ("ATU 135-85627", "ATU13585627", "AT"),
        ("BE0428.759.497", "BE0428759497", "BE"),
        ("DE１３６６９５９７６", "DE136695976", "DE"),
    ],
)
def test_vat_ids_are_normalized(text, value, country):
    assert vat_id_read(text) == value
    assert country_of(value) == country


@pytest.mark.parametrize("text", ["", "DE", "136695976", "DE136695975", "GB432525179", "EU372022452", "XX1"])
def test_what_is_not_a_vat_id_of_a_buyer_is_refused(text):
    with pytest.raises(InvalidInput, match="begins with the letters of the country"):
        vat_id_read(text)


@pytest.mark.parametrize(
    "found",
    [
        [],
        {},
        {"valid": "true"},
        {"valid": None},
        {"valid": False, "userError": "MS_UNAVAILABLE"},
        {"valid": False, "userError": "IP_BLOCKED"},
        {"actionSucceed": False, "errorWrappers": [{"error": "TIMEOUT"}]},
        {"actionSucceed": False, "errorWrappers": [], "valid": True},
    ],
)
def test_only_a_clear_yes_or_no_is_an_answer(found):
    with pytest.raises(vies.Unavailable):
        vies.read_answer(found)


@pytest.mark.django_db
def test_vies_says_that_it_is_valid(vies_sandbox, settings):
    settings.VIES_REQUESTER = "ATU13585627"

    tax_id = checked(VALID)

    assert (tax_id.status, tax_id.is_verified, tax_id.tries) == (S.VERIFIED, True, 1)
    assert tax_id.verified_name == "Sandbox Trading Company"
    assert tax_id.request_identifier.startswith("WAPI")
    with time_machine.travel(timezone.now() + timedelta(days=31)):
        assert not tax_id.is_verified
        assert is_check_due(VALID)


@pytest.mark.django_db
def test_vies_says_that_it_is_not_valid(vies_sandbox):
    tax_id = checked(NOT_VALID)

    assert (tax_id.status, tax_id.verified_name) == (S.UNVERIFIED, "")


@pytest.mark.django_db
@pytest.mark.parametrize(("value", "tries"), [(DOWN, 3), (BLOCKED, 1)])
def test_staff_decide_where_vies_gives_no_answer(vies_sandbox, value, tries):
    tax_id = checked(value)

    assert (tax_id.status, tax_id.tries, tax_id.next_try_at) == (S.UNAVAILABLE, tries, None)
    assert tax_id.failure in {"MS_UNAVAILABLE", "IP_BLOCKED"}


@pytest.mark.django_db
def test_a_slow_answer_is_not_waited_for(vies_sandbox, monkeypatch):
    monkeypatch.setattr(vies, "TIMEOUTS", (1, 0.2))

    tax_id = checked(SLOW)

    assert (tax_id.status, tax_id.failure) == (S.UNAVAILABLE, requests.ReadTimeout.__name__)


@pytest.mark.django_db
@pytest.mark.parametrize("action", ["html", "truncate", "garbage", "empty", "drop_before", "rate_limit"])
def test_a_broken_answer_is_none(vies_sandbox, action):
    vies_sandbox.faults.add({"action": action, "path": "/vies/*", "count": None})

    assert checked(VALID).status == S.UNAVAILABLE


@pytest.mark.django_db
def test_the_periodic_task_asks_where_a_message_was_lost(vies_sandbox):
    use(VALID)

    tax_ids_check_due_task()

    assert TaxId.objects.get().status == S.VERIFIED


@pytest.mark.django_db
def test_without_vies_staff_decide_and_the_buyer_gets_an_email(staff):
    tax_id = use(VALID, "buyer@example.test")

    tax_id_decide(
        tax_id_id=tax_id.pk, version=tax_id.version, is_valid=True, reason="Called them.", actor=staff
    )

    tax_id.refresh_from_db()
    assert tax_id.is_verified
    assert Notification.objects.get().recipient == "buyer@example.test"
    assert not TaxIdNotice.objects.exists()
    assert AuditEntry.objects.get(action="tax_id.decide").data["reason"] == "Called them."


@pytest.mark.django_db
def test_who_sees_the_answer_on_the_page_gets_no_email(vies_sandbox):
    tax_id = use(VALID, "buyer@example.test")

    tax_id_check(tax_id.pk)

    assert not Notification.objects.exists()
    assert not TaxIdNotice.objects.exists()


@pytest.mark.django_db
def test_who_was_told_to_wait_gets_the_late_answer(vies_sandbox, staff):
    tax_id = use(DOWN, "buyer@example.test")
    checked(DOWN)
    tax_id.refresh_from_db()
    TaxId.objects.update(value=VALID)  # VIES is up again
    asked = tax_id_ask_again(tax_id_id=tax_id.pk, version=tax_id.version, actor=staff)

    tax_id_check(asked.pk)

    assert Notification.objects.get().recipient == "buyer@example.test"


@pytest.mark.django_db
def test_nobody_decides_on_what_they_have_not_seen(staff, admin_user):
    tax_id = use(VALID)
    seen = tax_id.version
    tax_id_decide(tax_id_id=tax_id.pk, version=seen, is_valid=False, reason="Closed.", actor=staff)

    with pytest.raises(TaxIdChanged):
        tax_id_decide(tax_id_id=tax_id.pk, version=seen, is_valid=True, reason="Open.", actor=admin_user)

    assert TaxId.objects.get().decided_by == staff


@pytest.mark.django_db
def test_a_decision_stands_against_an_answer_under_way(vies_sandbox, staff, monkeypatch):
    tax_id = use(NOT_VALID)
    ask = vies.check_vat_number

    def decided_meanwhile(value):
        tax_id_decide(tax_id_id=tax_id.pk, version=1, is_valid=True, reason="Called.", actor=staff)
        return ask(value)

    monkeypatch.setattr("artisans.tax_ids.services.check_vat_number", decided_meanwhile)
    tax_id_check(tax_id.pk)

    assert TaxId.objects.get().status == S.VERIFIED


@pytest.mark.django_db
def test_an_answer_holds_for_the_next_buyers(vies_sandbox):
    checked(VALID)

    assert use(VALID).status == S.VERIFIED
    assert not is_check_due(VALID)
    with time_machine.travel(timezone.now() + timedelta(days=31)):
        assert use(VALID).status == S.PENDING


@pytest.mark.django_db
def test_vies_is_asked_again_only_where_it_is_used(staff):
    tax_id = use(VALID)

    with pytest.raises(ViesNotUsed):
        tax_id_ask_again(tax_id_id=tax_id.pk, version=tax_id.version, actor=staff)


@pytest.mark.django_db
def test_vat_ids_that_nobody_uses_are_purged():
    use(VALID, "buyer@example.test")

    with time_machine.travel(timezone.now() + timedelta(days=91)):
        use(NOT_VALID)
        purge(RULES["tax_ids"])

    assert [tax_id.value for tax_id in TaxId.objects.all()] == [NOT_VALID]
    assert not TaxIdNotice.objects.exists()


@pytest.mark.django_db
def test_a_vat_id_that_was_purged_before_it_was_locked_is_added_again(monkeypatch):
    old = use(VALID)
    get_or_none = services.get_or_none

    def purged_first(rows):
        TaxId.objects.filter(pk=old.pk).delete()
        return get_or_none(rows)

    monkeypatch.setattr(services, "get_or_none", purged_first)

    assert use(VALID).pk == TaxId.objects.get().pk != old.pk


@pytest.mark.django_db(transaction=True)
@pytest.mark.postgresql  # SQLite has one writer at a time
def test_a_vat_id_is_used_while_it_is_purged():
    old = use(VALID)

    def use_it() -> TaxId:
        try:
            return use(VALID)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            locked = TaxId.objects.select_for_update().get()
            using = pool.submit(use_it)
            wait_until_blocked_by_us()
            locked.delete()
        new = using.result(20)

    assert new.pk == TaxId.objects.get().pk != old.pk


@pytest.mark.django_db(transaction=True)
def test_of_two_decisions_at_once_one_is_saved(staff, admin_user):
    tax_id = use(VALID)
    barrier = threading.Barrier(2)

    def decide(actor) -> bool:
        try:
            barrier.wait(20)
            tax_id_decide(
                tax_id_id=tax_id.pk, version=tax_id.version, is_valid=True, reason="Called.", actor=actor
            )
        except TaxIdChanged:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(decide, (staff, admin_user)))

    assert sorted(outcomes) == [False, True]
    assert TaxId.objects.get().version == tax_id.version + 1
    assert AuditEntry.objects.filter(action="tax_id.decide").count() == 1
