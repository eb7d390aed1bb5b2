"""What approval requests store about a person (artisans/core/personal_data.py)."""

from collections.abc import Iterator

from django.db.models import Q
from django.utils.translation import gettext as _

from artisans.approvals.models import ApprovalRequest
from artisans.approvals.statuses import ApprovalStatus
from artisans.core import personal_data
from artisans.core.personal_data import REFUSALS, Holding, Person, register


def requests_about(person: Person) -> Q:
    """Requests about one of the person's rows."""
    targets = {
        f"{holding.model}:{key}" for holding in personal_data.HOLDINGS for key in person.of(holding.section)
    }
    return Q(target__in=targets)


def approval_refusals(person: Person) -> Iterator[str]:
    if ApprovalRequest.objects.filter(requests_about(person), status=ApprovalStatus.PENDING).exists():
        yield _("A change of the account, an order or a payment awaits approval by the shop’s staff.")


HOLDINGS = (
    Holding(
        "approvals.ApprovalRequest",
        "approval_requests",
        requests_about,
        export=("created_at", "kind", "status", "title"),
        clear={"details": "[]", "payload": "{}"},
        scrub=("title", "note"),
    ),
)
IMPERSONAL = {"approvals.ApprovalRequest": {"kind", "status", "target"}}

register(*HOLDINGS, impersonal=IMPERSONAL)
REFUSALS.append(approval_refusals)
