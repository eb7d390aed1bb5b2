"""Paid orders for the demo shop, whose earnings are in every state. Made by the services of the shop alone."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from artisans.accounts.models import User
from artisans.catalog.models import Artisan, Product
from artisans.catalog.services import products_lock
from artisans.core.money import Money
from artisans.earnings.debts import debt_sync
from artisans.earnings.holds import HoldRequest, hold_place
from artisans.earnings.models import HoldReason
from artisans.earnings.releases import order_release_earnings
from orders.models import Order, Parcel, StoreRules
from orders.quoting import quote_products
from orders.selectors import store_rules
from orders.services.parcels import parcel_deliver, parcel_ship
from orders.services.placing import Buyer, order_place
from orders.statuses import CashHolder, ParcelDecision
from payments.bookkeeping.movements import movements_record
from payments.bookkeeping.provider_calls import provider_call_finish
from payments.errors import MethodNotOffered
from payments.gateway.sync import payment_apply_remote_state
from payments.lifecycle.cash import IncomingMoney
from payments.lifecycle.offer import choose_provider
from payments.lifecycle.parcels import order_parcels_decide, parcel_return
from payments.lifecycle.receipts import receipt_record
from payments.lifecycle.start import payment_start
from payments.methods import PaymentMethod
from payments.models import CallState, Payment, PaymentRefund, Receipt
from payments.providers.contract import (
    Capture,
    MovementKind,
    RemoteDispute,
    RemoteDisputeStatus,
    RemoteMovement,
    RemotePayment,
    RemoteStatus,
)
from payments.refunds.manual import money_return_record

ADDRESS = {
    "name": "Sam Shopper",
    "line1": "12 Pier Road",
    "city": "Astoria",
    "region": "OR",
    "postal_code": "97103",
    "country": "US",
}
RESERVE = {"reserve_ppm": 100_000, "reserve_days": 30}


class Command(BaseCommand):
    help = "Add paid orders to the demo shop, unless it has orders."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("Demo data is only loaded with DEMO=true.")
        if Order.objects.exists():
            return
        with transaction.atomic():
            self.load()

    def load(self) -> None:
        self.staff = User.objects.get(email="admin@demo.test")
        self.buyer = User.objects.get(email="shopper@demo.test")
        own = Artisan.objects.get(user__email="artisan@demo.test")
        other, debtor = Artisan.objects.filter(user=None, is_active=True).order_by("slug")[:2]
        self.release(self.deliver(self.sell(own)), **RESERVE)
        self.give_back(self.release(self.deliver(self.sell(own, other))), "15.00")
        self.hold(own, "20.00")
        self.give_back(self.sell(own), "10.00")
        self.await_return(self.deliver(self.sell(own)))
        self.take_back(self.deliver(self.sell(own)))
        self.deliver(self.sell(own))
        self.sell(own, other)
        self.collect_cash(debtor)
        some = Money(1000, store_rules().currency)
        if not isinstance(choose_provider(PaymentMethod.CREDIT_CARD, amount=some), MethodNotOffered):
            self.move_at_provider(self.sell_by_card(other), self.dispute(self.sell_by_card(own, other)))

    def place(self, method: PaymentMethod, *artisans: Artisan) -> Payment:
        """A unit of the cheapest product of each of these artisans that is in stock."""
        store = store_rules()
        products = [
            Product.objects.filter(artisan=one, is_active=True, stock__gt=1).order_by("price_minor")[0]
            for one in artisans
        ]
        placed = order_place(
            quote=quote_products([(row, 1) for row in products], store=store),
            products=products_lock(row.pk for row in products),
            buyer=Buyer(self.buyer.email, ADDRESS, ADDRESS, self.buyer),
            store=store,
            expires_at=timezone.now() + timedelta(minutes=30),
        )
        return payment_start(placed, method=method, store=store)

    def sell(self, *artisans: Artisan) -> Payment:
        payment = self.place(PaymentMethod.BANK_TRANSFER, *artisans)
        return self.receive(payment, f"DEMO-{Receipt.objects.count() + 1}")

    def receive(self, payment: Payment, reference: str, **cash: Any) -> Payment:
        money = IncomingMoney(payment.amount, timezone.localdate(), reference, **cash)
        receipt_record(payment_id=payment.pk, money=money, actor=self.staff)
        return payment

    def sell_by_card(self, *artisans: Artisan) -> Payment:
        """As if the provider had taken it, which knows nothing of it."""
        payment = self.place(PaymentMethod.CREDIT_CARD, *artisans)
        provider_call_finish(payment.calls.get(), CallState.DONE)
        return self.apply(payment)

    def dispute(self, payment: Payment) -> Payment:
        remote = RemoteDispute(
            f"demo_dispute_{payment.payment_number}", payment.amount, RemoteDisputeStatus.OPEN
        )
        return self.apply(payment, disputes=(remote,))

    def apply(self, payment: Payment, **news: Any) -> Payment:
        key = payment.payment_number
        Payment.objects.filter(pk=payment.pk).update(provider_payment_id=f"demo_payment_{key}")
        remote = RemotePayment(
            object_id=f"demo_payment_{key}",
            status=RemoteStatus.SUCCEEDED,
            amount=payment.amount,
            reference=str(payment.pk),
            is_live=False,
            captures=(Capture(f"demo_capture_{key}", payment.amount),),
            **news,
        )
        return payment_apply_remote_state(payment_id=payment.pk, remote=remote, cause="demo data")

    def move_at_provider(self, paid: Payment, disputed: Payment) -> None:
        """What the provider's balance would show: payments with fees, the dispute, a withdrawal, and one of a café."""
        provider, currency = paid.payment_provider, paid.currency
        zero, two, fifteen = Money(0, currency), Money(200, currency), Money(1500, currency)
        for number, (kind, gross, fee, payment) in enumerate(
            (
                (MovementKind.PAYMENT, paid.amount, two, paid),
                (MovementKind.PAYMENT, disputed.amount, two, disputed),
                (MovementKind.DISPUTE, zero - disputed.amount, fifteen, disputed),
                (MovementKind.WITHDRAWAL, zero - fifteen, zero, None),
                (MovementKind.PAYMENT, fifteen, two, None),
            ),
            start=1,
        ):
            capture = f"demo_capture_{payment.payment_number}" if payment else ""
            remote = RemoteMovement(
                movement_id=f"demo_movement_{number}",
                kind=kind,
                code="",
                gross=gross,
                fee=fee,
                occurred_at=timezone.now(),
                source_id=capture if kind == MovementKind.PAYMENT else f"demo_source_{number}",
                capture_id=capture,
            )
            movements_record(provider, [remote])

    def parcels(self, payment: Payment) -> list[Parcel]:
        return list(payment.order.parcels.select_related("artisan__user").order_by("number"))

    def deliver(self, payment: Payment) -> Payment:
        for parcel in self.parcels(payment):
            actor = parcel.artisan.user or self.staff
            parcel_ship(parcel_id=parcel.pk, carrier="USPS", tracking="", actor=actor)
            parcel_deliver(parcel_id=parcel.pk, actor=actor)
        return payment

    def release(self, payment: Payment, **reserve: int) -> Payment:
        """Without the days of waiting, by rules that only this transaction sees."""
        before = StoreRules.objects.values("return_days", "hold_days", "reserve_ppm", "reserve_days").get(
            pk=1
        )
        StoreRules.objects.update(return_days=0, hold_days=0, **reserve)
        order_release_earnings(payment.order_id)
        StoreRules.objects.update(**before)
        return payment

    def give_back(self, payment: Payment, amount: str) -> None:
        money_return_record(
            payment_id=payment.pk,
            amount=Money.parse(amount, payment.currency),
            value_date=timezone.localdate(),
            bank_reference=f"DEMO-OUT-{PaymentRefund.objects.count() + 1}",
            reason="A scratch on the glaze.",
            actor=self.staff,
            beyond_owed=True,
        )

    def hold(self, artisan: Artisan, amount: str) -> None:
        request = HoldRequest(
            amount=Money.parse(amount, store_rules().currency),
            reason=HoldReason.STAFF,
            note="We are checking the photos of two reports. This takes a week at most.",
            until=timezone.now() + timedelta(days=7),
        )
        hold_place(artisan_id=artisan.pk, request=request, actor=self.staff)

    def await_return(self, payment: Payment) -> None:
        decisions = {parcel.pk: ParcelDecision.AWAIT_RETURN for parcel in self.parcels(payment)}
        reason = "The buyer sends it back."
        order_parcels_decide(order_id=payment.order_id, decisions=decisions, reason=reason, actor=self.staff)

    def take_back(self, payment: Payment) -> None:
        for parcel in self.parcels(payment):
            parcel_return(parcel_id=parcel.pk, restock=True, actor=self.staff)

    def collect_cash(self, artisan: Artisan) -> None:
        """The artisan keeps the cash and owes the shop its commission, so their balance may be negative."""
        payment = self.place(PaymentMethod.CASH_ON_DELIVERY, artisan)
        [parcel] = self.parcels(payment)
        self.deliver(payment)
        self.receive(payment, "DEMO-CASH-1", parcel_id=parcel.pk, holder=CashHolder.ARTISAN)
        debt_sync((artisan.pk, payment.currency))
