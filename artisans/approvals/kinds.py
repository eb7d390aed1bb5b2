"""Kinds of operations that can require approval. Apps above register theirs in `apps.py`."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from artisans.accounts.models import User

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

Payload = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ApprovalKind:
    """How one kind of operation is checked and executed.

    `permission`: required to request and to approve; `needs(payload)`: further ones. `check(payload, actor)` raises a
    DomainError if this user may not decide, such as OwnOrder. `execute(payload, requested_by, approved_by)` runs in the
    caller's transaction; provider calls are enqueued there and made by the worker. Both raise only DomainErrors.
    `is_routine`: needs a second person if settings do, but a shop can require that for settings before it has two
    people for this.
    """

    name: str
    label: "str | _StrPromise"
    permission: str
    execute: Callable[[Payload, User, User], object]
    check: Callable[[Payload, User], None] = lambda payload, actor: None
    needs: Callable[[Payload], Iterable[str]] = lambda payload: ()
    is_routine: bool = False

    def permissions(self, payload: Payload) -> list[str]:
        return [self.permission, *self.needs(payload)]


KINDS: dict[str, ApprovalKind] = {}


def register(kind: ApprovalKind) -> None:
    KINDS[kind.name] = kind
