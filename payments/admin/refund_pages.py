"""Pages of a payment at a provider: refund it, and sync it with the provider."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext

from artisans.accounts.principals import require_user
from artisans.approvals.models import ApprovalRequest
from artisans.core.admin.pages import PagesAdmin, posted
from artisans.core.money import Money
from artisans.core.templatetags.money import show
from orders.models import Order, Parcel
from orders.statuses import PARCELS_ENDED
from payments.admin.approvals import awaiting_approval
from payments.admin.forms_refund import RefundForm
from payments.admin.tables import refund_rows
from payments.approvals import refund_submit
from payments.bookkeeping.refund_amounts import remaining_shipping
from payments.models import Payment, PaymentRefund
from payments.refunds.staff import payment_sync_by_staff, refund_send
from payments.selectors import refund_due
from payments.statuses import DisputeStatus, RefundStatus

if TYPE_CHECKING:
    Base = PagesAdmin
else:
    Base = object


class RefundPages(Base):
    """Mixed into the admin of payments."""

    if TYPE_CHECKING:

        def about(
            self,
            request: HttpRequest,
            payment: Payment,
            permission: str,
            *,
            is_manual: bool = True,
        ) -> dict[str, Any]: ...

    def refund_page(self, request: HttpRequest, payment: Payment) -> HttpResponse:
        order, user = payment.order, require_user(request)
        owed = Money(refund_due(order, payment), payment.currency)
        shipping = remaining_shipping(order)
        form = RefundForm(
            posted(request),
            payment=payment,
            suggested=owed or payment.refundable,
            lines=list(order.lines.all()),
            shipping=shipping,
            parcels=parcels_to_decide(order),
        )

        def refund(data: dict[str, Any]) -> str:
            opened = refund_submit(
                payment_id=payment.pk,
                reason=data["reason"],
                actor=user,
                amount=data["amount"],
                items=data["items"],
                parcels=data["parcels"],
                seen_minor=data["seen"],
                borne_by=data["borne_by"],
            )
            if isinstance(opened, ApprovalRequest):
                return awaiting_approval(opened)
            return describe_refund(refund_send(opened))

        about = self.about(request, payment, "payments.refund", is_manual=False)
        return self.run_action(
            request,
            "admin/payments/payment/refund.html",
            payment,
            form,
            refund,
            **about | {"refusal": about["refusal"] or refund_unavailable_reason(payment)},
            owed=owed,
            refunds=refund_rows([payment], user),
        )

    def sync_page(self, request: HttpRequest, payment: Payment) -> HttpResponse:
        def sync(data: dict[str, Any]) -> str:
            found = payment_sync_by_staff(payment_id=payment.pk, actor=require_user(request))
            provider = payment.get_payment_provider_display()
            message = gettext("Synced with %(provider)s. Payment status: %(status)s.")
            return message % {"provider": provider, "status": found.get_status_display()}

        refusal = "" if payment.is_remote else gettext("Offline payments have no provider to sync with.")
        return self.run_action(
            request,
            "admin/payments/payment/sync.html",
            payment,
            forms.Form(posted(request)),
            sync,
            payment=payment,
            order=payment.order,
            refusal=refusal,
        )


def parcels_to_decide(order: Order) -> list[Parcel]:
    """Active parcels of an order that was released for shipping."""
    if order.released_at is None:
        return []
    return list(order.parcels.exclude(status__in=PARCELS_ENDED).select_related("artisan"))


def refund_unavailable_reason(payment: Payment) -> str:
    if payment.disputes.filter(status=DisputeStatus.OPEN).exists():
        return gettext("This payment is disputed. Respond to the dispute in the provider’s dashboard first.")
    return "" if payment.refundable else gettext("This payment has been fully refunded.")


def describe_refund(refund: PaymentRefund) -> str:
    """The state of a refund, as a message for the user who started it."""
    payment = refund.payment
    provider, email = payment.get_payment_provider_display(), payment.order.email
    facts = {
        "number": refund.refund_number,
        "amount": show(refund.amount),
        "provider": provider,
        "email": email,
        "reason": refund.failure_reason,
    }
    if refund.status == RefundStatus.COMPLETED:
        text = gettext("Refund %(number)s of %(amount)s was sent by %(provider)s; %(email)s gets an email.")
    elif refund.status == RefundStatus.PROCESSING:
        text = gettext(
            "Refund %(number)s of %(amount)s is pending at %(provider)s; %(email)s gets an email when it completes."
        )
    elif refund.status == RefundStatus.FAILED:
        text = gettext(
            "Refund %(number)s of %(amount)s failed: %(reason)s. Nothing was sent; the amount is refundable again."
        )
    else:
        text = gettext(
            "%(provider)s has not responded yet. Refund %(number)s of %(amount)s is retried automatically; do not "
            "start it again."
        )
    return text % facts
