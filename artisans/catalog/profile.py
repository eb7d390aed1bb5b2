"""What an artisan says about the own workshop, and its holidays."""

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any, ClassVar

from django.db import transaction
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from artisans.accounts.models import User
from artisans.audit.services import Action, audit_record
from artisans.catalog.artisan_states import artisan_lock, check_not_closed
from artisans.catalog.models import Artisan
from artisans.catalog.statuses import ArtisanState
from artisans.core.digests import short_digest
from artisans.core.errors import TEXT, Conflict, InvalidInput
from artisans.core.models import save_columns
from artisans.regions.currencies import offered_currencies

HOLIDAY = ("holiday_from", "back_on")
FIELDS = {
    "story": gettext_lazy("story"),
    "town": gettext_lazy("place"),
    "processing_days": gettext_lazy("processing time"),
    "contact_email": gettext_lazy("contact address"),
    "holiday_from": gettext_lazy("first day of the holiday"),
    "back_on": gettext_lazy("first day after the holiday"),
    "converted_currencies": gettext_lazy("currencies of converted prices"),
}
APPLICANT_FIELDS = {  # before the workshop is approved; afterwards staff change the name and the craft
    "name": gettext_lazy("name"),
    "craft": gettext_lazy("craft"),
    "town": gettext_lazy("place"),
    "story": gettext_lazy("story"),
    "contact_email": gettext_lazy("contact address"),
}
LABELS = FIELDS | APPLICANT_FIELDS


class ProfileChanged(Conflict):
    """Someone else of the workshop changed what you change; `changes` has the present values."""

    code = "profile_changed"
    remedy = "Compare `changes` with yours, and send the request again with the present `version`."
    members: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "changes": {
            "type": "array",
            "items": {"type": "object", "properties": {"field": TEXT, "now": TEXT}},
        },
    }

    def __init__(self, changes: Mapping[str, Any]) -> None:
        sentences = " ".join(
            _("The %(field)s is now “%(value)s”.")
            % {"field": LABELS[field], "value": Truncator(shown(value)).chars(80)}
            for field, value in changes.items()
        )
        super().__init__(
            _("Someone else changed this after you opened it. %(changes)s Nothing was saved.")
            % {"changes": sentences},
            extra={"changes": [{"field": name, "now": text(value)} for name, value in changes.items()]},
        )


def profile_of(artisan: Artisan, fields: Collection[str] = FIELDS) -> dict[str, Any]:
    """The values of these fields; without a holiday that is over."""
    values = {field: getattr(artisan, field) for field in fields}
    if "converted_currencies" in values:
        values["converted_currencies"] = artisan.accepted_currencies
    is_over = artisan.back_on is not None and artisan.back_on <= timezone.localdate()
    return values | {field: None for field in HOLIDAY if field in fields} if is_over else values


def version_of(artisan: Artisan, fields: Collection[str] = FIELDS) -> str:
    """The profile as it is now. Opaque to clients."""
    return ".".join(f"{field}:{digest(value)}" for field, value in profile_of(artisan, fields).items())


def digest(value: Any) -> str:
    return short_digest(text(value), 8)


def text(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(value)
    return "" if value is None else str(value)


def shown(value: Any) -> str:
    return date_format(value) if isinstance(value, date) else text(value)


@transaction.atomic
def profile_change(*, artisan: Artisan, actor: User, values: Mapping[str, Any], version: str) -> Artisan:
    """Change the fields whose `values` differ from those of the `version` that the person saw.

    Of an applicant the name and the craft too.

    `converted_currencies`: in which the shop may write converted prices (price_lists.py).
    Orders that were placed before a holiday stay as they are. Errors: ProfileChanged; InvalidInput for a holiday that
    is over, or that begins after its end; WorkshopClosed. Locks: artisan.
    """
    artisan = artisan_lock(artisan.pk)
    check_not_closed(artisan)
    allowed = LABELS if artisan.state == ArtisanState.PENDING else FIELDS
    if not values.keys() <= allowed.keys():
        raise InvalidInput(_("Ask the shop to change the name or the craft of your workshop."))
    seen, stored = dict(part.partition(":")[::2] for part in version.split(".")), profile_of(artisan, allowed)
    changed = {
        field: value
        for field, value in values.items()
        if value != stored[field] and digest(value) != seen.get(field)
    }
    if conflicts := {name: stored[name] for name in changed if digest(stored[name]) != seen.get(name)}:
        raise ProfileChanged(conflicts)
    if not changed:
        return artisan
    if unknown := set(changed.get("converted_currencies", ())) - set(offered_currencies()):
        raise InvalidInput(
            _("The shop does not sell in %(currency)s.") % {"currency": ", ".join(sorted(unknown))}
        )
    stored |= changed
    if not changed.keys().isdisjoint(HOLIDAY):
        check_holiday(**{field: stored[field] for field in HOLIDAY})
    for field, value in stored.items():
        setattr(artisan, field, value)
    save_columns(artisan, [*changed, *(field for field in HOLIDAY if field not in changed)])
    holiday = {field: text(changed[field]) for field in HOLIDAY if field in changed}
    data = {"fields": ", ".join(changed)} | holiday
    audit_record(actor=actor, action=Action.PROFILE_CHANGE, target=artisan, data=data)
    return artisan


def check_holiday(*, holiday_from: date | None, back_on: date | None) -> None:
    """Errors: InvalidInput."""
    if back_on is None:
        if holiday_from is not None:
            raise InvalidInput(_("Also enter the day on which you are back."))
        return
    if back_on <= timezone.localdate():
        raise InvalidInput(_("The day on which you are back must be in the future."))
    if holiday_from is not None and holiday_from >= back_on:
        raise InvalidInput(_("The holiday must begin before the day on which you are back."))
