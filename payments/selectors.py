from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import (
    BigIntegerField,
    Case,
    Exists,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Coalesce, Least
from django.utils import timezone
from django.utils.translation import gettext as _

from artisans.accounts.principals import Principal
from artisans.core.compiled import compiled
from artisans.core.errors import NotFound
from artisans.core.models import get_or_none, is_uuid
from artisans.core.money import Money
from artisans.core.numbers import split_number
from orders.models import SHIPPING_CHARGED, Order, Parcel
from orders.owed import Balance, RefundSums
from orders.selectors import check_locked, orders_locked, owned_by
from orders.statuses import ORDERS_CLOSED, PARCELS_ENDED, CashHolder, OrderStatus
from payments.methods import CARD_METHODS, MANUAL, PaymentMethod
from payments.models import (
    DECIDED_AT,
    AttemptOutcome,
    Capture,
    CashDeposit,
    CashDepositLine,
    DepositStatus,
    EventState,
    Explanation,
    PaidFrom,
    Payment,
    PaymentAttempt,
    PaymentFlag,
    PaymentRefund,
    ProviderAlert,
    ProviderCall,
    ProviderMovement,
    Receipt,
    ReconciliationRun,
    RefundDecision,
    RefundLine,
    RefundOrigin,
    WebhookEvent,
)
from payments.models.provider_call import CREATES_OBJECT
from payments.models.webhook_event import UNSETTLED
from payments.providers.contract import MovementKind
from payments.statuses import OPEN, PaymentStatus, RefundStatus

REPLACED = Exists(
    Payment.objects.filter(order=OuterRef("order"), created_at__gt=OuterRef("created_at")).order_by()
)
# What became of a payment: paid (later refunds do not matter), else replaced by another, else lost, else open.
PAYMENT_OUTCOME = Case(
    When(completed_at__isnull=False, then=Value("paid")),
    When(Q(REPLACED, status=PaymentStatus.CANCELLED), then=Value("switched")),
    When(Q(status=PaymentStatus.CANCELLED) | Q(order__status__in=ORDERS_CLOSED), then=Value("lost")),
    default=Value("open"),
)
# What figures count of attempts. By the day of their decision, which is to be annotated as `decided` (DECIDED_AT):
DECIDED = Q(outcome__in=[AttemptOutcome.SUCCEEDED, AttemptOutcome.DECLINED])
AT_PROVIDERS = ~Q(provider=MANUAL)
IS_FIRST = Q(
    ~Exists(
        PaymentAttempt.objects.alias(at=DECIDED_AT)
        .filter(
            DECIDED,
            Q(at__lt=OuterRef("decided")) | Q(at=OuterRef("decided"), number__lt=OuterRef("number")),
            payment=OuterRef("payment"),
        )
        .order_by()
    )
)
ATTEMPTS_BY_DECISION: dict[str, Q] = {
    "decided": AT_PROVIDERS & DECIDED,
    "succeeded": AT_PROVIDERS & Q(outcome=AttemptOutcome.SUCCEEDED),
    "declined": AT_PROVIDERS & Q(outcome=AttemptOutcome.DECLINED),
    "first_decided": AT_PROVIDERS & DECIDED & IS_FIRST,
    "first_succeeded": AT_PROVIDERS & Q(outcome=AttemptOutcome.SUCCEEDED) & IS_FIRST,
}
# By the day on which they were tried:
BY_CARD = Q(payment__payment_method__in=CARD_METHODS)
IS_CHALLENGED = Q(three_d_secure_flow="challenge") | Q(
    outcome__in=[AttemptOutcome.CHALLENGED, AttemptOutcome.ABANDONED]
)
IS_ASKED = IS_CHALLENGED | ~Q(three_d_secure="") | ~Q(three_d_secure_flow="")
ATTEMPTS_BY_TRY: dict[str, Q] = {
    "cards": BY_CARD,
    "asked": BY_CARD & IS_ASKED,
    "challenges": BY_CARD & IS_CHALLENGED,
    "abandoned": BY_CARD & Q(outcome=AttemptOutcome.ABANDONED),
    "finished": BY_CARD & IS_ASKED & DECIDED & ~Q(three_d_secure__in=["exempted", "not_supported"]),
    "authenticated": BY_CARD & DECIDED & Q(three_d_secure__in=["authenticated", "attempt_acknowledged"]),
}
EVENTS_WAITING = (EventState.RECEIVED, EventState.WAITING)
EVENT_IS_LATE_AFTER = timedelta(minutes=5)


def payments_visible_to(principal: Principal) -> QuerySet[Payment]:
    """The user's own payments, or those of the one order whose link they hold."""
    if principal.order_link is not None:
        order_id, version = principal.order_link
        return Payment.objects.filter(order_id=order_id, order__token_version=version)
    if principal.user is not None:
        return Payment.objects.filter(owned_by(principal.user, path="order__"))
    return Payment.objects.none()


def payments_for_staff(principal: Principal) -> QuerySet[Payment]:
    """All payments for staff with the permission to view them, none for anyone else."""
    user = principal.user if principal.has_staff_token else None
    may_look = user is not None and user.is_staff and user.has_perm("payments.view_payment")
    return Payment.objects.all() if may_look else Payment.objects.none()


def payments_readable_by(principal: Principal) -> QuerySet[Payment]:
    """The user's own payments, or all of them for staff. The holder of an order's link sees that order's
    only."""
    if principal.order_link is None and (for_staff := payments_for_staff(principal)).exists():
        return for_staff
    return payments_visible_to(principal)


def refunds_readable_by(principal: Principal) -> QuerySet[PaymentRefund]:
    return PaymentRefund.objects.filter(payment__in=payments_readable_by(principal).order_by())


def payment_lock(payment_id: UUID) -> tuple[Payment, Order]:
    """The payment and its order; locks the order first, then the payment. Errors: NotFound."""
    order = orders_of_payment_locked.first(payment_id)
    if order is None:
        raise NotFound(_("Payment not found."))
    payment = payments_locked(payment_id)[0]
    payment.order = order
    check_locked(order)
    return payment, order


@compiled
def orders_of_payment_locked(payment_id: UUID) -> QuerySet[Order]:
    return orders_locked().filter(payments=payment_id).order_by()


@compiled
def payments_locked(payment_id: UUID) -> QuerySet[Payment]:
    return Payment.objects.select_for_update(of=("self",), no_key=True).filter(pk=payment_id).order_by()


def payments_of(order: Order) -> list[Payment]:
    """The order's payments, newest first."""
    payments = payments_of_order(order.pk)
    for payment in payments:
        payment.order = order
    return payments


@compiled
def payments_of_order(order_id: UUID) -> QuerySet[Payment]:
    return Payment.objects.filter(order=order_id).order_by("-created_at")


def open_payment(order: Order) -> Payment | None:
    return order.payments.filter(status__in=OPEN).first()


def latest_payment(order: Order) -> Payment | None:
    return order.payments.order_by("-created_at").first()


def keys_of_number(text: str) -> set[UUID]:
    """Keys of the rows that the number of an order, parcel, payment or refund is about; empty without such a row.

    An order's rows are its parcels, payments and refunds, too, and a payment's its refunds.
    """
    number = "".join(text.split()).upper().removeprefix("#")
    orders = keys_of(Order.objects.filter(order_number=split_number(number)[0]))
    payments = keys_of(Payment.objects.filter(payment_number=number))
    payments |= keys_of(Payment.objects.filter(order__in=orders))
    refunds = keys_of(PaymentRefund.objects.filter(refund_number=number))
    refunds |= keys_of(PaymentRefund.objects.filter(payment__in=payments))
    return orders | keys_of(Parcel.objects.filter(order__in=orders)) | payments | refunds


def keys_of(rows: QuerySet[Any]) -> set[UUID]:
    return set(rows.order_by().values_list("pk", flat=True))


def object_ids_of(payment: Payment) -> set[str]:
    """All ids of this payment at the provider, current and earlier ones."""
    made = payment.calls.exclude(object_id="").filter(refund=None).values_list("object_id", flat=True)
    return {*made, payment.provider_payment_id} - {None}  # type: ignore[return-value]


def payment_of_object(
    provider: str, object_ids: Sequence[str], reference: str = ""
) -> tuple[Payment, str] | None:
    """The payment of one of the provider's ids, and the object to read for it: that id or, for the id of a
    capture and for a `reference` to the payment, its current object ("" when it has none). None when no id is
    known (yet)."""
    for object_id in object_ids:
        for find in (payments_by_object, payments_by_past_object):
            if (payment := find.first(provider, object_id)) is not None:
                return payment, object_id
        if (payment := payments_by_capture.first(provider, object_id)) is not None:
            return payment, payment.provider_payment_id or ""
    if is_uuid(reference):
        payment = get_or_none(Payment.objects.filter(pk=reference, payment_provider=provider))
        return (payment, payment.provider_payment_id or "") if payment else None
    return None


@compiled
def payments_by_object(provider: str, object_id: str) -> QuerySet[Payment]:
    return Payment.objects.filter(payment_provider=provider, provider_payment_id=object_id).order_by()


@compiled
def payments_by_past_object(provider: str, object_id: str) -> QuerySet[Payment]:
    """By the calls that create objects: their ids have an index."""
    made = Payment.objects.filter(
        calls__provider=provider, calls__object_id=object_id, calls__operation__in=CREATES_OBJECT
    )
    return made.order_by()


@compiled
def payments_by_capture(provider: str, object_id: str) -> QuerySet[Payment]:
    found = Payment.objects.filter(captures__provider=provider, captures__provider_capture_id=object_id)
    return found.order_by()


def payment_keys_of_objects(provider: str, objects: Sequence[tuple[Sequence[str], str]]) -> list[UUID | None]:
    """The same for many objects, each given by its ids and its reference: their payments' keys, in four queries."""
    ids = {object_id for object_ids, _reference in objects for object_id in object_ids}
    references = {reference for _ids, reference in objects if is_uuid(reference)}
    payments = Payment.objects.filter(payment_provider=provider).order_by()
    created = ProviderCall.objects.filter(
        provider=provider, object_id__in=ids, operation__in=CREATES_OBJECT
    ).exclude(object_id="")
    captures = Capture.objects.filter(provider=provider, provider_capture_id__in=ids).order_by()
    known: list[dict[Any, UUID | None]] = [
        dict(payments.filter(provider_payment_id__in=ids).values_list("provider_payment_id", "pk")),
        dict(created.order_by().values_list("object_id", "payment_id")),
        dict(captures.values_list("provider_capture_id", "payment_id")),
    ]
    named = {str(pk): pk for pk in payments.filter(pk__in=references).values_list("pk", flat=True)}

    def key_of(object_ids: Sequence[str], reference: str) -> UUID | None:
        found = (keys[object_id] for object_id in object_ids for keys in known if object_id in keys)
        return next(found, None) or named.get(reference)

    return [key_of(object_ids, reference) for object_ids, reference in objects]


def refund_due(order: Order, payment: Payment) -> int:
    """Minor units due to the buyer that are not being refunded yet and can be refunded through this payment."""
    return min(balance_after_refunds(order).owed, payment.refundable.minor)


def balance_after_refunds(order: Order, *, without: PaymentRefund | None = None) -> Balance:
    """The order's balance as if every refund in progress had completed and `without` did not exist."""
    payments = payments_of(order)
    promised = [RefundStatus.REQUESTED, RefundStatus.PROCESSING, RefundStatus.COMPLETED]
    refunds = refund_sums(order, payments, statuses=promised, without=without)
    disputed = sum(payment.disputed_minor for payment in payments)
    balance = Balance(
        worth=order.worth_without(refunds.goods),
        received=sum(payment.received_minor for payment in payments),
        refunded=refunds.amount + disputed,
        goodwill=refunds.goodwill,
        unassigned=0 if order.status == OrderStatus.PENDING else refunds.unassigned,
    )
    return replace(balance, settled=settled_on_delivery(order)) if balance.outstanding else balance


def settled_on_delivery(order: Order) -> int:
    """Minor units that parcels cost whose own cash was recorded in full."""
    due = F("total_minor") - F("cancelled_minor")
    here = order.parcels.exclude(status__in=PARCELS_ENDED).filter(cash_received_minor__gt=0)
    paid = here.filter(cash_received_minor__gte=due).order_by()
    return int(paid.aggregate(sum=Sum(due, default=0))["sum"])


def refund_sums(
    order: Order,
    payments: Sequence[Payment],
    *,
    statuses: Collection[RefundStatus],
    without: PaymentRefund | None = None,
) -> RefundSums:
    """What refunds in these statuses were for; lost disputes count as unassigned."""
    disputed = sum(payment.disputed_minor for payment in payments)
    if not any(payment.refunded_minor or payment.refund_reserved_minor for payment in payments):
        return RefundSums(unassigned=disputed)
    refunds = PaymentRefund.objects.filter(payment__in=payments, status__in=statuses).order_by()
    if without is not None:
        refunds = refunds.exclude(pk=without.pk)
    is_open = Q(origin=RefundOrigin.PROVIDER, decision=RefundDecision.PENDING)
    sums = refunds.aggregate(
        amount=total("amount_minor"),
        shipping=total("shipping_minor"),
        goodwill=total("goodwill_minor"),
        unassigned=total("amount_minor", only=is_open),
    )
    here = order.parcels.exclude(status__in=PARCELS_ENDED).order_by()
    lines = RefundLine.objects.filter(refund__in=refunds, order_line__parcel__in=here)
    shipping = here.aggregate(sum=Sum(SHIPPING_CHARGED, default=0))["sum"]
    goods = goods_minor(order, lines)
    return RefundSums(
        amount=sums["amount"],
        goods=goods + min(sums["shipping"], shipping),
        goodwill=sums["goodwill"],
        unassigned=disputed + sums["unassigned"],
    )


def goods_minor(order: Order, lines: QuerySet[RefundLine]) -> int:
    """What these refund lines give back for units that were not cancelled."""
    if not order.cancelled_minor:
        return int(lines.aggregate(sum=total("amount_minor"))["sum"])
    refunded = dict(lines.order_by().values_list("order_line").annotate(sum=total("amount_minor")))
    found = order.lines.in_bulk(refunded)
    return sum(found[key].goods_refunded(minor) for key, minor in refunded.items())


def total(column: str, only: Q | None = None) -> Sum:
    return Sum(column, default=0, filter=only)


def receipts_naming_parcels(order: Order) -> dict[UUID, int]:
    """Minor units of cash on delivery recorded for each parcel, without what was reversed."""
    named = Receipt.objects.filter(payment__order=order, parcel__isnull=False, reversal=None).order_by()
    return dict(named.values_list("parcel").annotate(sum=Sum("amount_minor")))


def moved_in(currency: str, prefix: str = "") -> Case:
    """What a movement moved in this currency, null if it moved another or was an exchange. `currency`: a column of the
    rows; `prefix`: of the movement's columns."""
    is_exchange = Q(**{f"{prefix}kind": MovementKind.CONVERSION})
    return Case(
        When(~is_exchange & Q(**{f"{prefix}currency": F(currency)}), then=F(f"{prefix}gross_minor")),
        When(**{f"{prefix}charged_currency": F(currency)}, then=F(f"{prefix}charged_minor")),
    )


def taken_for_disputes(payments: Iterable[UUID]) -> dict[UUID, int]:
    """Minor units that the provider took for disputes of each payment, less what it gave back, in its currency."""
    return {payment: -minor for payment, minor in sums_for_disputes(list(payments))}


@compiled
def sums_for_disputes(payments: list[UUID]) -> QuerySet[ProviderMovement, tuple[UUID, int]]:
    rows = ProviderMovement.objects.filter(explained_by=Explanation.DISPUTE, payment__any=payments)
    return rows.order_by().values_list("payment").annotate(sum=Sum(moved_in("payment__currency"), default=0))


def cash_on_hand(holder: CashHolder) -> QuerySet[Receipt]:
    """Receipts of cash that the shop or a courier still has, oldest first. Release 0.1.0 names no holder."""
    deposited = CashDepositLine.objects.filter(receipt=OuterRef("pk"), status=DepositStatus.RECORDED)
    holders = ["", holder] if holder == CashHolder.SHOP else [holder]
    rows = Receipt.objects.filter(
        ~Exists(deposited),
        payment__payment_method=PaymentMethod.CASH_ON_DELIVERY,
        holder__in=holders,
        actor__isnull=False,
        reversal=None,
    )
    return rows.order_by("value_date", "created_at")


def cash_to_deposit(holder: CashHolder) -> QuerySet[Any]:
    """Those of `cash_on_hand` of which something is left, as `left_minor`: what the shop paid back to the buyer in cash
    is taken from the payment's oldest receipts."""
    rows = cash_on_hand(holder)
    if holder != CashHolder.SHOP:
        return rows.annotate(left_minor=F("amount_minor"))
    older = Q(created_at__lt=OuterRef("created_at")) | Q(
        created_at=OuterRef("created_at"), pk__lte=OuterRef("pk")
    )
    so_far = rows.filter(older, payment=OuterRef("payment"))
    paid_back = PaymentRefund.objects.filter(
        payment=OuterRef("payment"), paid_from=PaidFrom.CASH, status=RefundStatus.COMPLETED
    )
    subtracted = CashDepositLine.objects.filter(
        receipt__payment=OuterRef("payment"), status=DepositStatus.RECORDED
    )
    left = (
        subtotal(so_far, "payment")
        - subtotal(paid_back, "payment")
        + subtotal(subtracted, "receipt__payment", "paid_back_minor")
    )
    return rows.annotate(left_minor=Least(F("amount_minor"), left)).filter(left_minor__gt=0)


def subtotal(rows: QuerySet[Any], group: str, column: str = "amount_minor") -> Coalesce:
    """The sum of rows that refer to the outer query, all of one `group`."""
    sums = rows.order_by().values(group).annotate(sum=Sum(column)).values("sum")
    return Coalesce(Subquery(sums), 0, output_field=BigIntegerField())


def cash_left(payment: Payment) -> Money:
    """What the shop still has of the payment in cash."""
    rows = cash_to_deposit(CashHolder.SHOP).filter(payment=payment)
    return Money(rows.aggregate(sum=Sum("left_minor", default=0))["sum"], payment.currency)


def find_active_deposit(key: str) -> CashDeposit | None:
    """The deposit with this reference_key; None if it was reversed."""
    standing = CashDeposit.objects.filter(reference_key=key, status=DepositStatus.RECORDED)
    return get_or_none(standing.select_related("actor"))


def find_active_receipt(key: str) -> Receipt | None:
    """The receipt with this reference_key; None if it was reversed."""
    standing = Receipt.objects.filter(reference_key=key, reversal=None)
    return get_or_none(standing.select_related("payment__order"))


def flags_open() -> QuerySet[PaymentFlag]:
    """Open review flags of payments, oldest first."""
    return PaymentFlag.objects.filter(resolved_at=None).order_by("created_at")


def refunds_to_decide() -> QuerySet[PaymentRefund]:
    """Refunds made at the provider that await a staff decision about the order. Oldest first."""
    return PaymentRefund.objects.filter(decision=RefundDecision.PENDING).order_by("created_at")


def payments_awaiting_decision() -> QuerySet[Payment]:
    """Offline payments that await staff, oldest first."""
    return (
        Payment.objects.filter(payment_provider="manual", status=PaymentStatus.PENDING)
        .select_related("order", "user")
        .order_by("created_at")
    )


def webhooks_for_staff() -> QuerySet[WebhookEvent]:
    """Events left to staff, and those that failed, for good or so far, or have waited for minutes."""
    late = Q(state=EventState.RECEIVED) & ~Q(note="")
    late |= Q(state__in=EVENTS_WAITING, created_at__lt=timezone.now() - EVENT_IS_LATE_AFTER)
    left = Q(state__in=[EventState.DEAD, EventState.STAFF]) | late
    return WebhookEvent.objects.filter(left, state__in=UNSETTLED)  # named again, for its partial index


def payments_received_since(moment: datetime) -> QuerySet[Payment]:
    """Payments that got money since then: offline receipts that were not reversed, and providers' captures."""
    receipts = Receipt.objects.filter(created_at__gte=moment, reversal=None).order_by()
    captures = Capture.objects.filter(created_at__gte=moment).order_by()
    return Payment.objects.filter(pk__in=receipts.values("payment").union(captures.values("payment")))


def amounts_received_since(moment: datetime) -> list[Money]:
    """The sum of that money, one per currency."""
    sums: Counter[str] = Counter()
    receipts = Receipt.objects.filter(created_at__gte=moment, reversal=None).order_by().values("currency")
    captures = Capture.objects.filter(created_at__gte=moment).order_by().values("currency")
    parts = [
        rows.annotate(sum=Sum("amount_minor")).values_list("currency", "sum") for rows in (receipts, captures)
    ]
    for currency, minor in parts[0].union(parts[1], all=True):
        sums[currency] += minor
    return [Money.stored(minor, currency) for currency, minor in sorted(sums.items())]


def alerts_open() -> QuerySet[ProviderAlert]:
    """Open alerts about the providers' APIs."""
    return ProviderAlert.objects.filter(resolved_at=None)


def providers_report() -> str:
    """For the readiness probe: the parts of the providers' APIs that fail, "ok" if none."""
    parts = alerts_open().order_by("provider", "part").values_list("provider", "part")
    return ", ".join(f"{provider}: {part}" for provider, part in parts) or "ok"


def reconciliation_runs_to_review() -> QuerySet[ReconciliationRun]:
    """Each provider's last finished run, if it found differences or got no response."""
    finished = ReconciliationRun.objects.filter(finished_at__isnull=False)
    newer = finished.filter(provider=OuterRef("provider"), created_at__gt=OuterRef("created_at"))
    return finished.filter(~Q(error="") | ~Q(differences=[])).exclude(Exists(newer))
