"""Saved payment methods: ownership, the single default, and the cached list.

Calls to a provider are in lifecycle/saved_methods.py.
"""

from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from django.core.cache import cache
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from artisans.accounts.models import User
from artisans.audit.services import Action, audit_record
from artisans.core.errors import NotFound
from artisans.core.models import get_or_none, save_columns
from artisans.core.security.encryption import keyed_hashes
from artisans.notifications.services import MailMessage, notifications_enqueue
from orders.mails import store_context
from orders.selectors import store_rules
from payments.bookkeeping.provider_calls import calls_with_secret, provider_call_enqueue
from payments.errors import DefaultRequired, MethodInUse
from payments.mails import PaymentMail
from payments.methods import PaymentMethod
from payments.models import CallState, Operation, PaymentMethodInfo, ProviderCall, ProviderCustomer
from payments.providers.contract import RemoteMethod
from payments.providers.registry import account_of, accounts_like, label_of, remote_providers

# The networks' own spelling, where capitalizing is not enough.
BRANDS = {"amex": "American Express", "diners": "Diners Club", "jcb": "JCB", "unionpay": "UnionPay"}
LIST_SECONDS = 60  # how long a list may be stale if the cache misses an invalidation


# ---- the list --------------------------------------------------------------------------------------------------------


def methods_of(user: User) -> list[dict[str, Any]]:
    """The user's saved methods: the default first, then the newest. Cached.

    Each: id, payment_method, provider, card_brand, card_last_four, card_exp_month, card_exp_year,
    account_email, is_default, is_expired, created_at (datetime). Never a provider's token.
    """
    version = list_version(user.pk)
    key = f"methods:{user.pk}:{version}"
    found: list[dict[str, Any]] | None = cache.get(key)
    if found is None:
        rows = active(user)
        found = [method_row(method) for method in rows.order_by("-is_default", "-created_at", "pk")]
        cache.set(key, found, LIST_SECONDS)
    return [with_expiry(row) for row in found]


def describe_method(method: PaymentMethodInfo) -> dict[str, Any]:
    """The current row of one method, as in methods_of."""
    return with_expiry(method_row(method))


def method_row(method: PaymentMethodInfo) -> dict[str, Any]:
    return {
        "id": str(method.pk),
        "payment_method": method.payment_method,
        "provider": method.provider,
        "card_brand": method.card_brand,
        "card_last_four": method.card_last_four,
        "card_exp_month": method.card_exp_month,
        "card_exp_year": method.card_exp_year,
        "account_email": method.account_email,
        "is_default": method.is_default,
        "created_at": method.created_at,
    }


def with_expiry(row: dict[str, Any]) -> dict[str, Any]:
    """A card is valid through the last day of its month."""
    today = timezone.localdate()
    last = (row["card_exp_year"], row["card_exp_month"])
    return row | {"is_expired": row["card_exp_year"] is not None and last < (today.year, today.month)}


def brand_of(row: dict[str, Any]) -> str:
    name: str = row["card_brand"]
    return BRANDS.get(name, name.replace("_", " ").title()) or "Card"


def name_of(row: dict[str, Any]) -> str:
    """The method's name as shown to its owner, for use in a sentence."""
    if row["card_last_four"]:
        return _("%(brand)s ending in %(digits)s") % {"brand": brand_of(row), "digits": row["card_last_four"]}
    return f"{label_of(row['provider'])} {row['account_email']}".strip()


def list_version(user_id: UUID) -> str:
    """Part of the cache key; changes with every change of the list, so that a reader with stale rows writes
    them under an unused key."""
    key = f"methods:{user_id}:version"
    version: str | None = cache.get(key)
    if version is None:
        version = uuid4().hex
        if not cache.add(key, version, None):
            version = cache.get(key, version)
    return version


def list_changed(user_id: UUID) -> None:
    """Invalidate the cached list after commit."""
    transaction.on_commit(partial(cache.set, f"methods:{user_id}:version", uuid4().hex, None))


# ---- changing --------------------------------------------------------------------------------------------------------


def user_lock(user_id: UUID) -> User:
    """Lock the user; serializes changes to their methods."""
    return User.objects.select_for_update(of=("self",), no_key=True).get(pk=user_id)


def get_own_method(user: User | None, method_id: UUID | str) -> PaymentMethodInfo:
    """An active method of this user. Errors: NotFound, also for another user's."""
    method = user and get_or_none(active(user).filter(pk=method_id))
    if not method:
        raise NotFound(_("Payment method not found."))
    return method


def get_customer_id(user_id: UUID, provider: str) -> str:
    """The user's customer id at the provider; "" when there is none."""
    row = customers_of(user_id, provider).first()
    return row.customer_id if row else ""


def customers_of(user_id: UUID, provider: str) -> QuerySet[ProviderCustomer]:
    """The user's customer in the provider's present mode and account first, then one of an unknown account."""
    own = ProviderCustomer.objects.filter(user_id=user_id, provider=provider)
    return own.filter(account__in=accounts_like(provider)).order_by("-account")


def customer_save(user_id: UUID, provider: str, customer_id: str) -> bool:
    """Keep the user's first customer id. Returns whether this is the one that was kept."""
    row = customers_of(user_id, provider).first()
    if row is None:
        row, _is_new = ProviderCustomer.objects.get_or_create(
            user_id=user_id,
            provider=provider,
            account=account_of(provider),
            defaults={"customer_id": customer_id},
        )
    return row.customer_id == customer_id


@transaction.atomic
def customer_forget(user_id: UUID, provider: str, customer_id: str) -> None:
    """Forget a customer that no longer exists at the provider, with its methods. Locks: the user."""
    user_lock(user_id)
    gone = ProviderCustomer.objects.filter(user_id=user_id, provider=provider, customer_id=customer_id)
    if not gone.delete()[0]:
        return
    methods = PaymentMethodInfo.objects.filter(
        is_usable_now(), user_id=user_id, provider=provider, is_active=True
    )
    for method in list(methods):
        method_mark_missing(method)


def customer_renew(user_id: UUID, provider: str, *, former: str, current: str) -> None:
    """Store the customer that the provider created in place of one that no longer exists."""
    if former and current and former != current:
        customer_forget(user_id, provider, former)
        customer_save(user_id, provider, current)


@transaction.atomic
def method_store(
    *, user_id: UUID, provider: str, remote: RemoteMethod, consented_at: datetime, is_default: bool = False
) -> PaymentMethodInfo | None:
    """Save the provider's method for a user, once however often it is reported. The first one becomes the
    default. A card that is saved already under another id stays the same row.

    None when the provider saved it for a different customer than the user's, or the account was closed (it is detached
    there again), or no longer has its customer. Locks: the user.
    """
    user = user_lock(user_id)
    if not remote.customer_id:
        return None
    if not user.is_active or not customer_save(user_id, provider, remote.customer_id):
        provider_call_enqueue(
            Operation.DETACH, provider=provider, user=user, request={"method_id": remote.method_id}
        )
        return None
    own = active(user)
    method = get_or_none(
        own.filter(provider=provider, provider_method_hash__in=keyed_hashes(remote.method_id))
    )
    if method is None:
        method = method_merge(user, provider, remote, consented_at)
    if method is None:
        method = PaymentMethodInfo.objects.create(
            user=user,
            payment_method=kind_of(remote),
            provider=provider,
            account=account_of(provider),
            provider_method_id=remote.method_id,
            account_email=remote.email[:254],
            consented_at=consented_at,
            **card_fields(remote),
        )
        audit_record(actor=user, action=Action.METHOD_SAVE, target=method)
        notify_owner(PaymentMail.METHOD_SAVED, method)
    if is_default or not own.filter(is_default=True).exists():
        make_default(method)
    list_changed(user_id)
    return method


def card_fields(remote: RemoteMethod) -> dict[str, Any]:
    return {
        "card_brand": remote.brand[:30],
        "card_last_four": remote.last_four,
        "card_exp_month": remote.exp_month,
        "card_exp_year": remote.exp_year,
    }


def method_merge(
    user: User, provider: str, remote: RemoteMethod, consented_at: datetime
) -> PaymentMethodInfo | None:
    """The user's method that is the same card, if there is one. The newer of the two ids at the provider is
    kept, unless the older one is paying at this moment; the other is detached. The caller holds the user's lock.
    """
    hashes = [text for method_id in remote.duplicates for text in keyed_hashes(method_id)]
    known = active(user).filter(provider=provider, provider_method_hash__in=hashes)
    method = known.order_by("-is_default", "created_at").first()
    if method is None:
        return None
    unused = remote.method_id
    if not is_in_use(method):
        unused = method.provider_method_id
        changes = card_fields(remote) | {"provider_method_id": remote.method_id, "consented_at": consented_at}
        for name, value in changes.items():
            setattr(method, name, value)
        save_columns(method, [*changes, "provider_method_hash"])
    provider_call_enqueue(Operation.DETACH, provider=provider, user=user, request={"method_id": unused})
    return method


def kind_of(remote: RemoteMethod) -> PaymentMethod:
    if remote.kind != "card":
        return PaymentMethod(remote.kind)
    return PaymentMethod.DEBIT_CARD if remote.funding == "debit" else PaymentMethod.CREDIT_CARD


@transaction.atomic
def method_update(*, user: User, method_id: UUID, is_default: bool) -> PaymentMethodInfo:
    """Make this the default method. Errors: NotFound, DefaultRequired. Locks: the user."""
    user_lock(user.pk)
    method = get_own_method(user, method_id)
    if is_default and not method.is_default:
        make_default(method)
        list_changed(user.pk)
    elif method.is_default and not is_default:
        raise DefaultRequired
    return method


@transaction.atomic
def method_deactivate(*, user: User, method_id: UUID) -> ProviderCall:
    """Remove the method; the returned call detaches it at the provider.

    Errors: NotFound, MethodInUse. Locks: the user.
    """
    user_lock(user.pk)
    method = get_own_method(user, method_id)
    if is_in_use(method):
        raise MethodInUse
    deactivate(method)
    audit_record(actor=user, action=Action.METHOD_REMOVE, target=method)
    notify_owner(PaymentMail.METHOD_REMOVED, method)
    return provider_call_enqueue(
        Operation.DETACH,
        provider=method.provider,
        user=user,
        method=method,
        request={"method_id": method.provider_method_id},
    )


@transaction.atomic
def method_mark_missing(missing: PaymentMethodInfo) -> bool:
    """Remove a method that no longer exists at the provider, as it was read before that was found. Returns False if the
    same card has been saved again with another id since. Locks: the user."""
    user_lock(missing.user_id)
    method = PaymentMethodInfo.objects.get(pk=missing.pk)
    if method.provider_method_id != missing.provider_method_id:
        return False
    if method.is_active:
        deactivate(method)
        audit_record(actor=None, action=Action.METHOD_REMOVE, target=method, actor_name="provider")
        notify_owner(PaymentMail.METHOD_REMOVED, method)
    return True


@transaction.atomic
def method_refresh(method_id: UUID, remote: RemoteMethod) -> bool:
    """Store what changed of a saved card. Returns whether anything did. Locks: the user."""
    method = PaymentMethodInfo.objects.get(pk=method_id)
    user_lock(method.user_id)
    present = card_fields(remote)
    changed = [name for name, value in present.items() if value and value != getattr(method, name)]
    if changed:
        for name in changed:
            setattr(method, name, present[name])
        save_columns(method, changed)
        list_changed(method.user_id)
    return bool(changed)


def notify_owner(kind: str, method: PaymentMethodInfo) -> None:
    """Email the owner, so that a change by someone else does not go unnoticed."""
    context = {"store": store_context(store_rules()), "method": name_of(method_row(method))}
    notifications_enqueue(MailMessage(kind, method.user.email, f"{kind}:{method.pk}", context))


def deactivate(method: PaymentMethodInfo) -> None:
    """Deactivate the method; the newest of the others becomes the default. The caller holds the user's lock."""
    was_default = method.is_default
    method.is_active = method.is_default = False
    method.save(update_fields=["is_active", "is_default", "updated_at"])
    heir = active(method.user).order_by("-created_at").first() if was_default else None
    if heir is not None:
        make_default(heir)
    list_changed(method.user_id)


def make_default(method: PaymentMethodInfo) -> None:
    """Make this the default method. The caller holds the user's lock. The old one is cleared first, because a
    database constraint allows one default per user."""
    now = timezone.now()
    others = PaymentMethodInfo.objects.filter(user=method.user, is_active=True)  # of every account
    others.filter(is_default=True).update(is_default=False, updated_at=now)
    method.is_default = True
    method.save(update_fields=["is_default", "updated_at"])


def active(user: User) -> QuerySet[PaymentMethodInfo]:
    """The methods that can be used in the present modes and accounts of the providers."""
    return PaymentMethodInfo.objects.filter(is_usable_now(), user=user, is_active=True)


def is_usable_now() -> Q:
    usable = Q(account="")
    for facts in remote_providers():
        usable |= Q(provider=facts.name, account__in=accounts_like(facts.name))
    return usable


def is_in_use(method: PaymentMethodInfo) -> bool:
    """Whether a payment with this method is in progress and its outcome is unknown."""
    return ProviderCall.objects.filter(
        calls_with_secret("method_id", method.provider_method_id),
        provider=method.provider,
        state=CallState.OPEN,
        payment__isnull=False,
    ).exists()
