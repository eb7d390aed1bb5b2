from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from knox.auth import TokenAuthentication
from knox.crypto import hash_token
from rest_framework.exceptions import APIException, AuthenticationFailed
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from artisans.accounts.models import AuthToken, Scope, User
from artisans.core.compiled import compiled, compiled_update

LAST_USED_INTERVAL = timedelta(minutes=1)


class InsufficientScope(APIException):
    status_code = 403
    default_code = "insufficient_scope"

    def __init__(self, scope: str) -> None:
        super().__init__(_("This token does not have the scope {scope}.").format(scope=scope))
        self.extra = {"scope": scope}
        self.auth_header = f'Bearer error="insufficient_scope", scope="{scope}"'  # not for translation


class BearerAuthentication(TokenAuthentication):
    """One indexed query per request; Knox's own implementation reads all tokens of the user and deletes on GET.

    Scopes are enforced only here, when a token is accepted, so that no view can forget to.
    Views with other needs declare `scopes`: {action or method: scope}.
    """

    def authenticate(self, request: Request) -> tuple[User, AuthToken] | None:
        found: tuple[User, AuthToken] | None = super().authenticate(request)
        if found is not None:
            needed = self.scope_for(request.parser_context["view"], request.method or "")
            if needed not in found[1].scopes:
                raise InsufficientScope(needed)
        return found

    def authenticate_credentials(self, token: bytes) -> tuple[User, AuthToken]:
        try:
            digest = hash_token(token.decode("ascii"))
        except ValueError as error:
            raise AuthenticationFailed(_("The token is not valid."), "invalid_token") from error
        found = tokens_with_user.first(digest)
        if found is None or not found.user.is_active:
            raise AuthenticationFailed(_("The token is not valid."), "invalid_token")
        if found.expiry is not None and found.expiry < timezone.now():
            raise AuthenticationFailed(
                _("The token has expired; get a new one from /auth/token."), "token_expired"
            )
        record_use(found)
        return found.user, found

    @staticmethod
    def scope_for(view: Any, method: str) -> str:
        """The scope required for this method of the view."""
        own: str | None = getattr(view, "scopes", {}).get(getattr(view, "action", None) or method.lower())
        return own or (Scope.READ.value if method in SAFE_METHODS else Scope.WRITE.value)


@compiled
def tokens_with_user(digest: str) -> QuerySet[AuthToken]:
    tokens: QuerySet[AuthToken] = AuthToken.objects.filter(digest=digest)  # knox is untyped
    return tokens.select_related("user").order_by()


def record_use(token: AuthToken) -> None:
    """Recorded to the minute, to save a write per request."""
    now = timezone.now()
    if token.last_used_at is None or now - token.last_used_at >= LAST_USED_INTERVAL:
        token_used(token.digest, now)


@compiled_update
def token_used(digest: str, at: datetime) -> tuple[QuerySet[AuthToken], dict[str, Any]]:
    return AuthToken.objects.filter(digest=digest), {"last_used_at": at}
