"""Say of stored refunds what they were for: each order's life is played again, event by event."""

from collections import defaultdict

from django.db import migrations
from django.db.models import Q

CLOSED = {"CANCELLED", "EXPIRED"}
GONE = {"CANCELLED", "RETURNED"}


def fill(apps, schema_editor):
    refunds = apps.get_model("payments", "PaymentRefund").objects.exclude(status="FAILED")
    payments = apps.get_model("payments", "Payment").objects.all()
    touched = Q(pk__in=refunds.values("payment__order")) | Q(
        pk__in=payments.filter(disputed_minor__gt=0).values("order")
    )
    for order in apps.get_model("orders", "Order").objects.filter(touched).iterator():
        replay(apps, order)


def replay(apps, order):
    """Refunds in the order of their making: what is owed already is paid first, the rest is goodwill."""
    state = State(order)
    for _, happened, row in sorted(events_of(apps, order), key=lambda event: event[0]):
        happened(state, row)
    order.goods_refunded_minor = state.goods(["COMPLETED"])
    order.goodwill_minor = sum(r.goodwill_minor for r in state.refunds if r.status == "COMPLETED")
    undecided = [r for r in state.refunds if is_undecided(r) and r.status == "COMPLETED"]
    disputed = sum(payment.disputed_minor for payment in order.payments.all())
    order.unassigned_minor = sum(r.amount_minor for r in undecided) + disputed
    order.save(update_fields=["goods_refunded_minor", "goodwill_minor", "unassigned_minor"])


def events_of(apps, order):
    model = apps.get_model
    of_order = {"payment__order": order}
    for name in ("Receipt", "Capture"):
        for row in model("payments", name).objects.filter(**of_order):
            yield row.created_at, State.receive, row.amount_minor
    for row in model("orders", "OrderTransition").objects.filter(order=order):
        yield row.at, State.move, row.new
    for row in model("orders", "ParcelTransition").objects.filter(parcel__order=order, new__in=GONE):
        yield row.at, State.lose, row.parcel
    for row in model("payments", "PaymentRefund").objects.filter(**of_order).exclude(status="FAILED"):
        yield row.created_at, State.refund, row
    lost = model("payments", "DisputeTransition").objects.filter(
        dispute__status="LOST", new="LOST", dispute__payment__order=order
    )
    latest = {row.dispute_id: row for row in lost.select_related("dispute").order_by("id")}
    for row in latest.values():
        yield row.at, State.take, row.dispute.amount_minor


class State:
    def __init__(self, order):
        self.order, self.status, self.received, self.taken = order, "PENDING", 0, 0
        self.gone, self.refunds = {}, []

    def receive(self, minor):
        self.received += minor

    def move(self, status):
        self.status = status

    def lose(self, parcel):
        self.gone[parcel.pk] = parcel

    def take(self, minor):
        self.taken += minor

    def refund(self, refund):
        worth = self.worth()
        kept = self.received - self.taken - sum(r.amount_minor for r in self.refunds)
        surplus = kept + sum(r.goodwill_minor for r in self.refunds) - worth
        elsewhere = self.taken + sum(r.amount_minor for r in self.refunds if is_undecided(r))
        owed = max(0, min(kept, surplus))
        self.refunds.append(refund)
        goods = min(refund.amount_minor, worth - self.worth())
        is_paid = surplus + (0 if self.status == "PENDING" else elsewhere) >= 0
        if is_paid and not is_undecided(refund):
            refund.goodwill_minor = max(0, refund.amount_minor - goods - owed)
            refund.save(update_fields=["goodwill_minor"])

    def worth(self):
        if self.status in CLOSED:
            return 0
        lost = sum(parcel.total_minor for parcel in self.gone.values())
        return self.order.total_minor - lost - self.goods(["REQUESTED", "PROCESSING", "COMPLETED"])

    def goods(self, statuses):
        """Named goods and shipping of parcels that still count."""
        minor, shipping = defaultdict(int), 0
        for refund in self.refunds:
            if refund.status in statuses:
                shipping += refund.shipping_minor
                for line in refund.lines.select_related("order_line"):
                    minor[line.order_line.parcel_id] += line.amount_minor
        live = self.order.shipping_minor - sum(parcel.shipping_minor for parcel in self.gone.values())
        return min(shipping, live) + sum(sum for parcel, sum in minor.items() if parcel not in self.gone)


def is_undecided(refund):
    return refund.origin == "provider" and refund.decision == "pending"


class Migration(migrations.Migration):
    dependencies = [("payments", "0008_refund_goodwill"), ("orders", "0007_what_refunds_were_for")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop, elidable=True)]
