"""Saved ways to pay."""

from artisans.accounts.models import User


def method_token(user: User | None, provider: str, wish: str) -> str:
    """The provider's token of a method that a client names by our id, or by the token itself.

    Errors: Missing for a saved method of somebody else.
    """
    return wish
