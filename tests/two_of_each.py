"""At least two rows of every model that has constraints or a page in the admin."""

from datetime import date, timedelta

from allauth.account.models import EmailAddress
from django.test import override_settings
from django.utils import timezone

from artisans.accounts.models import User
from artisans.accounts.principals import Principal
from artisans.approvals.models import ApprovalRequest
from artisans.catalog.models import (
    Application,
    ApplicationEvent,
    ArtisanInvitation,
    ArtisanMember,
    ArtisanStateChange,
    CommissionRate,
    Product,
    ProductPicture,
    ProductPrice,
    StockImport,
    StockWatch,
    Terms,
    TermsAcceptance,
)
from artisans.catalog.tests.factories import ProductFactory
from artisans.core.idempotency.keys import KeyClaim, key_claim
from artisans.core.money import Money
from artisans.earnings.models import Debt, Hold, Settlement
from artisans.earnings.settlements import settlement_book
from artisans.exports.models import Export, ExportChunk
from artisans.figures.models import CountedDay
from artisans.journeys.models import Journey, JourneyProblem
from artisans.ledger.models import LedgerAccount, LedgerCheckpoint, LedgerPeriod
from artisans.privacy.models import Erasure, LockedRecord
from artisans.regions.models import (
    ExchangeRate,
    RateSheet,
    ShopCurrency,
    TaxClass,
    TaxRate,
    TaxZone,
    TaxZoneArea,
)
from artisans.shipping.models import ShippingMethod, ShippingRate, ShippingZone, ShippingZoneArea
from artisans.tax_ids.models import TaxId, TaxIdNotice
from carts.models import Cart
from carts.services import cart_items_add, cart_open
from orders.models import Order, StoreRules
from orders.services.parcels import parcel_ship, shipment_correct
from orders.statuses import CashHolder
from payments.bookkeeping.fraud_warnings import fraud_warning_record
from payments.bookkeeping.movements import movements_record
from payments.lifecycle.cancel_and_expire import parcel_cannot_deliver
from payments.lifecycle.cash import IncomingMoney
from payments.lifecycle.cash_deposits import cash_deposit_record
from payments.lifecycle.choose_method import payment_choose_method
from payments.lifecycle.receipt_reversals import receipt_reverse
from payments.methods import PaymentMethod
from payments.models import (
    Payment,
    PaymentMethodInfo,
    ProviderAlert,
    ProviderCustomer,
    ProviderRequest,
    Receipt,
    ReconciliationRun,
    ReversalReason,
    WebhookEvent,
    WebhookRefusal,
)
from payments.providers.contract import MovementKind, RemoteDispute, RemoteDisputeStatus, RemoteMovement
from payments.refunds.staff import refund_open
from payments.tests.factories import (
    apply_card_captures,
    give_back,
    record,
    remote_refund_of,
    start,
    unit_selection,
)
from tests import rows


def make_two_of_each() -> None:
    shopper, staff, bowl, scarf = rows.shopper(), rows.staff(), rows.bowl(), rows.scarf()
    type(shopper).objects.filter(pk=staff.pk).update(name=shopper.email.upper())
    type(shopper).objects.filter(pk=shopper.pk).update(name=shopper.email)
    payment = start(items={bowl: 1, scarf: 1}, user=shopper)
    for reference in ("STMT-1", "STMT-2"):
        record(payment, "10.00", actor=staff, reference=reference)
    for reference in ("OUT-1", "OUT-2"):
        give_back(payment, "1.00", actor=staff, reference=reference)
    record(payment, "1.00", actor=staff, reference="STMT-3")
    receipt_reverse(
        receipt_id=Receipt.objects.get(bank_reference="STMT-3").pk,
        reason=ReversalReason.MISTAKE,
        actor=staff,
    )
    StoreRules.objects.update(cash_limit_minor=50_000)
    rows_of_cash(start(PaymentMethod.CASH_ON_DELIVERY, {bowl: 1, scarf: 3}, user=shopper), staff)
    payment_choose_method(order_id=payment.order_id, method=PaymentMethod.CHECK, actor=shopper)
    mine = Principal(user=shopper)
    old, *_ = cart_open(mine)
    cart_items_add(principal=mine, cart_id=old.pk, adds={bowl.pk: 1, scarf.pk: 1})
    Cart.objects.filter(pk=old.pk).update(status="ORDERED", order=payment.order)
    cart_open(mine)
    for key in ("key-1", "key-2"):
        key_claim(
            KeyClaim(
                principal=f"user:{shopper.pk}", route="POST api_order-list", key=key, fingerprints=("0",)
            )
        )
    with override_settings(STRIPE_SECRET_KEY="sk_test_of_nobody"):
        rows_of_a_provider(
            start(PaymentMethod.CREDIT_CARD, {bowl: 1, scarf: 1}, user=shopper), shopper, staff
        )
    now = timezone.now()
    ReconciliationRun.objects.create(provider="stripe", since=now - timedelta(days=1), until=now)
    rows_of_staff(staff)
    for month in (1, 2):
        period = LedgerPeriod.objects.create(
            first_day=date(2020, month, 1),
            last_day=date(2020, month, 28),
            open_from=date(2020, month + 1, 1),
            closed_by=staff,
            trial_balance=[],
        )
        account = LedgerAccount.objects.order_by("pk")[0]
        LedgerCheckpoint.objects.create(
            account=account, period=period, currency="USD", balance_minor=0, last_posting=0
        )
        CommissionRate.objects.create(currency="USD", valid_from=now + timedelta(days=month))
    rows_about_artisans(payment.order, staff)
    rows_of_checkouts()
    EmailAddress.objects.create(user=shopper, email=shopper.email)
    for part in ("disputes", "refunds"):
        ProviderAlert.objects.create(provider="stripe", part=part)


def rows_of_checkouts() -> None:
    for cart in Cart.objects.order_by("pk")[:2]:
        at = timezone.now()
        journey = Journey.objects.create(
            cart_id=cart.pk, channel="page", currency="USD", started_at=at, last_at=at
        )
        CountedDay.objects.create(
            family="orders", day=date(2020, 1, CountedDay.objects.count() + 1), counted_at=at, milliseconds=0
        )
        JourneyProblem.objects.create(
            journey=journey, channel="page", step="details", kind="form", code="city", at=at
        )


def rows_of_staff(staff: User) -> None:
    """Requests that need a second person, erasures, and exports."""
    rows_of_exports(staff)
    now = timezone.now()
    for kind in ("one", "two"):
        ApprovalRequest.objects.create(
            kind=kind,
            target="shop",
            details="[]",
            payload="{}",
            requested_by=staff,
            expires_at=now + timedelta(days=1),
        )
    for digest in ("a", "b"):
        erasure = Erasure.objects.create(
            source="staff", alias=f"{digest}@erased.invalid", address_hash=digest
        )
        LockedRecord.objects.create(
            erasure=erasure, target=f"orders.Order:{digest}", content="{}", kept_until=now
        )


def rows_of_cash(cash: Payment, staff: User) -> None:
    """A shipment and a deposit for each parcel, and two units that cannot be delivered."""
    rows.carriers()
    scarves = cash.order.lines.get(quantity=3)
    for _ in range(2):
        parcel_cannot_deliver(
            parcel_id=scarves.parcel_id, reason="torn", actor=staff, units={scarves.pk: 1}, restock=False
        )
    for parcel in cash.order.parcels.all():
        parcel_ship(parcel_id=parcel.pk, carrier="USPS", tracking=f"T-{parcel.number}", actor=staff)
        shipment_correct(parcel_id=parcel.pk, number=1, carrier="USPS", tracking="", actor=staff)
        due = parcel.total - parcel.cancelled
        receipt = record(cash, due, actor=staff, parcel_id=parcel.pk, holder=CashHolder.COURIER)
        cash_deposit_record(
            receipt_ids=[receipt.pk],
            holder=CashHolder.COURIER,
            money=IncomingMoney(due, timezone.localdate(), f"D-{parcel.number}"),
            actor=staff,
        )


def rows_about_artisans(order: Order, staff: User) -> None:
    """Holds, debts and files of counts of two artisans, what they paid; variants and pictures of a product."""
    for position in (1, 2):
        ProductPicture.objects.create(
            product=rows.bowl(), position=position, state="ready", file="products/x.jpg", digest=f"{position}"
        )
    vase = ProductFactory.create(artisan=rows.bowl().artisan, option_1="Size", stock=0)
    for size in ("Small", "Large"):
        ProductFactory.create(
            parent=vase, artisan=vase.artisan, category=vase.category, option_1=size, stock=0
        )
    for product in (rows.bowl(), rows.scarf()):
        Hold.objects.create(
            artisan=product.artisan,
            currency="USD",
            amount_minor=0,
            stops_releases=True,
            reason="reserve",
            order=order,
            until=timezone.now(),
        )
        debt = Debt.objects.create(artisan=product.artisan, currency="USD")
        settlement = Settlement.objects.create(
            debt=debt,
            means="bank",
            currency="USD",
            amount_minor=100,
            value_date=timezone.localdate(),
            reference=f"S-{product.pk}",
            reference_key=f"s{product.pk.hex}",
            actor=staff,
        )
        settlement_book(settlement.pk)
        StockWatch.objects.create(product=product, threshold=1)
        ArtisanMember.objects.create(
            artisan=product.artisan, user=rows.user(f"of-{product.slug}@example.test"), role="helper"
        )
        ArtisanInvitation.objects.create(
            artisan=product.artisan,
            email=f"to-{product.slug}@example.test",
            role="helper",
            invited_by=product.artisan.user,
            expires_at=timezone.now(),
        )
        of_regions(product)
        of_tax_ids(product, staff)
        terms = Terms.objects.create(number=Terms.objects.count() + 1, text="Be kind.")
        TermsAcceptance.objects.create(artisan=product.artisan, terms=terms, user=product.artisan.user)
        ArtisanStateChange.objects.create(artisan=product.artisan, old="active", new="suspended")
        application = Application.objects.create(artisan=product.artisan)
        ApplicationEvent.objects.create(application=application, status="draft")
        made = StockImport.objects.create(
            artisan=product.artisan, made_by=product.artisan.user, cause="counted", started_at=timezone.now()
        )
        for line, counted in enumerate((rows.bowl(), rows.scarf())):
            made.rows.create(
                line=line, product=counted, counted=1, seen_stock=1, last_count=0, outcome="unchanged"
            )


def of_regions(product: Product) -> None:
    """A currency with a price and its rates, a zone with a tax rate, and one with a shipping method."""
    code, country = ("JPY", "JP") if product.slug == rows.bowl().slug else ("HUF", "HU")
    now = timezone.now()
    sheet = RateSheet.objects.create(
        source="ecb", base="EUR", valid_on=now - timedelta(days=RateSheet.objects.count()), sha256=code
    )
    ExchangeRate.objects.bulk_create(
        ExchangeRate(sheet=sheet, currency=c, rate_e10=10**10) for c in ("JPY", "HUF")
    )
    ShopCurrency.objects.create(code=code)
    ProductPrice.objects.create(
        product=product, currency=code, price_minor=100, origin="converted", sheet=sheet, from_minor=100
    )
    zone = TaxZone.objects.create(name=country)
    TaxZoneArea.objects.create(zone=zone, country=country)
    tax_class = TaxClass.objects.create(code=country.lower(), name=country)
    TaxRate.objects.create(zone=zone, tax_class=tax_class, rate_ppm=100_000, valid_from=now)
    shipping = ShippingZone.objects.create(name=country)
    ShippingZoneArea.objects.create(zone=shipping, country=country)
    method = ShippingMethod.objects.create(zone=shipping, name="Standard")
    ShippingMethod.objects.create(zone=shipping, artisan=product.artisan, name="Own", charged_per="parcel")
    ShippingRate.objects.create(method=method, currency=code, price_minor=500)


def of_tax_ids(product: Product, staff: User) -> None:
    """A VAT ID on which staff have decided, with a buyer who waits for it."""
    value = "DE136695976" if product.slug == rows.bowl().slug else "DE100001999"
    tax_id = TaxId.objects.create(
        value=value,
        country="DE",
        status="verified",
        checked_at=timezone.now(),
        decided_by=staff,
        reason="Called them.",
    )
    for email in ("first@example.test", "second@example.test"):
        TaxIdNotice.objects.create(tax_id=tax_id, email=email)


def rows_of_a_provider(card: Payment, shopper: User, staff: User) -> None:
    """A card payment with captures, a refund of two lines and shipping, disputes and flags; saved cards; messages."""
    apply_card_captures(card)
    both = unit_selection(*((line, 1) for line in card.order.lines.all()), shipping=True, restock=True)
    sent = refund_open(payment_id=card.pk, reason="broken", actor=staff, items=both)
    disputes = [RemoteDispute(f"du_{n}", Money(100, "USD"), RemoteDisputeStatus.OPEN) for n in (1, 2)]
    apply_card_captures(card, refunds=(remote_refund_of(sent),), disputes=tuple(disputes))
    apply_card_captures(card, amount=Money(1, "USD"))  # not ours: flagged
    movements_record(
        "stripe",
        [
            RemoteMovement(
                f"txn_{capture.provider_capture_id}",
                MovementKind.PAYMENT,
                "charge",
                capture.amount,
                Money(30, "USD"),
                timezone.now(),
                capture.provider_capture_id,
            )
            for capture in card.captures.all()
        ],
    )
    hour = timezone.now()
    for n, user in enumerate((shopper, staff)):
        ProviderCustomer.objects.create(user=user, provider="stripe", customer_id=f"cus_{n}")
        PaymentMethodInfo.objects.create(
            user=shopper,
            payment_method="credit_card",
            provider="stripe",
            provider_method_id=f"pm_{n}",
            card_last_four="4242",
            consented_at=timezone.now(),
        )
        ProviderRequest.objects.create(
            provider="stripe",
            operation="GET /v1/charges",
            started_at=timezone.now(),
            duration_ms=80,
            outcome="answered",
            status_code=200,
        )
        WebhookEvent.objects.create(provider="stripe", event_id=f"evt_{n}", kind="x", content={})
        fraud_warning_record(payment=card, warning_id=f"issfr_{n}", fraud_type="misc", warned_at=None)
        WebhookRefusal.objects.create(provider="stripe", reason=f"reason_{n}", hour=hour, count=1)


def rows_of_exports(staff: User) -> None:
    now = timezone.now()
    facts = {"list_name": "admin:orders.order", "chosen": ["id"], "file_format": "csv", "sha256": "0"}
    for _ in range(2):
        export = Export.objects.create(owner=staff, as_of=now, finished_at=now, **facts)
    for position in range(2):
        ExportChunk.objects.create(export=export, position=position, content=b"")
