"""Saved cards at Stripe: Customers, SetupIntents, PaymentMethods."""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TypeVar

from payments.providers.contract import (
    CustomerNotFound,
    DeclineGroup,
    ObjectNotFound,
    Refused,
    RemoteMethod,
    RemoteSetup,
    SaveRequest,
)
from payments.providers.stripe.link import StripeLink, Stuck, row_of
from payments.providers.stripe.objects import id_of, method_of, setup_of
from payments.providers.stripe.reading import PAGE, rows_of
from payments.providers.stripe.requests import customer_params, saving_params, setup_params

T = TypeVar("T")
SETUP_ID = re.compile(r"seti_\w{1,250}", re.ASCII)
METHOD_ID = re.compile(r"pm_\w{1,250}", re.ASCII)
TEST_TOKEN = "pm_card_"  # noqa: S105 (a prefix)


class StripeCards:
    def __init__(self, link: StripeLink) -> None:
        self._link = link

    def new_customer(self, *, key: str, **about: str) -> str:
        """The same key returns the same customer. `about`: see `customer_params`."""
        params = customer_params(**about)
        return self._link.execute(
            lambda api: str(
                row_of(api.v1.customers.create(params, {"idempotency_key": f"{key}:customer"}))["id"]
            )
        )

    def has_customer(self, customer_id: str) -> bool:
        """A deleted customer can be retrieved, with its id and a mark only."""
        try:
            row = self._link.execute(lambda api: row_of(api.v1.customers.retrieve(customer_id)))
        except Refused as refusal:
            if refusal.code == "resource_missing":
                return False
            raise
        return not row.get("deleted")

    def save_start(self, request: SaveRequest) -> RemoteSetup:
        return self._with_customer(request, self._save_start)

    def _save_start(self, request: SaveRequest, customer_id: str) -> RemoteSetup:
        params = setup_params(request, customer_id)
        return self._link.execute_write(
            lambda api: api.v1.setup_intents.create(params, {"idempotency_key": request.key}),
            setup_of,
            self.save_read,
        )

    def save_read(self, setup_id: str) -> RemoteSetup:
        if not SETUP_ID.fullmatch(setup_id):
            raise ObjectNotFound("no_such_object")
        expanded = ["payment_method"]
        return self._link.execute(
            lambda api: setup_of(row_of(api.v1.setup_intents.retrieve(setup_id, {"expand": expanded})))
        )

    def save_token(self, request: SaveRequest, token: str) -> RemoteMethod:
        """Stripe checks the card with its bank; a card that requires authentication is Refused."""
        if not METHOD_ID.fullmatch(token):
            raise Refused("token_invalid", "Only ids of payment methods are accepted.")
        return self._with_customer(request, partial(self._save_token, token))

    def _save_token(self, token: str, request: SaveRequest, customer_id: str) -> RemoteMethod:
        self._check_owner(token, customer_id)
        params = setup_params(request, customer_id, token)
        setup = self._link.execute_write(
            lambda api: api.v1.setup_intents.create(params, {"idempotency_key": request.key}),
            setup_of,
            self.save_read,
        )
        if setup.method is None:
            raise Refused("authentication_required", decline=DeclineGroup.AUTHENTICATION)
        return setup.method

    def save_on_payment(self, request: SaveRequest, intent_id: str, *, is_wanted: bool) -> str:
        def save(request: SaveRequest, customer_id: str) -> str:
            params = saving_params(customer_id, is_wanted=is_wanted)
            self._link.execute(lambda api: api.v1.payment_intents.update(intent_id, params))
            return customer_id

        return self._with_customer(request, save)

    def saved_methods(self, customer_id: str) -> list[RemoteMethod]:
        """The customer's cards; none for a customer that was deleted."""
        if not customer_id:
            return []
        try:
            return self._link.execute(
                lambda api: [
                    method_of(row)
                    for row in rows_of(
                        api.v1.customers.payment_methods.list(customer_id, {"type": "card", "limit": PAGE})
                    )
                ]
            )
        except Refused as refusal:
            if refusal.code == "resource_missing":
                return []
            raise

    def detach(self, method_id: str, key: str) -> None:
        """After an error the method is read: one without a customer is detached already."""
        if not METHOD_ID.fullmatch(method_id):
            return
        try:
            self._link.execute(
                lambda api: api.v1.payment_methods.detach(method_id, {}, {"idempotency_key": key})
            )
        except (Refused, Stuck):
            if self._owner_of(method_id):
                raise

    def forget_customer(self, customer_id: str) -> None:
        """Stripe detaches the customer's cards. A deletion takes no idempotency key."""
        try:
            self._link.execute(lambda api: row_of(api.v1.customers.delete(customer_id)))
        except Refused as refusal:
            if refusal.code != "resource_missing":
                raise

    def _with_customer(self, request: SaveRequest, save: Callable[[SaveRequest, str], T]) -> T:
        """Save for the known customer, or for a new one if it no longer exists; Stripe keeps the refusal under
        the first key, and returns a deleted customer again for the key that created it."""
        try:
            return save(request, self._customer_of(request))
        except CustomerNotFound:
            renewed = replace(request, key=f"{request.key}:renewed")
            return save(renewed, self.new_customer(key=renewed.key, user_id=request.user_id))

    def _customer_of(self, request: SaveRequest) -> str:
        """One customer per user, even after a refusal or with two setups at once: the key is the user's."""
        return request.customer_id or self.new_customer(
            key=f"alley-{request.user_id}", user_id=request.user_id
        )

    def _check_owner(self, token: str, customer_id: str) -> None:
        """The owner is this customer already if the response to an earlier attempt was lost, or the one that took its
        place. Errors: Refused for a method of another customer, CustomerNotFound if this one does not exist any more.
        """
        if token.startswith(TEST_TOKEN) or self._owner_of(token) in {"", customer_id}:
            return
        if not self.has_customer(customer_id):
            raise CustomerNotFound("resource_missing")
        raise Refused("method_of_another_customer")

    def _owner_of(self, method_id: str) -> str:
        try:
            return self._link.execute(
                lambda api: id_of(row_of(api.v1.payment_methods.retrieve(method_id)).get("customer"))
            )
        except Refused as refusal:
            if refusal.code == "resource_missing":
                return ""
            raise
