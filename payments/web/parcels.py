"""Artisans' actions on parcels that affect money."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from artisans.accounts.principals import require_user
from artisans.catalog.access import require_artisan
from artisans.core.errors import DomainError, IllegalTransition
from orders.forms import CannotDeliverForm
from orders.selectors import parcels_of_artisan
from orders.shipments import progress_of
from orders.statuses import ParcelStatus
from payments.lifecycle.cancel_and_expire import parcel_cannot_deliver
from payments.lifecycle.parcels import parcel_return


@login_required
@require_POST
def parcel_returned(request: HttpRequest, parcel_id: UUID) -> HttpResponse:
    parcel = get_object_or_404(parcels_of_artisan(require_artisan(request)), pk=parcel_id)
    restock = request.POST.get("restock")
    if restock not in {"yes", "no"}:
        messages.error(request, _("Choose whether the items can be sold again. Nothing was changed."))
        return redirect("orders:parcel", parcel_id=parcel.pk)
    try:
        parcel_return(parcel_id=parcel.pk, restock=restock == "yes", actor=require_user(request))
    except DomainError as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, _("Return recorded. We will email the buyer."))
    return redirect("orders:parcel", parcel_id=parcel.pk)


@login_required
@require_http_methods(["GET", "POST"])
def parcel_undeliverable(request: HttpRequest, parcel_id: UUID) -> HttpResponse:
    """Cancel a parcel, or units of it, that the artisan cannot ship; what was paid for them is then listed for staff as
    a refund due."""
    parcel = get_object_or_404(parcels_of_artisan(require_artisan(request)), pk=parcel_id)
    lines = list(parcel.lines.all())
    form = CannotDeliverForm(request.POST or None, lines=lines, progress=progress_of(lines))
    if request.method == "POST" and form.is_valid():
        try:
            parcel = parcel_cannot_deliver(
                parcel_id=parcel.pk,
                reason=form.cleaned_data["reason"],
                units=form.units,
                restock=form.cleaned_data["restock"] == "yes",
                seen=form.cleaned_data["seen"],
                actor=require_user(request),
            )
        except IllegalTransition:
            parcel.refresh_from_db(fields=["status"])
            status = parcel.get_status_display().lower()
            form.add_error(None, _("This parcel is %(status)s. Nothing was changed.") % {"status": status})
        except DomainError as error:
            form.add_error(None, error.detail)
        else:
            done = _("The parcel was cancelled. We will email the buyer.")
            if parcel.status != ParcelStatus.CANCELLED:
                done = _("The items were cancelled. We will email the buyer.")
            messages.success(request, done)
            return redirect("orders:parcel", parcel_id=parcel.pk)
    return render(request, "orders/parcel_undeliverable.html", {"parcel": parcel, "form": form})
