"""What exports store about a person (artisans/core/personal_data.py).

The stored files have rows of many people. An erasure deletes all that were asked for until then, because nobody knows
whose names they have; they can be exported again.
"""

from django.db.models import Q
from django.utils import timezone

from artisans.core.personal_data import ACTIONS, AFTERWARDS, Holding, Person, register
from artisans.exports.models import IS_RUNNING, Export

HOLDINGS = (
    Holding(
        "exports.Export",
        "exports",
        lambda person: Q(owner__in=[person.user_id] if person.user_id else []),
        export=("created_at", "list_name", "query", "file_format", "rows", "finished_at"),
        is_deleted=True,
    ),
)
IMPERSONAL = {"exports.ExportChunk": {"content"}}  # deleted with its export


def stored_files_delete(person: Person) -> None:
    """Those in progress fail: they may have read the person's rows before these were erased."""
    known = Export.objects.filter(person.in_time(), is_stored=True)
    known.filter(IS_RUNNING).update(failed_at=timezone.now())
    known.filter(finished_at__isnull=False).delete()


register(*HOLDINGS, impersonal=IMPERSONAL)
ACTIONS.append(stored_files_delete)  # before the exports of the person, which have files too
AFTERWARDS.append(stored_files_delete)  # what was asked for since
