from collections.abc import Mapping
from typing import Any
from uuid import UUID

from rest_framework import viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from artisans.accounts.principals import require_user
from artisans.core.api.fields import validated
from artisans.core.api.openapi import operation
from artisans.core.api.views import ApiView, limited
from artisans.core.errors import NotFound
from artisans.core.idempotency.api import idempotent
from artisans.core.idempotency.keys import effect_id
from artisans.core.security.card_data import CARD_FIELDS, RawCardData, holds_card_data
from payments.api.schemas import MethodPageShape, MethodShape, SavingShape
from payments.api.serializers import MethodBody, MethodChangeIn, MethodIn, method_out, setup_out
from payments.bookkeeping.saved_methods import describe_method, method_update, methods_of
from payments.errors import (
    DefaultRequired,
    MethodDeclined,
    MethodInUse,
    MethodNotOffered,
    MethodNotUsable,
    ProviderUnavailable,
    SaveInProgress,
)
from payments.lifecycle.saved_methods import (
    MethodSetup,
    method_remove,
    method_save,
    method_setup_finish,
    method_setup_start,
    token_for_card,
)
from payments.models import PaymentMethodInfo

CHANGE: dict[str, Any] = {
    "request": MethodChangeIn,
    "responses": MethodShape,
    "problems": (DefaultRequired, RawCardData, NotFound),
}


def method_replay(request: Request, reference: str) -> Response:
    method = PaymentMethodInfo.objects.get(pk=effect_id(reference))
    return Response(method_out(describe_method(method)), status=201)


class MethodViewSet(ApiView, viewsets.ViewSet):
    """Saved payment methods of the signed-in user."""

    reads_card_fields = True  # those of the founding body, with published test numbers

    @operation("method_list", "List saved methods", responses=MethodPageShape)
    def list(self, request: Request) -> Response:
        """The default first, then the newest. The list is short, so there is one page."""
        rows = [method_out(row) for row in methods_of(require_user(request))]
        return Response({"next": None, "previous": None, "results": rows})

    @operation(
        "method_save",
        "Save a method",
        request=MethodBody,
        responses={201: MethodShape, 202: SavingShape},
        problems=(
            RawCardData,
            MethodNotOffered,
            MethodNotUsable,
            MethodDeclined,
            NotFound,
            SaveInProgress,
            ProviderUnavailable,
        ),
    )
    @limited("methods")
    @idempotent(replay=method_replay)
    def create(self, request: Request) -> Response:
        """Save a payment method; the request is the consent to keep it. One of three ways:
        - `{"provider", "provider_method_id": "pm_…"}`: a token of the provider's script. 201 with the method.
        - `{"provider", "setup": true}`: start a setup in the browser. 202 with `setup_id` and `next_action`.
        - `{"provider", "setup_id"}`: finish it. 201 with the method, or 202 while the buyer has not completed
          it.

        `is_default` makes it the default; the first one always is. Card numbers are refused, except that in
        test mode a published test number of the provider stands for its test token.
        """
        user, data = require_user(request), without_card(request.data)
        fields = validated(MethodIn, data)
        provider, is_default = fields["provider"], fields.get("is_default", False)
        if fields.get("setup"):
            setup = method_setup_start(user=user, provider=provider, is_default=is_default)
            return Response(setup_out(setup, provider), status=202)
        if setup_id := fields.get("setup_id"):
            return self.finished(method_setup_finish(setup_id, user=user), provider)
        token = fields["provider_method_id"]
        method = method_save(user=user, provider=provider, token=token, is_default=is_default)
        return Response(method_out(describe_method(method)), status=201)

    @operation("method_put", "Make a method the default", **CHANGE)
    def update(self, request: Request, pk: str) -> Response:
        """Only `is_default`, and only to true: to change the default, choose another method."""
        if holds_card_data(request.data):
            raise RawCardData
        user, fields = require_user(request), validated(MethodChangeIn, request.data)
        method = method_update(user=user, method_id=UUID(pk), is_default=fields["is_default"])
        return Response(method_out(describe_method(method)))

    @operation("method_change", "Make a method the default", **CHANGE)
    def partial_update(self, request: Request, pk: str) -> Response:
        """The same as PUT."""
        return self.update(request, pk)

    @operation("method_remove", "Remove a method", responses={204: None}, problems=(NotFound, MethodInUse))
    def destroy(self, request: Request, pk: str) -> Response:
        """Remove the method here and at the provider."""
        method_remove(user=require_user(request), method_id=UUID(pk))
        return Response(status=204)

    def finished(self, setup: MethodSetup, provider: str) -> Response:
        if setup.method is None:
            return Response(setup_out(setup, provider), status=202)
        return Response(method_out(describe_method(setup.method)), status=201)


def without_card(body: Any) -> Any:
    """The body with a test card's fields replaced by its test token, before they could appear in an error.

    Errors: RawCardData for any other number or code.
    """
    if not isinstance(body, Mapping):
        return body
    fields = {name: value for name, value in body.items() if name not in CARD_FIELDS}
    if holds_card_data(fields):
        raise RawCardData
    if len(fields) == len(body):
        return body
    if "provider_method_id" in fields:
        raise RawCardData
    token = token_for_card(str(fields.get("provider", "")), body.get("card_number"))
    return fields | {"provider_method_id": token}
