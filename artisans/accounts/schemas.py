"""Response schemas of accounts and tokens, for the API description."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import serializers

from artisans.accounts.models import Role, Scope
from artisans.core.api.openapi import BEARER, example

USER = {
    "id": "0190c7e2-5a1b-4c3d-9e8f-1a2b3c4d5e6f",
    "email": "sam@example.com",
    "name": "Sam Shopper",
    "role": "shopper",
}
TOKEN = {
    "id": "5f0c6b9e-3b1f-4d7c-8a44-0f2f6d1c9b7a",
    "prefix": "aa_3f9c1d2e4b5a",
    "name": "warehouse script",
    "scopes": ["read", "write"],
    "created_at": "2026-11-26T09:00:00Z",
    "expires_at": "2026-12-26T09:00:00Z",
    "last_used_at": "2026-11-26T09:41:00Z",
    "is_current": True,
}


@example(USER)
class UserShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    email = serializers.EmailField()
    name = serializers.CharField(allow_blank=True)
    role = serializers.ChoiceField(Role.choices)


@example(TOKEN)
class TokenShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    prefix = serializers.CharField(help_text="The first characters; the rest is not stored.")
    name = serializers.CharField(allow_blank=True)
    scopes = serializers.ListField(child=serializers.ChoiceField(Scope.choices))
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True, help_text="To the minute.")
    is_current = serializers.BooleanField(help_text="Whether this request was made with it.")


@example(
    {name: value for name, value in TOKEN.items() if name != "is_current"} | {"token": "aa_…", "user": USER}
)
class NewTokenShape(serializers.Serializer[Any]):
    token = serializers.CharField(help_text="Shown only once.")
    id = serializers.UUIDField()
    prefix = serializers.CharField()
    name = serializers.CharField(allow_blank=True)
    scopes = serializers.ListField(child=serializers.ChoiceField(Scope.choices))
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True)
    user = UserShape()


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "artisans.accounts.authentication.BearerAuthentication"
    name = BEARER

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "The token returned by `POST /auth/token`: `Authorization: Bearer aa_…`.",
        }
