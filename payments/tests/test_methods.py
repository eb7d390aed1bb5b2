"""Saving, choosing and removing payment methods, against the sandbox; checked against the sandbox's journal."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from artisans.accounts.models import User
from artisans.audit.models import AuditEntry
from artisans.core.errors import NotFound
from artisans.core.security.card_data import RawCardData
from payments.bookkeeping import saved_methods
from payments.bookkeeping.provider_calls import provider_call_enqueue
from payments.bookkeeping.saved_methods import method_mark_missing, method_store, method_update, methods_of
from payments.errors import (
    DefaultRequired,
    MethodDeclined,
    MethodInUse,
    MethodNotOffered,
    MethodNotUsable,
    ProviderUnavailable,
    SaveInProgress,
)
from payments.lifecycle.saved_methods import (
    method_remove,
    method_save,
    method_setup_finish,
    method_setup_of,
    method_setup_start,
)
from payments.methods import PaymentMethod
from payments.models import (
    CallState,
    EventState,
    Operation,
    PaymentMethodInfo,
    ProviderCall,
    ProviderCustomer,
    WebhookEvent,
)
from payments.providers.contract import ActionKind, RemoteMethod
from payments.tests.factories import start
from payments.tests.periodic import process_due
from payments.webhooks.inbox import webhook_process
from sandbox.tests.client import client

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store", "stripe")]

VISA = "pm_card_visa"
EFFECTS = ("customer.created", "payment_method.attached", "payment_method.detached")


@pytest.fixture
def save(shopper, django_capture_on_commit_callbacks):
    """Save a card; also runs what follows the commit, since tests run in a transaction."""

    def save_one(token: str = VISA, *, user: User = shopper, **more) -> PaymentMethodInfo:
        with django_capture_on_commit_callbacks(execute=True):
            return method_save(user=user, provider="stripe", token=token, **more)

    return save_one


@pytest.fixture
def done(stripe):
    """How often the provider did each thing."""
    return lambda: [len(stripe.journal(effect)) for effect in EFFECTS]


def rows(user: User) -> list[tuple[str, bool]]:
    return [(row["card_last_four"], row["is_default"]) for row in methods_of(user)]


def process_due_later(time_machine, **later):
    time_machine.move_to(timezone.now() + timedelta(**later or {"minutes": 20}))
    process_due()


# ---- saving ---------------------------------------------------------------------------------------------------------


def test_first_saved_card_is_the_default_and_the_customer_is_created_once(save, shopper, done):
    before = timezone.now()

    first, second = save(), save("pm_card_mastercard")

    assert (first.is_default, second.is_default) == (True, False)
    assert (first.card_brand, first.card_last_four, first.card_exp_year) == ("visa", "4242", 2034)
    assert before <= first.consented_at <= timezone.now()
    assert done() == [1, 2, 0]
    assert ProviderCustomer.objects.get().user == shopper
    assert [entry.action for entry in AuditEntry.objects.all()] == ["method.save"] * 2


def test_debit_card_is_recognised(save):
    assert save("pm_card_visa_debit").payment_method == PaymentMethod.DEBIT_CARD


def test_card_saved_as_the_default_replaces_the_old_default(save, shopper):
    save()
    save("pm_card_mastercard", is_default=True)

    assert rows(shopper) == [("4444", True), ("4242", False)]


@pytest.mark.parametrize(
    ("token", "error", "words"),
    [
        ("pm_card_visa_chargeDeclined", MethodDeclined, "bank declined"),
        ("pm_card_authenticationRequired", MethodDeclined, "requires authentication"),
        ("pm_nobodyknowsthis", MethodNotUsable, "did not accept this token"),
        ("no token at all", MethodNotUsable, "did not accept this token"),
        ("4242 4242-4242 4242", RawCardData, "does not accept card numbers"),
        ("pm_4242424242424242", RawCardData, "does not accept card numbers"),
    ],
)
def test_unsupported_method_is_refused_with_an_explanation(save, shopper, token, error, words):
    with pytest.raises(error) as refused:
        save(token)

    assert words in refused.value.detail
    assert token not in refused.value.detail
    assert rows(shopper) == []


def test_customer_is_created_once_even_if_the_first_card_was_declined(save, shopper, done):
    with pytest.raises(MethodDeclined):
        save("pm_card_visa_chargeDeclined")
    save()

    assert done() == [1, 1, 0]


def test_nothing_is_saved_without_the_providers_keys(save, settings):
    settings.STRIPE_SECRET_KEY = ""

    with pytest.raises(MethodNotOffered):
        save()


@pytest.mark.parametrize("action", ["drop_before", "drop_after", "truncate", "html", "unavailable"])
def test_saving_with_unknown_outcome_is_finished_once_by_the_periodic_task(
    save, shopper, stripe, done, time_machine, action
):
    stripe.fault(action, path="/v1/setup_intents", method="POST")

    with pytest.raises(SaveInProgress):
        save()
    process_due_later(time_machine)
    process_due_later(time_machine)

    assert rows(shopper) == [("4242", True)]
    assert done() == [1, 1, 0]


def typed_card(stripe) -> str:
    """The id of a card that the buyer has entered, which is nobody's yet."""
    return client(stripe.url).v1.payment_methods.create({"type": "card", "card": {"token": "tok_visa"}}).id


def test_first_card_of_a_user_is_saved_although_the_response_was_lost(
    save, shopper, stripe, done, time_machine
):
    """The customer is known to the provider alone by then, and has the card already."""
    token = typed_card(stripe)
    stripe.fault("drop_after", path="/v1/setup_intents", method="POST")
    with pytest.raises(SaveInProgress):
        save(token)
    process_due_later(time_machine)

    assert rows(shopper) == [("4242", True)]
    assert done() == [1, 1, 0]


def test_card_for_a_customer_that_took_the_place_of_a_deleted_one_is_saved_after_a_lost_response(
    save, shopper, stripe, time_machine
):
    save("pm_card_amex")
    client(stripe.url).v1.customers.delete(ProviderCustomer.objects.get().customer_id)
    token = typed_card(stripe)
    stripe.fault("drop_after", path="/v1/setup_intents", method="POST", skip=1)
    with pytest.raises(SaveInProgress):
        save(token)
    process_due_later(time_machine)

    assert ("4242", False) in rows(shopper) or ("4242", True) in rows(shopper)
    assert len(stripe.journal("customer.created")) == 2


def test_repeated_request_continues_the_call_of_unknown_outcome(save, shopper, stripe, done):
    stripe.fault("drop_after", path="/v1/setup_intents", method="POST")
    with pytest.raises(SaveInProgress):
        save()

    assert save().is_default

    assert rows(shopper) == [("4242", True)]
    assert done() == [1, 1, 0]


def test_unanswered_saving_is_given_up_after_a_day(save, shopper, stripe, done, time_machine):
    stripe.fault("drop_before", path="/v1/setup_intents", method="POST", count=None)
    with pytest.raises(SaveInProgress):
        save()

    process_due_later(time_machine, hours=24)

    assert ProviderCall.objects.get().state == CallState.REFUSED
    assert rows(shopper) == []


def test_method_reported_twice_is_stored_once(save, shopper):
    method = save()
    customer = ProviderCustomer.objects.get().customer_id
    remote = RemoteMethod(method.provider_method_id, customer, "card", "visa", "4242", 12, 2034)

    again = method_store(user_id=shopper.pk, provider="stripe", remote=remote, consented_at=timezone.now())

    assert again == method
    assert PaymentMethodInfo.objects.count() == 1


def test_card_of_another_customer_is_detached_at_the_provider(save, shopper, stripe, time_machine):
    save()
    dashboard = client(stripe.url).v1
    other = dashboard.customers.create({}).id
    stray = dashboard.payment_methods.attach("pm_card_amex", {"customer": other}).id
    remote = RemoteMethod(stray, other, "card", "amex", "0005", 12, 2034)

    kept = method_store(user_id=shopper.pk, provider="stripe", remote=remote, consented_at=timezone.now())
    process_due_later(time_machine)

    assert kept is None
    assert [row["id"] for row in stripe.journal("payment_method.detached")] == [stray]


# ---- with the buyer present -----------------------------------------------------------------------------------------


@pytest.fixture
def setup(shopper):
    return method_setup_start(user=shopper, provider="stripe")


@pytest.fixture
def finish(setup, shopper, stripe, deliver):
    """The ways in which the shop learns the outcome of saving a method."""

    def by_return() -> None:
        method_setup_of(user=shopper, call_id=setup.id)

    def by_webhook() -> None:
        events = stripe.events("setup_intent.succeeded")
        assert deliver(*events) == [200]
        webhook_process(WebhookEvent.objects.get().pk)

    def by_periodic_task() -> None:
        ProviderCall.objects.filter(pk=setup.id).update(next_try_at=timezone.now())
        process_due()

    return {"return": by_return, "webhook": by_webhook, "periodic task": by_periodic_task}


WAYS = ["return", "webhook", "periodic task"]


def test_setup_returns_the_next_action_and_saves_nothing_yet(setup, shopper):
    assert setup.action.kind == ActionKind.CONFIRM
    assert setup.action.client_secret.startswith(setup.setup_id)

    again = method_setup_finish(setup.setup_id, user=shopper)

    assert (again.method, again.action.client_secret) == (None, setup.action.client_secret)
    assert rows(shopper) == []
    assert setup.action.client_secret not in str(list(ProviderCall.objects.values()))


@pytest.mark.parametrize("first", WAYS)
@pytest.mark.parametrize("second", WAYS)
def test_setup_is_finished_once_by_whichever_process_is_first(
    setup, shopper, stripe, done, finish, first, second
):
    stripe.post("stripe/pay", setup_intent=setup.setup_id, payment_method="pm_card_visa")

    finish[first]()
    finish[second]()

    method = PaymentMethodInfo.objects.get()
    call = ProviderCall.objects.get()
    assert (method.user, method.is_default, method.card_last_four) == (shopper, True, "4242")
    assert (call.method, method.consented_at) == (method, call.created_at)
    assert done() == [1, 1, 0]


@pytest.mark.parametrize("tell", WAYS)
def test_late_message_does_not_restore_a_removed_card(setup, shopper, stripe, finish, tell):
    stripe.post("stripe/pay", setup_intent=setup.setup_id, payment_method="pm_card_visa")
    method = method_setup_finish(setup.setup_id).method
    method_remove(user=shopper, method_id=method.pk)

    finish[tell]()

    assert rows(shopper) == []


def test_setup_is_finished_after_three_d_secure(setup, shopper, stripe):
    stripe.post("stripe/pay", setup_intent=setup.setup_id, payment_method="pm_card_authenticationRequired")
    assert method_setup_finish(setup.setup_id).method is None

    stripe.post("stripe/authenticate", setup_intent=setup.setup_id, passed=True)

    assert method_setup_finish(setup.setup_id).method.card_last_four == "3184"


def test_setup_of_another_user_is_not_found(setup, stranger):
    for look in (
        lambda: method_setup_finish(setup.setup_id, user=stranger),
        lambda: method_setup_of(user=stranger, call_id=setup.id),
        lambda: method_setup_finish("seti_unknown"),
        lambda: method_setup_finish(""),
    ):
        with pytest.raises(NotFound):
            look()


def test_setup_with_a_lost_answer_is_started_again(shopper, stripe, time_machine):
    stripe.fault("drop_after", path="/v1/setup_intents", method="POST")

    with pytest.raises(ProviderUnavailable):
        method_setup_start(user=shopper, provider="stripe")
    process_due_later(time_machine)

    assert ProviderCall.objects.get().state == CallState.REFUSED
    assert len(stripe.journal("setup.created")) == 1
    assert method_setup_start(user=shopper, provider="stripe").action is not None


def test_customer_deleted_at_the_provider_is_replaced(shopper, stripe):
    ProviderCustomer.objects.create(user=shopper, provider="stripe", customer_id="cus_deleted")

    setup = method_setup_start(user=shopper, provider="stripe")

    [made] = stripe.journal("customer.created")
    assert ProviderCustomer.objects.get().customer_id == made["id"]
    assert setup.action is not None


def test_unfinished_setup_is_polled_at_growing_intervals(setup, stripe, time_machine):
    def asked() -> int:
        return sum(
            row["method"] == "GET" and "setup_intents" in row["path"]
            for row in stripe.get("requests")["rows"]
        )

    for _ in range(48):
        process_due_later(time_machine, minutes=30)
    result = asked()
    process_due_later(time_machine, minutes=30)

    assert 10 < result < 30
    assert asked() == result


# ---- the default ----------------------------------------------------------------------------------------------------


def test_new_default_replaces_the_old_one(save, shopper):
    save()
    second = save("pm_card_mastercard")

    method_update(user=shopper, method_id=second.pk, is_default=True)

    assert PaymentMethodInfo.objects.filter(is_default=True).get() == second


def test_default_cannot_be_unset_without_another(save, shopper):
    first, second = save(), save("pm_card_mastercard")

    with pytest.raises(DefaultRequired):
        method_update(user=shopper, method_id=first.pk, is_default=False)
    method_update(user=shopper, method_id=second.pk, is_default=False)

    assert PaymentMethodInfo.objects.get(is_default=True) == first


def test_newest_card_becomes_the_default_when_the_default_is_removed(save, shopper):
    first, _, third = save(), save("pm_card_mastercard"), save("pm_card_amex")

    method_remove(user=shopper, method_id=first.pk)

    assert PaymentMethodInfo.objects.get(is_default=True) == third


# ---- removing -------------------------------------------------------------------------------------------------------


def test_removed_card_is_detached_at_the_provider(save, shopper, stripe, done):
    method = save()

    method_remove(user=shopper, method_id=method.pk)

    method.refresh_from_db()
    assert (method.is_active, method.is_default) == (False, False)
    assert [row["id"] for row in stripe.journal("payment_method.detached")] == [method.provider_method_id]
    with pytest.raises(NotFound):
        method_remove(user=shopper, method_id=method.pk)
    assert done() == [1, 1, 1]


@pytest.mark.parametrize("action", ["drop_before", "drop_after", "error_before", "unavailable", "rate_limit"])
def test_detaching_with_unknown_outcome_is_repeated_by_the_periodic_task(
    save, shopper, stripe, done, time_machine, action
):
    method = save()
    stripe.fault(action, path="/v1/payment_methods/*/detach", method="POST")

    method_remove(user=shopper, method_id=method.pk)
    assert ProviderCall.objects.get(operation=Operation.DETACH).state == CallState.OPEN
    process_due_later(time_machine, hours=25 if action == "error_before" else 1)

    assert PaymentMethodInfo.objects.filter(is_active=True).count() == 0
    assert ProviderCall.objects.get(operation=Operation.DETACH).state == CallState.DONE
    assert done() == [1, 1, 1]


def test_card_already_detached_at_the_provider_can_be_removed(save, shopper, stripe):
    method = save()
    client(stripe.url).v1.payment_methods.detach(method.provider_method_id)

    method_remove(user=shopper, method_id=method.pk)

    assert ProviderCall.objects.get(operation=Operation.DETACH).state == CallState.DONE


def test_card_detached_in_the_dashboard_is_removed_by_its_webhook(save, shopper, stripe, deliver, mails):
    method, other = save(), save("pm_card_amex")
    client(stripe.url).v1.payment_methods.detach(method.provider_method_id)
    stripe.fault("drop_before", path="/v1/customers/*/payment_methods")

    deliver(*stripe.events("payment_method.detached"))
    event = WebhookEvent.objects.get()
    webhook_process(event.pk)
    assert [m.is_default for m in PaymentMethodInfo.objects.filter(is_active=True)] == [True, False]
    WebhookEvent.objects.update(next_try_at=timezone.now())
    webhook_process(event.pk)

    assert PaymentMethodInfo.objects.get(is_active=True, is_default=True) == other
    event.refresh_from_db()
    assert event.state == EventState.DONE
    assert [mail.subject for mail in mails(shopper.email) if "removed" in mail.subject] == [
        "Payment method removed from your account"
    ]


def test_false_message_removes_no_card(save, stripe, deliver):
    method = save()
    stripe.post("stripe/event", type="payment_method.detached", id=method.provider_method_id)

    deliver(*stripe.events("payment_method.detached"))
    webhook_process(WebhookEvent.objects.get().pk)

    assert PaymentMethodInfo.objects.get(is_active=True) == method


# ---- the same card again ---------------------------------------------------------------------------------------------


def test_same_card_is_saved_once_and_the_older_id_is_detached(save, shopper, stripe, time_machine):
    first = save()
    old_id = first.provider_method_id
    save("pm_card_amex")

    again = save()
    time_machine.move_to(timezone.now() + timedelta(minutes=1))
    process_due()

    assert (again.pk, PaymentMethodInfo.objects.count()) == (first.pk, 2)
    assert again.provider_method_id not in {"", old_id}
    assert [row["id"] for row in stripe.journal("payment_method.detached")] == [old_id]
    assert [row["is_default"] for row in methods_of(shopper)] == [True, False]


def test_same_card_by_setup_is_saved_once(save, shopper, stripe):
    first = save()
    setup = method_setup_start(user=shopper, provider="stripe")
    stripe.post("stripe/pay", setup_intent=setup.setup_id, payment_method=VISA)

    assert method_setup_finish(setup.setup_id).method == first
    assert PaymentMethodInfo.objects.count() == 1


def test_same_card_keeps_the_id_that_is_paying_at_this_moment(save, shopper):
    first = save()
    old_id = first.provider_method_id
    payment = start(PaymentMethod.CREDIT_CARD, user=shopper)
    payment.calls.update(state=CallState.DONE)
    provider_call_enqueue(Operation.CONFIRM, payment=payment, request={"method_id": old_id})

    assert save().provider_method_id == old_id
    detach = ProviderCall.objects.get(operation=Operation.DETACH)
    assert detach.secret("method_id") != old_id


def test_card_that_was_saved_again_while_its_former_id_was_paying_stays(save, shopper):
    former = save()
    save()  # another tab

    assert not method_mark_missing(former)

    present = PaymentMethodInfo.objects.get(is_active=True)
    assert method_mark_missing(present)
    assert not PaymentMethodInfo.objects.filter(is_active=True).exists()


def test_same_card_of_two_users_is_saved_for_both(save, shopper, stranger):
    assert save().pk != save(user=stranger).pk


def test_card_of_a_payment_in_progress_cannot_be_removed(save, shopper):
    method = save()
    payment = start(PaymentMethod.CREDIT_CARD, user=shopper)
    payment.calls.update(state=CallState.DONE)
    provider_call_enqueue(
        Operation.CONFIRM, payment=payment, request={"method_id": method.provider_method_id}
    )

    with pytest.raises(MethodInUse):
        method_remove(user=shopper, method_id=method.pk)

    assert rows(shopper) == [("4242", True)]


def test_card_of_another_user_is_not_found(save, stranger):
    method = save()

    with pytest.raises(NotFound):
        method_remove(user=stranger, method_id=method.pk)
    with pytest.raises(NotFound):
        method_update(user=stranger, method_id=method.pk, is_default=True)

    assert PaymentMethodInfo.objects.get(is_active=True) == method


# ---- the list -------------------------------------------------------------------------------------------------------


def test_list_is_cached(save, shopper, stranger, django_assert_num_queries):
    save()
    first = methods_of(shopper)

    with django_assert_num_queries(0):
        assert methods_of(shopper) == first
    assert methods_of(stranger) == []


def test_every_change_invalidates_the_cached_list(save, shopper, django_capture_on_commit_callbacks):
    assert rows(shopper) == []
    _, second = save(), save("pm_card_mastercard")
    assert rows(shopper) == [("4242", True), ("4444", False)]

    with django_capture_on_commit_callbacks(execute=True):
        method_update(user=shopper, method_id=second.pk, is_default=True)
    assert rows(shopper) == [("4444", True), ("4242", False)]

    with django_capture_on_commit_callbacks(execute=True):
        method_remove(user=shopper, method_id=second.pk)
    assert rows(shopper) == [("4242", True)]


def test_slow_reader_does_not_restore_the_old_list(
    save, shopper, monkeypatch, django_capture_on_commit_callbacks
):
    """It reads the rows before a change and writes them to the cache afterwards."""
    method = save()
    real = saved_methods.method_row

    def removed_meanwhile(row):
        monkeypatch.setattr(saved_methods, "method_row", real)
        with django_capture_on_commit_callbacks(execute=True):
            method_remove(user=shopper, method_id=method.pk)
        return real(row)

    monkeypatch.setattr(saved_methods, "method_row", removed_meanwhile)

    assert len(methods_of(shopper)) == 1

    assert rows(shopper) == []


def test_rolled_back_change_does_not_invalidate_the_list(save, shopper):
    method = save()
    before = methods_of(shopper)

    with pytest.raises(ZeroDivisionError), transaction.atomic():
        method_update(user=shopper, method_id=method.pk, is_default=True)
        raise ZeroDivisionError

    assert methods_of(shopper) == before


def test_setup_stored_by_another_process_is_listed_at_once(
    setup, shopper, stripe, django_capture_on_commit_callbacks
):
    """That process committed and has not invalidated the cached list yet."""
    stripe.post("stripe/pay", setup_intent=setup.setup_id, payment_method="pm_card_visa")
    assert rows(shopper) == []
    method_setup_finish(setup.setup_id)
    assert rows(shopper) == []

    with django_capture_on_commit_callbacks(execute=True):
        method_setup_finish(setup.setup_id)

    assert rows(shopper) == [("4242", True)]


def test_list_is_read_from_the_database_when_the_cache_fails(save, shopper, settings):
    settings.CACHES = {
        "default": {
            "BACKEND": "artisans.core.cache.FailSafeRedisCache",
            "LOCATION": "redis://127.0.0.1:1/0",
            "OPTIONS": {"socket_connect_timeout": 0.2},
        }
    }

    save()

    assert rows(shopper) == [("4242", True)]


def test_card_is_expired_from_the_month_after_its_expiry(save, shopper, time_machine):
    method = save()
    last = f"{method.card_exp_year}-{method.card_exp_month:02d}-28T12:00:00Z"
    time_machine.move_to(last)
    assert [row["is_expired"] for row in methods_of(shopper)] == [False]

    time_machine.move_to(f"{method.card_exp_year + 1}-01-01T12:00:00Z")

    assert [row["is_expired"] for row in methods_of(shopper)] == [True]
