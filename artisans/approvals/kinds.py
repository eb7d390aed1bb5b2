"""What can wait for a second person. Apps above register their kinds in `apps.py`; nothing here knows them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from artisans.accounts.models import User

Payload = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ApprovalKind:
    """How one kind of act is checked and carried out.

    `permission`: of who may request and who may approve; `needs(payload)`: further ones. `check(payload, actor)` raises
    a DomainError when this person may not decide, such as OwnOrder. `execute(payload, requested_by, approved_by)` acts
    in the caller's transaction; a call to a provider is enqueued there and made by the worker. Both raise DomainErrors
    only.
    """

    name: str
    label: str
    permission: str
    execute: Callable[[Payload, User, User], object]
    check: Callable[[Payload, User], None] = lambda payload, actor: None
    needs: Callable[[Payload], Iterable[str]] = lambda payload: ()

    def permissions(self, payload: Payload) -> list[str]:
        return [self.permission, *self.needs(payload)]


KINDS: dict[str, ApprovalKind] = {}


def register(kind: ApprovalKind) -> None:
    KINDS[kind.name] = kind
