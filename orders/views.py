"""Pages for artisans: their parcels, once they may be shipped. For buyers: the addresses that are filled in."""

from collections.abc import Iterable
from contextlib import suppress
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from artisans.accounts.principals import require_user
from artisans.catalog.access import require_artisan
from artisans.catalog.services import units_restocked
from artisans.core.errors import DomainError, IllegalTransition, InvalidInput
from artisans.core.models import save_columns
from orders.addresses import address_read
from orders.forms import CarrierForm, ShipForm
from orders.models import Parcel
from orders.parcel_display import ParcelDisplay, load_cancellations, load_displays, load_slips, status_text
from orders.parcel_lists import ParcelList, parcel_next, parcels_found, parcels_listed
from orders.selectors import last_addressed_order, parcels_of_artisan, store_rules
from orders.services.parcels import (
    parcel_deliver,
    parcel_report_cash,
    parcel_ship,
    parcel_start,
    shipment_correct,
)
from orders.shipments import Progress, progress_of, shipments_of

MOST_SLIPS = 50


@login_required
@require_GET
def parcel_list(request: HttpRequest) -> HttpResponse:
    artisan = require_artisan(request)
    chosen, term = request.GET.get("filter", ""), request.GET.get("q", "")[:60]
    if chosen not in ParcelList.values:
        chosen = ParcelList.ALL if term else ParcelList.TO_SHIP
    parcels = parcels_listed(parcels_found(parcels_of_artisan(artisan), term), chosen)
    page = Paginator(parcels, 20).get_page(request.GET.get("page"))
    lines = {parcel.pk: list(parcel.lines.all()) for parcel in page}
    context = {
        "page_obj": page,
        "displays": load_displays(list(page), lines),
        "filter": chosen,
        "filters": ParcelList.choices,
        "q": term,
    }
    return render(request, "orders/parcel_list.html", context)


@login_required
@require_GET
def next_parcel(request: HttpRequest) -> HttpResponse:
    """Leads to the parcel to do first; `?after=` names the one that was just open."""
    artisan = require_artisan(request)
    own = parcels_of_artisan(artisan)
    after = own.filter(pk__in=keys_in([request.GET.get("after", "")])).first()
    if parcel := parcel_next(own, after=after):
        return redirect("orders:parcel", parcel_id=parcel.pk)
    messages.info(request, _("No other parcel is waiting to be shipped."))
    return redirect("orders:parcel_list")


@login_required
@require_GET
def packing_slips(request: HttpRequest) -> HttpResponse:
    """A page per parcel for the printer: `?parcel=` for each; with `shipment=` what is in that shipment."""
    artisan = require_artisan(request)
    asked = keys_in(request.GET.getlist("parcel")[:MOST_SLIPS])
    parcels = list(parcels_of_artisan(artisan).filter(pk__in=asked))
    if not parcels:
        messages.info(request, _("Choose the parcels whose packing slips you want to print."))
        return redirect("orders:parcel_list")
    slips = load_slips(parcels, shipment=request.GET.get("shipment", ""))
    printed = {slip.parcel.pk for slip in slips}
    if left_out := [parcel for parcel in parcels if parcel.pk not in printed]:
        orders = [f"{one.order.order_number} ({status_text(one, Progress())})" for one in left_out]
        text = _("No packing slip, because it must not be packed now: %(orders)s.")
        messages.warning(request, text % {"orders": ", ".join(orders)})
    if not slips:
        return redirect("orders:parcel_list")
    return render(request, "orders/packing_slips.html", {"slips": slips})


def keys_in(texts: Iterable[str]) -> list[UUID]:
    """The keys among these texts."""
    keys = []
    for text in texts:
        with suppress(ValueError):
            keys.append(UUID(text))
    return keys


@login_required
@require_http_methods(["GET", "POST"])
def parcel_detail(request: HttpRequest, parcel_id: UUID) -> HttpResponse:
    parcel = get_object_or_404(parcels_of_artisan(require_artisan(request)), pk=parcel_id)
    lines = list(parcel.lines.all())
    progress = progress_of(lines)
    display = ParcelDisplay(
        parcel,
        lines,
        units_restocked([line.pk for line in lines]),
        progress,
        load_cancellations(lines).get(parcel.pk, ()),
    )
    form = ShipForm(
        request.POST if "ship" in request.POST else None,
        initial={"seen": len(display.shipments)},
        countries=countries_of(parcel),
        lines=lines,
        progress=progress,
    )
    if request.method == "POST" and handle_action(request, parcel, form):
        return redirect("orders:parcel", parcel_id=parcel.pk)
    context = {
        "parcel": parcel,
        "display": display,
        "address_lines": parcel.order.shipping_address_lines,
        "form": form,
    }
    return render(request, "orders/parcel_detail.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def shipment_detail(request: HttpRequest, parcel_id: UUID, number: int) -> HttpResponse:
    """Correct the carrier or the tracking number of a shipment."""
    parcel = get_object_or_404(parcels_of_artisan(require_artisan(request)), pk=parcel_id)
    shipment = next((one for one in shipments_of(parcel) if one.number == number), None)
    if shipment is None:
        raise Http404
    initial = {
        "carrier": shipment.carrier,
        "tracking": shipment.tracking,
        "seen": shipment.corrections.count(),
    }
    form = CarrierForm(request.POST or None, initial=initial, countries=countries_of(parcel))
    if request.method == "POST" and form.is_valid():
        try:
            shipment_correct(
                parcel_id=parcel.pk, number=number, actor=require_user(request), **form.cleaned_data
            )
        except DomainError as error:
            form.add_error(None, error.detail)
        else:
            messages.success(request, _("Saved."))
            return redirect("orders:parcel", parcel_id=parcel.pk)
    context = {"parcel": parcel, "shipment": shipment, "form": form}
    return render(request, "orders/shipment_correct.html", context)


def countries_of(parcel: Parcel) -> set[str]:
    """Where carriers of this parcel may work: the shop's country and the buyer's."""
    return {store_rules().country, address_read(parcel.order.shipping_address).get("country", "")}


@login_required
@require_http_methods(["GET", "POST"])
def address_page(request: HttpRequest) -> HttpResponse:
    """The addresses that are filled in at the next checkout. POST has them forgotten."""
    user = require_user(request)
    if request.method == "POST":
        user.addresses_forgotten_at = timezone.now()
        save_columns(user, ["addresses_forgotten_at"])
        messages.success(request, _("Your addresses will not be filled in at your next checkout."))
        return redirect("orders:address")
    return render(request, "orders/address.html", {"last": last_addressed_order(user)})


def handle_action(request: HttpRequest, parcel: Parcel, form: ShipForm) -> bool:
    """Perform the action of the submitted button. Returns whether to redirect."""
    if "ship" in request.POST and not form.is_valid():
        return False
    try:
        if done := perform(request, parcel, form):
            messages.success(request, done)
    except IllegalTransition:
        parcel.refresh_from_db(fields=["status"])
        status = parcel.get_status_display().lower()
        messages.error(request, _("This parcel is %(status)s. Nothing was changed.") % {"status": status})
    except InvalidInput as error:
        form.add_error(None, error.detail)
        return False
    except DomainError as error:
        messages.error(request, error.detail)
    return True


def perform(request: HttpRequest, parcel: Parcel, form: ShipForm) -> str:
    """Returns what was done; empty for an unknown button. Errors: those of the services."""
    actor = require_user(request)
    if "ship" in request.POST:
        names = ("carrier", "tracking", "seen")
        shipment = {name: form.cleaned_data[name] for name in names}
        parcel_ship(parcel_id=parcel.pk, units=form.units, actor=actor, **shipment)
        return _("Marked as shipped. We will email the buyer.")
    if "start" in request.POST:
        parcel_start(parcel_id=parcel.pk, actor=actor)
        return _("Marked as started. The buyer can no longer cancel it.")
    if "deliver" in request.POST:
        parcel_deliver(parcel_id=parcel.pk, actor=actor)
        return _("Marked as delivered.")
    if "report_cash" in request.POST:
        parcel_report_cash(parcel_id=parcel.pk, actor=actor)
        return _("Thank you. Our staff will now record the payment.")
    return ""
