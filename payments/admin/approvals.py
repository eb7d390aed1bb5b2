from artisans.approvals.models import ApprovalRequest


def awaiting_approval(approval: ApprovalRequest) -> str:
    """What became of an act that a second person has to approve, in a sentence for who pressed the button."""
    return (
        f"{approval.title}: the store rules want a second person to approve this. Nothing is done yet; the request is "
        "listed under “Approval requests”, and the colleagues who can approve it get a mail."
    )
