from typing import Any
from uuid import UUID

from allauth.account.internal.flows.email_verification import consume_email_verification_rate_limit
from django.db.models import QuerySet
from rest_framework import serializers, status
from rest_framework.generics import ListAPIView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from artisans.accounts.models import AuthToken, Scope, User
from artisans.accounts.principals import require_user
from artisans.accounts.schemas import NewTokenShape, TokenShape, UserShape
from artisans.accounts.selectors import tokens_of
from artisans.accounts.services import (
    EmailTaken,
    SecondFactorRequired,
    WrongCredentials,
    WrongOtp,
    token_issue,
    token_revoke,
    user_register,
)
from artisans.accounts.sign_in_limits import sign_in_count
from artisans.core.api.fields import (
    StoredEmailField,
    StrictLineField,
    StrictSerializer,
    no_control_characters,
    utc,
    validated,
)
from artisans.core.api.openapi import described, example, operation
from artisans.core.api.pagination import CreatedCursorPagination
from artisans.core.api.views import ApiView, limited
from artisans.core.errors import InvalidInput, NotFound
from artisans.core.idempotency.api import idempotent
from artisans.core.idempotency.keys import effect_id
from artisans.core.requests import api_request

TOKENS = "All valid tokens of the account, newest first, with their first characters only."


@example({"email": "sam@example.com", "password": "clay-and-kiln-7", "name": "Sam Shopper"})
class RegisterIn(StrictSerializer):
    email = serializers.EmailField(max_length=254)
    password = serializers.CharField(
        max_length=128, trim_whitespace=False, validators=[no_control_characters]
    )
    name = StrictLineField(max_length=150, required=False, default="")


@example(
    {
        "email": "sam@example.com",
        "password": "clay-and-kiln-7",
        "name": "warehouse script",
        "scopes": ["read", "write"],
    }
)
class TokenIn(StrictSerializer):
    email = StoredEmailField(max_length=254)
    password = serializers.CharField(max_length=128, trim_whitespace=False)
    name = StrictLineField(
        max_length=80, required=False, allow_blank=True, default="", help_text="What the token is for."
    )
    scopes = serializers.ListField(
        child=serializers.ChoiceField(Scope.choices),
        required=False,
        allow_empty=False,
        max_length=len(Scope),
        help_text="What it may be used for; by default `read` and `write`.",
    )
    otp = serializers.CharField(
        max_length=20,
        required=False,
        allow_blank=True,
        default="",
        help_text="The code of an authenticator app or a recovery code; `staff` and `refunds` need it.",
    )


def user_out(user: User) -> dict[str, object]:
    return {"id": str(user.pk), "email": user.email, "name": user.name, "role": user.role}


def token_out(token: AuthToken) -> dict[str, Any]:
    return {
        "id": str(token.public_id),
        "prefix": token.token_key,
        "name": token.name,
        "scopes": token.scopes,
        "created_at": utc(token.created),
        "expires_at": utc(token.expiry),
        "last_used_at": utc(token.last_used_at),
    }


def user_replay(request: Request, reference: str) -> Response:
    user = User.objects.get(pk=effect_id(reference))
    return Response(user_out(user), status=status.HTTP_201_CREATED)


class RegisterView(ApiView):
    authentication_classes = ()
    permission_classes = (AllowAny,)

    @operation(
        "account_register",
        "Create an account",
        request=RegisterIn,
        responses={201: UserShape},
        problems=(InvalidInput, EmailTaken),
    )
    @limited("register")
    @idempotent(replay=user_replay)
    def post(self, request: Request) -> Response:
        """Create an account, which can sign in at once. The address is verified by the link in an email."""
        data = validated(RegisterIn, request.data)
        user = user_register(**data)
        # As after signing up on the page, another email can be requested only after allauth's pause.
        consume_email_verification_rate_limit(api_request(request), user.email)
        return Response(user_out(user), status=status.HTTP_201_CREATED)


class TokenView(ApiView):
    """Tokens are shown once and never stored, so a repeated request under the same key creates another one."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @operation(
        "token_issue",
        "Get a bearer token",
        request=TokenIn,
        responses=NewTokenShape,
        problems=(WrongCredentials, WrongOtp, InvalidInput, SecondFactorRequired),
    )
    @limited("login")
    def post(self, request: Request) -> Response:
        """Exchange an email address and password for a token, shown only once and valid for 30 days.

        Request only the `scopes` that the client needs; without any, `read` and `write` are granted.
        `refunds` and `staff` are for staff and require a second factor: send its one-time code as `otp`.
        A change of password, main address, second factor or role revokes all tokens.
        """
        plain = api_request(request)
        data = validated(TokenIn, request.data)
        sign_in_count(data["email"], plain)
        row, token = token_issue(request=plain, **data)
        answer = {"token": token, **token_out(row), "user": user_out(row.user)}
        return Response(answer, headers={"Cache-Control": "no-store"})


class TokenOut(serializers.BaseSerializer[AuthToken]):
    def to_representation(self, token: AuthToken) -> dict[str, Any]:
        return token_out(token) | {"is_current": token.pk == self.context["request"].auth.pk}


class TokenCursorPagination(CreatedCursorPagination):
    ordering = ("-created", "-public_id")


@described(
    get=operation("token_list", "List own tokens", responses=TokenShape(many=True), description=TOKENS)
)
class TokenListView(ApiView, ListAPIView[AuthToken]):
    serializer_class = TokenOut
    pagination_class = TokenCursorPagination
    filter_backends = ()

    def get_queryset(self) -> QuerySet[AuthToken]:
        return tokens_of(require_user(self.request))


class TokenDetailView(ApiView):
    @operation("token_revoke", "Revoke a token", responses={204: None}, problems=(NotFound,))
    def delete(self, request: Request, pk: str) -> Response:
        """Revoke a token. Its id is in the list and in the response that issued it."""
        token_revoke(user=require_user(request), public_id=UUID(pk))
        return Response(status=status.HTTP_204_NO_CONTENT)


class LogoutView(ApiView):
    scopes = {"post": Scope.READ.value}  # any token may revoke itself

    @operation("token_logout", "Revoke the token in use", responses={204: None})
    def post(self, request: Request) -> Response:
        """Revoke the token of this request."""
        request.auth.delete()
        return Response(status=status.HTTP_204_NO_CONTENT)


class MeView(ApiView):
    @operation("account_me", "Show your account", responses=UserShape)
    def get(self, request: Request) -> Response:
        """The user of this token."""
        return Response(user_out(require_user(request)))
