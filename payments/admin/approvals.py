from django.utils.translation import gettext

from artisans.approvals.models import ApprovalRequest


def awaiting_approval(approval: ApprovalRequest) -> str:
    """The message for the user whose action a second person has to approve."""
    message = gettext(
        "%(request)s: this needs a second person’s approval. Nothing has changed yet; the request is listed under "
        "“Approval requests”, and the colleagues who can approve it get an email."
    )
    return message % {"request": approval.title}
