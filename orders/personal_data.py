"""What orders store about a buyer: how it is found, exported and erased (artisans/core/personal_data.py)."""

from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from artisans.core.personal_data import (
    ACTIONS,
    COLLECTORS,
    ERASED,
    ERASED_DOMAIN,
    LEGAL_RECORDS,
    REFUSALS,
    Holding,
    LegalRecord,
    Person,
    is_erased_address,
    register,
)
from artisans.notifications.models import UNSENT, MailState, Notification, mails_of_orders
from artisans.notifications.personal_data import ERASED_COLUMNS
from orders.addresses import address_read
from orders.mails import commission_mail_key
from orders.models import Order, Parcel
from orders.statuses import ORDERS_UNSHIPPED, PARCELS_UNSHIPPED, OrderStatus, ParcelStatus

HAS_ERASED_ADDRESS = Q(email__endswith=f"@{ERASED_DOMAIN}")
UNDER_WAY = (*PARCELS_UNSHIPPED, ParcelStatus.SHIPPED)


def order_address(person: Person, stored: str) -> str:
    """The alias in place of any address: buyers may enter one that is not their account's."""
    return stored if is_erased_address(stored) else person.alias


def country_only(person: Person, stored: Any) -> dict[str, str]:
    country = address_read(stored).get("country", "")
    return {"country": country} if country else {}


def impersonal_check(person: Person, stored: Any) -> dict[str, Any] | None:
    """That the VAT ID was checked, and when, without the name and the address that were found."""
    if not isinstance(stored, dict):
        return None
    return {name: stored.get(name) for name in ("status", "checked_at", "is_decided_by_staff")}


HOLDINGS = (
    Holding(
        "orders.Order",
        "orders",
        lambda person: Q(pk__in=person.of("orders")),
        export=(
            *("id", "order_number", "created_at", "status", "payment_status", "email", "phone"),
            *("company", "vat_id", "vat_id_check"),
            *("shipping_address", "billing_address", "delivery_note", "mailbox_confirmed_at", "currency"),
            *(
                "subtotal_minor",
                "discount_minor",
                "tax_minor",
                "prices_include_tax",
                "shipping_minor",
                "shipping_discount_minor",
                "total_minor",
                "received_minor",
                "refunded_minor",
            ),
        ),
        clear={
            "email": order_address,
            "phone": "",
            "shipping_address": country_only,
            "billing_address": country_only,
            "company": "",
            "vat_id": lambda person, stored: stored and ERASED,  # the constraint of reverse charge needs one
            "vat_id_check": impersonal_check,
            "delivery_note": "",
            "network": "",
        },
        identify=("email", "phone", "shipping_address", "billing_address", "company", "vat_id"),
    ),
    Holding(
        "orders.OrderLine",
        "order_items",
        lambda person: Q(order__in=person.of("orders")),
        export=(
            *("order_id", "product_name", "artisan_name", "quantity", "currency", "unit_price_minor"),
            *("line_total_minor", "discount_minor", "tax_rate_ppm", "tax_name", "tax_minor"),
            *("refunded_quantity", "cancelled_quantity"),
        ),
    ),
    Holding(
        "orders.LineCancellation",
        "cancelled_items",
        lambda person: Q(line__order__in=person.of("orders")),
        export=("line_id", "created_at", "quantity", "currency", "amount_minor", "reason"),
        scrub=("reason", "actor_name"),
    ),
    Holding(
        "orders.Parcel",
        "parcels",
        lambda person: Q(order__in=person.of("orders")),
        export=("order_id", "number", "status", "carrier", "tracking"),
        clear={"tracking": ""},
    ),
    Holding(
        "orders.Shipment",
        "shipments",
        lambda person: Q(parcel__in=person.of("parcels")),
        export=("parcel_id", "number", "carrier", "tracking", "shipped_at"),
        clear={"tracking": ""},
    ),
    Holding(
        "orders.ShipmentCorrection",
        "shipment_corrections",
        lambda person: Q(shipment__parcel__in=person.of("parcels")),
        export=("shipment_id", "created_at", "carrier", "tracking"),
        clear={"tracking": ""},
    ),
    Holding(
        "orders.OrderTransition",
        "order_history",
        lambda person: Q(order__in=person.of("orders")),
        export=("order_id", "at", "old", "new", "cause"),
        scrub=("cause", "actor_name"),
    ),
    Holding(
        "orders.ParcelTransition",
        "parcel_history",
        lambda person: Q(parcel__in=person.of("parcels")),
        export=("parcel_id", "at", "old", "new", "cause"),
        scrub=("cause", "actor_name"),
    ),
    Holding(
        "notifications.Notification",
        "unsent_parcel_emails",
        lambda person: parcel_mails(person, *UNSENT),
        is_deleted=True,
    ),
    Holding(
        "notifications.Notification",
        "parcel_emails",
        lambda person: parcel_mails(person, MailState.SENT),
        clear=ERASED_COLUMNS | {"recipient": lambda person, stored: person.alias},
    ),
)
IMPERSONAL = {
    "orders.Order": {"order_number", "status", "payment_status", "currency", "origin"},
    "orders.OrderLine": {"product_name", "artisan_name", "currency", "tax_name"},
    "orders.Parcel": {
        *("status", "currency", "carrier", "instruction", "shipping_method"),
        *("fee_tax_treatment", "tax_remitter", "payment_fee_bearer"),
    },
    "orders.LineCancellation": {"currency"},
    "orders.Carrier": {"name", "countries", "tracking_url"},
    "orders.Shipment": {"carrier"},
    "orders.ShipmentCorrection": {"carrier"},
    "orders.OrderTransition": {"old", "new"},
    "orders.ParcelTransition": {"old", "new"},
    "orders.StoreRules": {
        *("name", "support_email", "currency", "country", "account_holder", "account_iban", "account_bic"),
        *("account_bank", "check_payee", "check_address"),  # the shop's own
        *("commission_on_refund", "tax_remitter", "payment_fee_bearer", "cash_holder"),
        *("tax_by", "shipping_tax"),
    },
}


def orders_of(person: Person) -> QuerySet[Order]:
    """Orders of the account, and guest orders of the addresses."""
    own = Q(user=person.user_id) if person.user_id else Q()
    guest = Q(user=None, email__in=person.addresses) & person.in_time()
    return Order.objects.filter(own | guest if person.user_id else guest).order_by("created_at")


def find_orders(person: Person) -> Iterable[UUID]:
    return orders_of(person).values_list("pk", flat=True)


def find_order_numbers(person: Person) -> Iterable[str]:
    return orders_of(person).values_list("order_number", flat=True)


def find_order_emails(person: Person) -> Iterable[str]:
    return orders_of(person).order_by("email").values_list("email", flat=True).distinct()


def find_parcels(person: Person) -> Iterable[UUID]:
    return Parcel.objects.filter(Q(order__in=person.of("orders"))).values_list("pk", flat=True)


def find_parcel_mails(person: Person) -> Iterable[UUID]:
    """Emails about the parcels and the commission of the person as an artisan, to whatever address their page had then:
    their keys have the parcel's or the artisan's."""
    for artisan_id in person.of("artisans"):
        mails = Notification.objects.filter(dedupe_key__startswith=commission_mail_key(artisan_id))
        yield from mails.values_list("pk", flat=True)
    parcels = dict(
        Parcel.objects.filter(Q(artisan__in=person.of("artisans"))).values_list("pk", "order__order_number")
    )
    if not parcels:
        return
    own = set(map(str, parcels))
    about_orders = mails_of_orders(set(parcels.values())).values_list("pk", "dedupe_key")
    yield from (pk for pk, key in about_orders if own.intersection(key.split(":")[1:2]))


def parcel_mails(person: Person, *states: str) -> Q:
    return Q(pk__in=person.of("parcel_emails"), state__in=states)


def order_links_revoke(person: Person) -> None:
    """Once per order: until its address is replaced."""
    orders = Order.objects.filter(Q(pk__in=person.of("orders"))).exclude(HAS_ERASED_ADDRESS)
    orders.update(token_version=F("token_version") + 1)


def buyer_refusals(person: Person) -> Iterator[str]:
    orders = Order.objects.filter(Q(pk__in=person.of("orders")))
    under_way = Parcel.objects.filter(Q(order__in=person.of("orders")), status__in=UNDER_WAY).values("order")
    for order in orders.exclude(status=OrderStatus.DELIVERED).order_by("created_at"):
        number = {"number": order.order_number}
        if order.status == OrderStatus.PENDING:
            yield _("Order %(number)s is not paid yet. Pay it, cancel it, or wait until it expires.") % number
        elif order.status in ORDERS_UNSHIPPED:
            yield _("Order %(number)s is being prepared.") % number
    for order in orders.filter(pk__in=under_way, status__in=[OrderStatus.SHIPPED, OrderStatus.DELIVERED]):
        yield _("A parcel of order %(number)s is on its way.") % {"number": order.order_number}
    for order in orders:
        if order.refund_due:
            yield _("A refund for order %(number)s is due.") % {"number": order.order_number}


def artisan_refusals(person: Person) -> Iterator[str]:
    """Parcels that the person still has to ship as an artisan."""
    parcels = Parcel.objects.filter(Q(artisan__in=person.of("artisans")), status__in=UNDER_WAY)
    for number in parcels.order_by("order__created_at").values_list("order__order_number", flat=True):
        yield _("The artisan’s parcel of order %(number)s is not delivered yet.") % {"number": number}


def invoice_records(person: Person) -> Iterator[LegalRecord]:
    """The buyer as named on invoices: name and address of each order for which money was received."""
    paid = Order.objects.filter(Q(pk__in=person.of("orders")), received_minor__gt=0)
    for order in paid.exclude(HAS_ERASED_ADDRESS).order_by("created_at"):
        content = {"order_number": order.order_number, "billing_address": order.billing_address}
        if order.vat_id:
            names = ("company", "vat_id", "vat_id_check")
            content |= {name: getattr(order, name) for name in names}
        paid_on = timezone.localdate(order.paid_at or order.created_at)
        yield LegalRecord(f"orders.Order:{order.pk}", content, paid_on)


register(*HOLDINGS, impersonal=IMPERSONAL)
COLLECTORS.update(
    {
        "orders": find_orders,
        "order_numbers": find_order_numbers,
        "order_emails": find_order_emails,
        "parcels": find_parcels,
        "parcel_emails": find_parcel_mails,
    }
)
REFUSALS.extend([buyer_refusals, artisan_refusals])
ACTIONS.append(order_links_revoke)
LEGAL_RECORDS.append(invoice_records)
