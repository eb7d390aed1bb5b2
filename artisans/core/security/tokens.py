"""Signed links and guest tokens. Neither is stored: cart tokens only as a hash, order links not at all."""

import hashlib
import secrets
from uuid import UUID

from django.core.signing import BadSignature, Signer

ORDER_LINK = Signer(salt="orders.link", sep=".")
INVITATION = Signer(salt="team.invitation", sep=".")
MAILBOX = Signer(salt="orders.mailbox", sep=".")


def new_secret() -> str:
    """128 random bits for a guest's cart."""
    return secrets.token_urlsafe(16)


def hash_secret(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def order_token(order_id: UUID, version: int) -> str:
    """A token that shows and pays one order. Deterministic; a higher version revokes older links."""
    return ORDER_LINK.sign(f"{order_id.hex}-{version}")


def read_order_token(token: str) -> tuple[UUID, int] | None:
    """The order and version of a link, or None if its signature is invalid."""
    return read_token(ORDER_LINK, token)


def invitation_token(invitation_id: UUID, version: int) -> str:
    """A token that lets one person join a workshop. A higher version revokes older links."""
    return INVITATION.sign(f"{invitation_id.hex}-{version}")


def read_invitation_token(token: str) -> tuple[UUID, int] | None:
    """The invitation and version of a link, or None if its signature is invalid."""
    return read_token(INVITATION, token)


def read_token(signer: Signer, token: str) -> tuple[UUID, int] | None:
    try:
        key, _, version = signer.unsign(token).partition("-")
        return UUID(hex=key), int(version)
    except (BadSignature, ValueError):
        return None


def mailbox_token(order_id: UUID) -> str:
    """Only sent in emails to the buyer: whoever has it can read that mailbox."""
    return MAILBOX.signature(order_id.hex)


def is_mailbox_token(order_id: UUID, token: str) -> bool:
    try:
        MAILBOX.unsign(f"{order_id.hex}.{token}")
    except BadSignature:
        return False
    return True
