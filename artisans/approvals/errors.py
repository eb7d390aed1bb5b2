from django.utils.translation import gettext as _

from artisans.core.errors import Conflict, Forbidden


class SecondPersonRequired(Conflict):
    """The store requires a second person's approval, which is missing or comes from the same person."""

    code = "second_person_required"
    remedy = "Request this in the admin or the API as usual, and ask a colleague to approve it."

    def __init__(self) -> None:
        super().__init__(
            _("The store rules require a second person’s approval for this. Nothing was changed.")
        )


class ApprovalPending(Conflict):
    """An identical request is already awaiting approval."""

    code = "approval_pending"
    remedy = "Wait for the decision, or withdraw the request that is pending."

    def __init__(self, title: str, by: str) -> None:
        super().__init__(
            _("This is already awaiting approval: %(title)s, requested by %(by)s. Nothing was changed.")
            % {"title": title, "by": by}
        )


class NotPending(Conflict):
    """The request was decided or withdrawn, or has expired."""

    code = "approval_not_pending"
    remedy = "Make a new request if it is still needed."

    def __init__(self, status: str) -> None:
        super().__init__(
            _("This request is no longer awaiting approval. Its status is: %(status)s.") % {"status": status}
        )


class OwnRequest(Forbidden):
    """Users cannot approve their own requests."""

    code = "own_request"
    remedy = "Ask a colleague with the same permission to decide, or withdraw the request."

    def __init__(self) -> None:
        super().__init__(_("You made this request, so a second person has to decide."))


class NobodyElse(Conflict):
    """There is no second person who could approve it."""

    code = "no_second_person"
    remedy = "Give a colleague the permission first, or change the store rule."

    def __init__(self, permissions: list[str]) -> None:
        super().__init__(
            _(
                "Nobody else could approve this: no other active account has %(permissions)s. Nothing was requested."
            )
            % {"permissions": ", ".join(permissions)}
        )
