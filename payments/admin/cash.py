"""Cash on delivery by parcel: what is outstanding, and who holds what was recorded."""

from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import Http404, HttpRequest
from django.utils.translation import gettext

from artisans.accounts.models import User
from artisans.core.admin.pages import admin_page_url
from artisans.core.errors import DomainError
from artisans.core.money import Money
from artisans.core.templatetags.money import show
from orders.models import Parcel
from payments.lifecycle.cash import check_did_not_report, parcel_cash_check
from payments.methods import PaymentMethod
from payments.models import Payment, Receipt

WHOLE_ORDER = "all"  # the value of `?parcel=` on the page that records a payment


@dataclass(frozen=True, slots=True)
class CashRow:
    """`held`: each amount recorded, with who has it. `address`: the page that records the rest; "" if there is none."""

    parcel: Parcel
    due: Money
    held: list[str]
    address: str


def cash_rows(payment: Payment) -> list[CashRow]:
    """One for each parcel of an order with cash on delivery, in two queries; none for other payments."""
    if payment.payment_method != PaymentMethod.CASH_ON_DELIVERY:
        return []
    receipts: dict[object, list[Receipt]] = {}
    for receipt in payment.receipts.filter(parcel__isnull=False, reversal=None).order_by("created_at"):
        receipts.setdefault(receipt.parcel_id, []).append(receipt)
    rows = []
    for parcel in payment.order.parcels.select_related("artisan").order_by("number"):
        parcel.order = payment.order
        held = [describe_holder(receipt) for receipt in receipts.get(parcel.pk, [])]
        address = record_url(payment, str(parcel.pk)) if parcel.cash_due and payment.is_open else ""
        rows.append(CashRow(parcel, parcel.cash_due, held, address))
    return rows


def cash_refusal(parcel: Parcel, user: User) -> str:
    """Why this user cannot record cash for the parcel; "" if they can."""
    try:
        check_did_not_report(user, [parcel])
        parcel_cash_check(parcel, parcel.cash_due)
    except DomainError as error:
        return error.detail
    return ""


def describe_holder(receipt: Receipt) -> str:
    return f"{show(receipt.amount)}: {receipt.get_holder_display()}"


def record_url(payment: Payment, parcel: str) -> str:
    return f"{admin_page_url(payment, 'record')}?{urlencode({'parcel': parcel})}"


def chosen_parcel(request: HttpRequest, rows: list[CashRow]) -> Parcel | None:
    """The parcel for which the page records cash: by its address, or the only one that is outstanding.

    None for the whole order. Errors: Http404 for a parcel of another order.
    """
    key = request.GET.get("parcel", "")
    if key == WHOLE_ORDER:
        return None
    if not key:
        due = [row.parcel for row in rows if row.address]
        return due[0] if len(due) == 1 and len(rows) == 1 else None
    found = next((row.parcel for row in rows if str(row.parcel.pk) == key), None)
    if found is None:
        raise Http404(gettext("This parcel does not belong to the order."))
    return found
