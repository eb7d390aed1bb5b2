from django.utils import timezone
from knox.auth import TokenAuthentication
from knox.crypto import hash_token
from rest_framework.exceptions import AuthenticationFailed

from artisans.accounts.models import AuthToken, User
from artisans.core.models import only_row


class BearerAuthentication(TokenAuthentication):
    """One indexed read per request. Knox's own way reads all tokens of the user and deletes on GET."""

    def authenticate_credentials(self, token: bytes) -> tuple[User, AuthToken]:
        try:
            digest = hash_token(token.decode("ascii"))
        except ValueError as error:
            raise AuthenticationFailed("The token is not valid.", "invalid_token") from error
        found = only_row(AuthToken.objects.select_related("user").filter(digest=digest))
        if found is None or not found.user.is_active:
            raise AuthenticationFailed("The token is not valid.", "invalid_token")
        if found.expiry is not None and found.expiry < timezone.now():
            raise AuthenticationFailed(
                "The token has expired; get a new one from /auth/token.", "token_expired"
            )
        return found.user, found
