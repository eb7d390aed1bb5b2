"""Zones, tax rates and shipping methods, as staff and artisans write them. Every change is in the audit log.

Areas are lines of text: "DE", "US OR", "GB: BT" (postal codes that start with BT), "US OR: 97", and "*" for
everywhere else.
Prices of a method too: "USD 5.99", "USD 0 from 50.00", "USD 12.00 from 2000 g", "USD 7.00 from 2000 g and 50.00".
"""

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from artisans.accounts.models import User
from artisans.approvals.services import approval_request
from artisans.audit.services import Action, audit_record
from artisans.core.errors import Conflict, Forbidden, InvalidInput, NotFound
from artisans.core.models import get_or_none
from artisans.core.money import CURRENCIES, Money, percent_text
from artisans.regions.currencies import check_steps
from artisans.regions.models import (
    LONGEST_PREFIX,
    Area,
    TaxClass,
    TaxRate,
    TaxZone,
    TaxZoneArea,
    normalize_postal_code,
)
from artisans.shipping.models import ShippingMethod, ShippingRate, ShippingZone, ShippingZoneArea
from orders.address_rules import country_error
from orders.countries import rules_for
from orders.selectors import store_rules

EVERYWHERE = "*"
KIND = "tax_rate"
PERMISSION = "regions.add_taxrate"
MAX_LINES, LONGEST_REGION = 2000, 60
MOST_YEARS = 10
PRICE = re.compile(
    r"(?P<currency>[A-Z]{3}) (?P<price>\S+)(?: from(?: (?P<weight>[0-9]{1,8}) ?g)?(?:(?: and)? (?P<goods>\S+))?)?",
    re.ASCII,
)
AreaNames = tuple[str, str, str]


# ---- areas -----------------------------------------------------------------------------------------------------------


def areas_text(areas: Iterable[Area]) -> str:
    names = sorted((area.country, area.region, area.postal_prefix) for area in areas)
    return "\n".join(area_line(*one) for one in names)


def area_line(country: str, region: str, prefix: str) -> str:
    return f"{country or EVERYWHERE} {region}".strip() + (f": {prefix}" if prefix else "")


def areas_read(text: str) -> list[AreaNames]:
    """Errors: InvalidInput that names the line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > MAX_LINES:
        raise InvalidInput(_("Enter at most %(limit)s lines.") % {"limit": MAX_LINES})
    return list(dict.fromkeys(map(area_read, lines)))


def area_read(line: str) -> AreaNames:
    if line == EVERYWHERE:
        return "", "", ""
    place, _colon, prefix = line.partition(":")
    country, _space, region = place.strip().partition(" ")
    if error := country_error(country):
        raise InvalidInput(f"“{line[:60]}”: {error}")
    region, known = region.strip(), rules_for(country).canonical_region(region.strip()) if region else ""
    if region and known is None:
        raise InvalidInput(_("“%(line)s”: the country has no such state or province.") % {"line": line[:60]})
    prefix = normalize_postal_code(prefix)
    if len(prefix) > LONGEST_PREFIX or len(region) > LONGEST_REGION:
        raise InvalidInput(_("“%(line)s” is too long.") % {"line": line[:60]})
    return country, known or region, prefix


def areas_set(model: type[TaxZoneArea] | type[ShippingZoneArea], zone: Any, names: list[AreaNames]) -> None:
    """Make these the areas of the zone. Errors: InvalidInput if another zone has one of them."""
    before = {(area.country, area.region, area.postal_prefix): area for area in zone.areas.all()}
    gone = [area.pk for one, area in before.items() if one not in names]
    model._default_manager.filter(pk__in=gone).delete()
    columns = ("country", "region", "postal_prefix")
    for one in names:
        if one in before:
            continue
        area = model(zone=zone, **dict(zip(columns, one, strict=True)))
        try:
            with transaction.atomic():
                area.save(force_insert=True)
        except IntegrityError:
            raise InvalidInput(
                _("“%(area)s” belongs to another zone. Take it out there first.") % {"area": area_line(*one)}
            ) from None


# ---- zones -----------------------------------------------------------------------------------------------------------


@transaction.atomic
def tax_zone_save(
    zone: TaxZone, *, name: str, rounding: str, areas: str, has_reverse_charge: bool, actor: User
) -> TaxZone:
    """Errors: InvalidInput."""
    names, before = areas_read(areas), areas_text(zone.areas.all()) if zone.pk else ""
    new = {"name": name, "rounding": rounding, "has_reverse_charge": has_reverse_charge}
    for column, value in new.items():
        setattr(zone, column, value)
    save_named(zone, list(new))
    areas_set(TaxZoneArea, zone, names)
    data = new | {"areas_before": before, "areas": areas_text(zone.areas.all())}
    audit_record(actor=actor, action=Action.TAX_ZONE_SAVE, target=zone, data=data)
    return zone


@transaction.atomic
def shipping_zone_save(zone: ShippingZone, *, name: str, areas: str, actor: User) -> ShippingZone:
    """Errors: InvalidInput."""
    names, before = areas_read(areas), areas_text(zone.areas.all()) if zone.pk else ""
    zone.name = name
    save_named(zone, ["name"])
    areas_set(ShippingZoneArea, zone, names)
    data = {"name": name, "areas_before": before, "areas": areas_text(zone.areas.all())}
    audit_record(actor=actor, action=Action.SHIPPING_ZONE_SAVE, target=zone, data=data)
    return zone


@transaction.atomic
def tax_class_save(tax_class: TaxClass, *, code: str, name: str, actor: User) -> TaxClass:
    """Errors: InvalidInput."""
    tax_class.code, tax_class.name = code, name
    save_named(tax_class, ["code", "name"])
    data = {"code": code, "name": name}
    audit_record(actor=actor, action=Action.TAX_CLASS_SAVE, target=tax_class, data=data)
    return tax_class


def save_named(row: TaxZone | ShippingZone | ShippingMethod | TaxClass, columns: list[str]) -> None:
    """Errors: InvalidInput if another row has the name."""
    try:
        with transaction.atomic():
            row.save(update_fields=columns if row.pk else None)
    except IntegrityError:
        raise InvalidInput(_("There is another one with the name “%(name)s”.") % {"name": row.name}) from None


# ---- shipping methods ------------------------------------------------------------------------------------------------


def prices_text(rates: Iterable[ShippingRate]) -> str:
    return "\n".join(map(price_line, rates))


def price_line(rate: ShippingRate) -> str:
    bounds = [f"{rate.min_weight_g} g"] if rate.min_weight_g else []
    if rate.min_goods_minor:
        bounds.append(Money.stored(rate.min_goods_minor, rate.currency).amount)
    line = f"{rate.currency} {rate.price.amount}"
    return f"{line} from {' and '.join(bounds)}" if bounds else line


def prices_read(text: str) -> list[ShippingRate]:
    """Errors: InvalidInput that names the line."""
    found: dict[tuple[str, int, int], ShippingRate] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        rate = price_read(line)
        key = rate.currency, rate.min_weight_g, rate.min_goods_minor
        if key in found:
            raise InvalidInput(
                _("“%(line)s”: this line has the same limits as another one.") % {"line": line[:60]}
            )
        found[key] = rate
    return list(found.values())


def price_read(line: str) -> ShippingRate:
    match = PRICE.fullmatch(" ".join(line.split()))
    if match is None or match["currency"] not in CURRENCIES:
        raise InvalidInput(
            _("“%(line)s”: write it as “USD 5.99”, or “USD 0 from 2000 g and 50.00”.") % {"line": line[:60]}
        )
    try:
        price, goods = (Money.parse(match[name] or "0", match["currency"]) for name in ("price", "goods"))
    except ValueError as error:
        raise InvalidInput(f"“{line[:60]}”: {error}") from None
    return ShippingRate(
        currency=match["currency"],
        min_weight_g=int(match["weight"] or 0),
        min_goods_minor=goods.minor,
        price_minor=price.minor,
    )


@transaction.atomic
def shipping_method_save(
    method: ShippingMethod, *, fields: dict[str, Any], prices: str, actor: User
) -> ShippingMethod:
    """Shape: `fields` are columns of the method. Errors: InvalidInput, NotFound. Locks: the method."""
    rates = prices_read(prices)
    check_steps(rate.price for rate in rates)
    if method.pk:
        method_lock(method)
    before = prices_text(method.rates.all()) if method.pk else ""
    for name, value in fields.items():
        setattr(method, name, value)
    if None not in {method.min_days, method.max_days} and method.min_days > method.max_days:  # type: ignore[operator]
        raise InvalidInput(_("The longest time is shorter than the shortest."))
    if (method.min_days is None) != (method.max_days is None):
        raise InvalidInput(_("Enter both days, or none."))
    save_named(method, list(fields))
    method.rates.all().delete()
    for rate in rates:
        rate.method = method
        rate.save(force_insert=True)
    data = {name: str(value) for name, value in fields.items()}
    data |= {"prices_before": before, "prices": prices_text(method.rates.all())}
    audit_record(actor=actor, action=Action.SHIPPING_METHOD_SAVE, target=method, data=data)
    return method


@transaction.atomic
def shipping_method_delete(method: ShippingMethod, *, actor: User) -> None:
    """With its prices; parcels keep its name. Errors: NotFound. Locks: the method."""
    method_lock(method)
    data = {"name": method.name, "zone": method.zone.name, "prices": prices_text(method.rates.all())}
    audit_record(actor=actor, action=Action.SHIPPING_METHOD_DELETE, target=method, data=data)
    method.delete()


def method_lock(method: ShippingMethod) -> None:
    """Errors: NotFound."""
    if get_or_none(ShippingMethod.objects.select_for_update().filter(pk=method.pk)) is None:
        raise NotFound(_("This shipping method was deleted."))


# ---- tax rates -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NewTaxRate:
    """A rate to be added. Plain JSON, so that it can be stored until a second person approves it.

    `valid_from`: ISO 8601, or "" for at once.
    """

    zone_id: int
    class_id: int
    rate_ppm: int
    name: str
    valid_from: str = ""

    @property
    def starts(self) -> datetime:
        """When it starts; now if that has passed."""
        now = timezone.now()
        return max(now, datetime.fromisoformat(self.valid_from)) if self.valid_from else now

    @property
    def percent(self) -> str:
        return f"{percent_text(self.rate_ppm)} %"


@transaction.atomic
def tax_rate_add(new: NewTaxRate, *, actor: User, is_approved: bool = False) -> TaxRate | None:
    """Add a rate, or request a second person's approval if the store rules require it; then None.

    Errors: Forbidden, NotFound, InvalidInput, Conflict, and those of approval_request.
    """
    zone, tax_class = zone_and_class(new, actor)
    if not is_approved:
        check_start(new)
    start = starts_text(new)
    if store_rules().second_person_for_settings and not is_approved:
        approval_request(
            KIND,
            target=zone,
            title=_("Tax rate: %(zone)s, %(class)s") % {"zone": zone.name, "class": tax_class.name},
            details=[(_("Rate"), new.percent), (_("Name"), new.name), (_("Starts"), start)],
            payload=asdict(new),
            actor=actor,
        )
        return None
    row = TaxRate(
        zone=zone,
        tax_class=tax_class,
        rate_ppm=new.rate_ppm,
        name=new.name,
        valid_from=new.starts,
        made_by=actor,
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        raise Conflict(
            _("Another rate of this zone and class starts at the same time. Rates are not changed.")
        ) from None
    data = {"zone": zone.name, "class": tax_class.code, "rate": new.percent, "starts": start}
    audit_record(actor=actor, action=Action.TAX_RATE_ADD, target=row, data=data)
    return row


def check_start(new: NewTaxRate) -> None:
    """Errors: InvalidInput for a start in the past, or after more than ten years."""
    if not new.valid_from:
        return
    start, now = datetime.fromisoformat(new.valid_from), timezone.now()
    if start.year > now.year + MOST_YEARS:
        raise InvalidInput(_("A rate must start within the next ten years."))
    if start < now:
        raise InvalidInput(
            _("A rate cannot start in the past. Leave the start empty to apply it immediately.")
        )


def zone_and_class(new: NewTaxRate, actor: User) -> tuple[TaxZone, TaxClass]:
    """Errors: Forbidden, NotFound."""
    if not actor.has_perm(PERMISSION):
        raise Forbidden(_("You do not have permission to add tax rates."))
    zone = get_or_none(TaxZone.objects.filter(pk=new.zone_id))
    tax_class = get_or_none(TaxClass.objects.filter(pk=new.class_id))
    if zone is None or tax_class is None:
        raise NotFound(_("The zone or class of this rate does not exist."))
    return zone, tax_class


def tax_rate_execute(payload: dict[str, Any], requested_by: User, approved_by: User) -> None:
    tax_rate_add(NewTaxRate(**payload), actor=requested_by, is_approved=True)


def tax_rate_decidable(payload: dict[str, Any], actor: User) -> None:
    """Errors: Forbidden, NotFound."""
    zone_and_class(NewTaxRate(**payload), actor)


def starts_text(new: NewTaxRate) -> str:
    if not new.valid_from:
        return _("at once")
    return date_format(timezone.localtime(datetime.fromisoformat(new.valid_from)), "DATETIME_FORMAT")
