import hashlib

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from bench.baseline.models import Token, User


def digest(token: str) -> str:
    return hashlib.sha512(token.encode()).hexdigest()


class Bearer(BaseAuthentication):
    """As in the shop: one query by the token's digest, joined with its user."""

    def authenticate(self, request: Request) -> tuple[User, Token]:
        word, _, token = request.headers.get("Authorization", "").partition(" ")
        found = Token.objects.select_related("user").filter(digest=digest(token)).first()
        if word != "Bearer" or found is None or not found.user.is_active or found.expiry < timezone.now():
            raise AuthenticationFailed
        return found.user, found
