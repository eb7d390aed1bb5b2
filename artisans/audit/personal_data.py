"""What the audit log stores about a person (artisans/core/personal_data.py)."""

from typing import Any

from django.db.models import Q

from artisans.core.models import is_uuid
from artisans.core.personal_data import Holding, Person, register, scrub_texts

CLEAR_VALUES = ("old", "new", "old_hash", "new_hash")


def entries_about(person: Person) -> Q:
    """By the person, or about one of their rows."""
    keys = {key for found in person.keys.values() for key in found if is_uuid(key)}
    own = Q(actor=person.user_id) if person.user_id else Q()
    return Q(target_id__in=keys) | own if person.user_id else Q(target_id__in=keys)


def data_erased(person: Person, data: Any) -> Any:
    """Also without values that were masked, and their hashes."""
    data = scrub_texts(person, data)
    if isinstance(data, dict) and isinstance(data.get("changes"), list):
        return data | {"changes": [change_erased(change) for change in data["changes"]]}
    return data


def change_erased(change: Any) -> Any:
    if not isinstance(change, dict) or not {"old_hash", "new_hash"} & change.keys():
        return change
    return {name: value for name, value in change.items() if name not in CLEAR_VALUES}


HOLDINGS = (
    Holding(
        "audit.AuditEntry",
        "audit_log",
        entries_about,
        export=("at", "action", "target_type", "target_id"),
        clear={"data": data_erased},
        scrub=("actor_name",),
    ),
)
IMPERSONAL = {"audit.AuditEntry": {"action", "target_type", "request_id"}}

register(*HOLDINGS, impersonal=IMPERSONAL)
