"""States of workshops and of applications to sell, with their transitions."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from artisans.core.state import Transitions


class ArtisanState(TextChoices):
    """Only an active workshop sells. Money and parcels go on in every state."""

    PENDING = "pending", _("Applying")
    ACTIVE = "active", _("Active")
    SUSPENDED = "suspended", _("Suspended")
    CLOSING = "closing", _("Closing")
    CLOSED = "closed", _("Closed")


S = ArtisanState
ARTISAN_TRANSITIONS: Transitions[ArtisanState] = {
    S.PENDING: frozenset({S.ACTIVE}),
    S.ACTIVE: frozenset({S.SUSPENDED, S.CLOSING}),
    S.SUSPENDED: frozenset({S.ACTIVE, S.CLOSING}),
    S.CLOSING: frozenset({S.CLOSED, S.ACTIVE, S.SUSPENDED}),  # back to where it was
    S.CLOSED: frozenset({S.ACTIVE}),
}


class ApplicationStatus(TextChoices):
    DRAFT = "draft", _("Not submitted")
    SUBMITTED = "submitted", _("Waiting for the shop")
    ASKED = "asked", _("Waiting for an answer")
    APPROVED = "approved", _("Approved")
    REFUSED = "refused", _("Refused")
    WITHDRAWN = "withdrawn", _("Withdrawn")


A = ApplicationStatus
APPLICATION_TRANSITIONS: Transitions[ApplicationStatus] = {
    A.DRAFT: frozenset({A.SUBMITTED, A.WITHDRAWN}),
    A.SUBMITTED: frozenset({A.ASKED, A.APPROVED, A.REFUSED, A.WITHDRAWN}),
    A.ASKED: frozenset({A.SUBMITTED, A.APPROVED, A.REFUSED, A.WITHDRAWN}),
    A.REFUSED: frozenset({A.ASKED}),  # staff think again
    A.WITHDRAWN: frozenset({A.DRAFT}),
    A.APPROVED: frozenset(),
}
APPLICATIONS_OPEN = (A.DRAFT, A.SUBMITTED, A.ASKED)
APPLICATIONS_ENDED = (A.REFUSED, A.WITHDRAWN)
