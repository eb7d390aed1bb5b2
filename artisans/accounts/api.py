from rest_framework import serializers, status
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from artisans.accounts.models import User, normal_email
from artisans.accounts.principals import signed_in
from artisans.accounts.services import token_issue, user_register
from artisans.core.api import StrictSerializer, TextField, api_request, utc, validated
from artisans.core.api_views import ApiView, idempotent, limited
from artisans.core.idempotency import effect_id
from artisans.core.limits import count
from artisans.core.network import client_line


class RegisterIn(StrictSerializer):
    email = serializers.EmailField(max_length=254)
    password = serializers.CharField(max_length=128, trim_whitespace=False)
    name = TextField(max_length=150, required=False, default="")


class TokenIn(StrictSerializer):
    email = serializers.EmailField(max_length=254)
    password = serializers.CharField(max_length=128, trim_whitespace=False)


def user_out(user: User) -> dict[str, object]:
    return {"id": str(user.pk), "email": user.email, "name": user.name, "role": user.role}


def user_replay(request: Request, reference: str) -> Response:
    user = User.objects.get(pk=effect_id(reference))
    return Response(user_out(user), status=status.HTTP_201_CREATED)


class RegisterView(ApiView):
    authentication_classes = ()
    permission_classes = (AllowAny,)

    @limited("register")
    @idempotent(replay=user_replay)
    def post(self, request: Request) -> Response:
        data = validated(RegisterIn, request.data)
        user = user_register(**data)
        return Response(user_out(user), status=status.HTTP_201_CREATED)


class TokenView(ApiView):
    """A token is shown once and nowhere kept, so that a second try under the same key makes another one."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @limited("login")
    def post(self, request: Request) -> Response:
        plain = api_request(request)
        data = validated(TokenIn, request.data)
        count("login_account", normal_email(data["email"]), client_line(plain))
        row, token = token_issue(request=plain, **data)
        answer = {"token": token, "expires_at": utc(row.expiry), "user": user_out(row.user)}
        return Response(answer, headers={"Cache-Control": "no-store"})


class LogoutView(ApiView):
    def post(self, request: Request) -> Response:
        request.auth.delete()
        return Response(status=status.HTTP_204_NO_CONTENT)


class MeView(ApiView):
    def get(self, request: Request) -> Response:
        return Response(user_out(signed_in(request)))
