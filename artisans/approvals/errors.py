from artisans.core.errors import Conflict, Forbidden


class SecondPersonRequired(Conflict):
    """The store wants a second person to approve this; it was not asked for, or by the same person."""

    code = "second_person_required"
    remedy = "Make the request in the admin or the API as usual, and let a colleague approve it there."

    def __init__(self) -> None:
        super().__init__("The store rules require a second person to approve this. Nothing was done.")


class ApprovalPending(Conflict):
    """The same is awaiting approval already."""

    code = "approval_pending"
    remedy = "Wait for the decision, or withdraw the request that is pending."

    def __init__(self, title: str, by: str) -> None:
        super().__init__(f"This is awaiting approval already: {title}, requested by {by}. Nothing was done.")


class NotPending(Conflict):
    """The request was decided, withdrawn or has expired."""

    code = "approval_not_pending"
    remedy = "Make a new request if it is still needed."

    def __init__(self, status: str) -> None:
        super().__init__(f"This request is not awaiting approval any more: it is {status.lower()}.")


class OwnRequest(Forbidden):
    """Nobody approves their own request."""

    code = "own_request"
    remedy = "Let a colleague with the same permission decide, or withdraw the request."

    def __init__(self) -> None:
        super().__init__("You made this request yourself; a second person has to decide about it.")


class NobodyElse(Conflict):
    """There is no second person who could approve it."""

    code = "no_second_person"
    remedy = "Give a colleague the permission first, or change the store rule."

    def __init__(self, permissions: list[str]) -> None:
        super().__init__(
            f"Nobody else could approve this: no other active account has {', '.join(permissions)}. "
            "Nothing was requested."
        )
