"""https://developer.paypal.com/docs/api/payment-tokens/v3/ – saved PayPal wallets."""

import copy
import math

from sandbox.http_messages import Json
from sandbox.paypal_api import forced_errors, serializers
from sandbox.paypal_api.account import Account
from sandbox.paypal_api.buyers import BY_NAME, Buyer
from sandbox.paypal_api.errors import invalid, refused
from sandbox.paypal_api.routes import HOUR, Call, Result, Route

WALLET_OPTIONS = ("description", "shipping", "permit_multiple_payment_tokens", "usage_type", "customer_type")
CONTEXT = "experience_context"


# ---- setup tokens ------------------------------------------------------------------------------------------------


def create_setup_token(account: Account, call: Call) -> Result:
    require_request_id(call)
    forced_errors.raise_if_forced(account, "setup_token")
    wallet = copy.deepcopy(call.body["payment_source"]["paypal"])
    row: Json = {
        "id": account.new_id(),
        "customer": {"id": call.body.get("customer", {}).get("id") or account.new_id(10)},
        "status": "PAYER_ACTION_REQUIRED",
        "payment_source": {"paypal": {name: wallet[name] for name in WALLET_OPTIONS if name in wallet}},
    }
    account.save("setup_token", row)
    account.set_internal(row["id"], context=wallet.get(CONTEXT, {}))
    account.record("vault.setup_created", row["id"], customer=row["customer"]["id"])
    account.simulator.schedule(
        "paypal.setup_token.deadline", when=account.now() + 3 * 24 * HOUR, token=row["id"]
    )
    return Result(201, serializers.setup_token(account, row["id"]), object_id=row["id"])


def require_request_id(call: Call) -> None:
    """The vault's description requires a PayPal-Request-Id."""
    if not call.request_id:
        raise invalid("MISSING_REQUIRED_PARAMETER", "PayPal-Request-Id")


def show_setup_token(account: Account, _: Call, token_id: str) -> Result:
    return Result(200, serializers.setup_token(account, token_id))


def approve(account: Account, row: Json, buyer: Buyer) -> Json:
    """Approve as the buyer."""
    if row["status"] != "PAYER_ACTION_REQUIRED":
        raise refused("SETUP_TOKEN_ALREADY_TOKENIZED")
    known: Json = {"email_address": buyer.email, "payer_id": buyer.payer_id, "account_id": buyer.payer_id}
    known["name"] = {"given_name": buyer.given_name, "surname": buyer.surname}
    row["payment_source"]["paypal"] |= known
    row["status"] = "APPROVED"
    account.set_internal(row["id"], buyer=buyer.name)
    account.record("vault.setup_approved", row["id"], customer=row["customer"]["id"], payer_id=buyer.payer_id)
    return account.save("setup_token", row)


def redirect_url(account: Account, row: Json, name: str) -> str | None:
    """Return the URL that the approval page redirects to; `name`: return_url or cancel_url."""
    tokens = {"approval_token_id": row["id"], "approval_session_id": row["id"]}
    return serializers.with_query(account.internal(row["id"])["context"].get(name), **tokens)


# ---- payment tokens ----------------------------------------------------------------------------------------------


def create_payment_token(account: Account, call: Call) -> Result:
    require_request_id(call)
    forced_errors.raise_if_forced(account, "payment_token")
    setup = account.find("setup_token", call.body["payment_source"]["token"]["id"])
    issues = {"PAYER_ACTION_REQUIRED": "PAYER_ACTION_REQUIRED", "VAULTED": "SETUP_TOKEN_ALREADY_TOKENIZED"}
    if issue := issues.get(setup["status"]):
        raise refused(issue, "/payment_source/token/id")
    account.save("setup_token", setup | {"status": "VAULTED"})
    buyer = account.internal(setup["id"])["buyer"]
    row = store(
        account, setup["customer"]["id"], setup["payment_source"]["paypal"], buyer, setup_token=setup["id"]
    )
    return Result(201, serializers.payment_token(account, row["id"]), object_id=row["id"])


def store(account: Account, customer: str, wallet: Json, buyer: str, **source: str) -> Json:
    row: Json = {
        "id": account.new_id(8).lower(),
        "customer": {"id": customer},
        "payment_source": {"paypal": copy.deepcopy(wallet)},
    }
    account.save("payment_token", row)
    account.set_internal(row["id"], buyer=buyer)
    account.record("vault.token_created", row["id"], customer=customer, **source)
    resource = serializers.payment_token(account, row["id"]) | {"time_created": account.stamp()}
    if "order" in source:
        resource["metadata"] = {"order_id": source["order"]}
    account.emit(
        "VAULT.PAYMENT-TOKEN.CREATED", "payment_token", resource, "A payment token has been created."
    )
    return row


def store_with_order(account: Account, order_id: str, buyer: Buyer) -> None:
    """Save the wallet if the order requests it (`store_in_vault: ON_SUCCESS`), and add it to the order."""
    attributes = account.internal(order_id).get("attributes", {})
    if attributes.get("vault", {}).get("store_in_vault") != "ON_SUCCESS":
        return
    customer = attributes.get("customer", {}).get("id") or account.new_id(10)
    wallet: Json = {name: attributes["vault"][name] for name in WALLET_OPTIONS if name in attributes["vault"]}
    wallet |= {"email_address": buyer.email, "payer_id": buyer.payer_id, "account_id": buyer.payer_id}
    token = store(account, customer, wallet, buyer.name, order=order_id)
    serialized = serializers.payment_token(account, token["id"])
    up = account.link("up", f"{serializers.ORDERS}/{order_id}")
    vaulted = {
        "id": token["id"],
        "status": "VAULTED",
        "customer": token["customer"],
        "links": [*serialized["links"], up],
    }
    order = copy.deepcopy(account.find("order", order_id))
    order["payment_source"]["paypal"]["attributes"] = {"vault": vaulted}
    account.save("order", order)


def token_for_order(account: Account, source: Json) -> Json | None:
    if "vault_id" not in source:
        return None
    token = account.get("payment_token", source["vault_id"])
    if token is None:
        raise refused("TOKEN_ID_NOT_FOUND", "/payment_source/paypal/vault_id")
    return token


def show_payment_token(account: Account, _: Call, token_id: str) -> Result:
    return Result(200, serializers.payment_token(account, token_id))


def list_payment_tokens(account: Account, call: Call) -> Result:
    query = call.query
    size, number = int(query.get("page_size", "5")), int(query.get("page", "1"))
    rows = [row for row in account.rows("payment_token") if row["customer"]["id"] == query["customer_id"]]
    part = rows[(number - 1) * size : number * size]
    body: Json = {
        "customer": {"id": query["customer_id"]},
        "payment_tokens": [serializers.payment_token(account, row["id"]) for row in part],
        "links": [account.link("self", f"{serializers.PAYMENT_TOKENS}?customer_id={query['customer_id']}")],
    }
    if query.get("total_required") == "true":
        body |= {"total_items": len(rows), "total_pages": math.ceil(len(rows) / size)}
    return Result(200, body)


def delete_payment_token(account: Account, _: Call, token_id: str) -> Result:
    """204 even if it does not exist; the description has no 404."""
    if account.get("payment_token", token_id):
        delete(account, token_id)
    return Result(204)


def delete(account: Account, token_id: str) -> None:
    row = serializers.payment_token(account, token_id)
    account.remove("payment_token", token_id)
    account.record("vault.token_deleted", token_id, customer=row["customer"]["id"])
    account.emit("VAULT.PAYMENT-TOKEN.DELETED", "payment_token", row, "A payment token has been deleted.")


def buyer_of(account: Account, token_id: str) -> Buyer:
    return BY_NAME[account.internal(token_id)["buyer"]]


SETUP, TOKENS = serializers.SETUP_TOKENS, serializers.PAYMENT_TOKENS
KEY_LIFETIME = 3 * HOUR
ROUTES = (
    Route(
        "POST", SETUP, create_setup_token, "setup_token_request",
        key_lifetime=KEY_LIFETIME, serialize=serializers.setup_token, compares_body=True,
    ),
    Route("GET", SETUP + "/{id}", show_setup_token),
    Route(
        "POST", TOKENS, create_payment_token, "payment_token_request",
        key_lifetime=KEY_LIFETIME, serialize=serializers.payment_token, compares_body=True,
    ),
    Route("GET", TOKENS, list_payment_tokens, query="payment_token_list_query"),
    Route("GET", TOKENS + "/{id}", show_payment_token),
    Route("DELETE", TOKENS + "/{id}", delete_payment_token),
)  # fmt: skip
