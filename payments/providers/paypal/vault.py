"""Payment Method Tokens v3: saving a PayPal account.

The buyer approves a setup token at PayPal; one payment token is created from it and used to pay orders.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from payments.providers.contract import (
    Action,
    ActionKind,
    ObjectNotFound,
    RemoteMethod,
    RemoteSetup,
    SaveRequest,
)
from payments.providers.paypal.client import PayPalClient
from payments.providers.paypal.errors import link_of
from payments.providers.paypal.shapes import dig, pages_of, path_id, readable, text_at
from payments.providers.reading import an_id

APPROVED = frozenset({"APPROVED", "VAULTED"})
PAGE_SIZE = 5


class Vault:
    """The API calls."""

    def __init__(self, client: PayPalClient) -> None:
        self._client = client

    def start(self, request: SaveRequest) -> RemoteSetup:
        answer = self._client.request(
            "POST", "/v3/vault/setup-tokens", setup_request(request), key=request.key
        )
        return setup_of(answer)

    def read(self, setup_id: str) -> RemoteSetup:
        """Creates the payment token once the buyer has approved; the setup's own id is the key, so only one is
        created."""
        answer = self._client.request("GET", f"/v3/vault/setup-tokens/{path_id(setup_id)}")
        setup = setup_of(answer)
        if text_at(answer, "status") not in APPROVED:
            return setup
        method = self.keep(setup_id, key=f"token-{setup_id}")
        return RemoteSetup(setup.setup_id, method.customer_id, is_done=True, method=method)

    def keep(self, setup_id: str, *, key: str) -> RemoteMethod:
        body = {"payment_source": {"token": {"id": path_id(setup_id), "type": "SETUP_TOKEN"}}}
        return method_of(self._client.request("POST", "/v3/vault/payment-tokens", body, key=key))

    def methods(self, customer_id: str) -> Iterator[RemoteMethod]:
        """PayPal accounts only: the vault may contain cards of another shop that uses the same account."""
        params = {"customer_id": customer_id, "page_size": PAGE_SIZE, "total_required": "true"}
        page, pages = 1, 1
        while page <= pages:
            query = urlencode(params | {"page": page})
            answer = self._client.request("GET", f"/v3/vault/payment-tokens?{query}")
            yield from wallets_of(answer)
            page, pages = page + 1, pages_of(answer)

    def forget(self, method_id: str, *, key: str) -> None:
        try:
            self._client.request("DELETE", f"/v3/vault/payment-tokens/{path_id(method_id)}", key=key)
        except ObjectNotFound:
            return


def setup_request(request: SaveRequest) -> dict[str, Any]:
    known = {"customer": {"id": request.customer_id}} if request.customer_id else {}
    return known | {
        "payment_source": {
            "paypal": {
                "usage_type": "MERCHANT",
                "customer_type": "CONSUMER",
                "experience_context": {
                    "return_url": request.return_url,
                    "cancel_url": request.cancel_url,
                    "shipping_preference": "NO_SHIPPING",
                },
            }
        }
    }


@readable
def setup_of(setup: dict[str, Any]) -> RemoteSetup:
    url = "" if setup["status"] in APPROVED else link_of(setup, "approve")
    return RemoteSetup(
        setup_id=an_id(setup["id"]),
        customer_id=text_at(setup, "customer", "id"),
        is_done=False,
        action=Action(ActionKind.REDIRECT, url=url) if url else None,
    )


@readable
def method_of(token: dict[str, Any]) -> RemoteMethod:
    return RemoteMethod(
        method_id=an_id(token["id"]),
        customer_id=an_id(token["customer"]["id"]),
        kind="paypal",
        email=text_at(token, "payment_source", "paypal", "email_address"),
    )


@readable
def wallets_of(answer: dict[str, Any]) -> list[RemoteMethod]:
    tokens = answer.get("payment_tokens") or []
    return [method_of(token) for token in tokens if dig(token, "payment_source", "paypal") is not None]
