"""Artisans' actions on parcels that affect money."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from artisans.accounts.principals import require_user
from artisans.core.errors import DomainError
from orders.selectors import parcels_of_artisan
from payments.lifecycle.parcels import parcel_return


@login_required
@require_POST
def parcel_returned(request: HttpRequest, parcel_id: UUID) -> HttpResponse:
    parcel = get_object_or_404(parcels_of_artisan(require_user(request)), pk=parcel_id)
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
