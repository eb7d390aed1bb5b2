"""Access tokens. https://developer.paypal.com/api/rest/authentication/"""

import base64
import binascii
import secrets
from urllib.parse import parse_qs

from sandbox.http_messages import Json, Request
from sandbox.paypal_api.account import NAME, Account
from sandbox.paypal_api.errors import ApiError, problem, unauthorized

TABLE = f"{NAME}.token"
SCOPE = (
    "https://uri.paypal.com/services/payments/payment/authcapture https://uri.paypal.com/services/payments/refund "
    "https://uri.paypal.com/services/applications/webhooks https://uri.paypal.com/services/reporting/search/read "
    "https://uri.paypal.com/services/vault/payment-tokens/readwrite openid"
)


def grant(account: Account, request: Request) -> Json:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    try:
        client = base64.b64decode(given, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        client = ""
    name, _, secret = client.partition(":")
    wanted = account.settings["client"]
    if scheme.lower() != "basic" or not name or not secret or client != (wanted or client):
        raise unauthorized("invalid_client", "Client Authentication failed")
    if parse_qs(request.body.decode(errors="replace")).get("grant_type") != ["client_credentials"]:
        text = "unsupported grant_type"
        raise ApiError(400, {"error": "unsupported_grant_type", "error_description": text})
    seconds = int(account.settings["token_seconds"])
    token = f"A21AA{secrets.token_urlsafe(48)}"
    account.store.save(TABLE, token, {"until": account.now() + seconds, "client": name})
    return {
        "scope": SCOPE,
        "access_token": token,
        "token_type": "Bearer",
        "app_id": "APP-80W284485P519543T",
        "expires_in": seconds,
        "nonce": f"{account.stamp()}{secrets.token_urlsafe(24)}",
    }


def check(account: Account, request: Request) -> None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise problem(401, "AUTHENTICATION_FAILURE")
    row = account.store.table(TABLE).get(token)
    if row is None:
        raise unauthorized("invalid_token", "Token signature verification failed")
    if row["until"] <= account.now():
        raise unauthorized("invalid_token", "Access Token not found in cache")


def expire(account: Account) -> int:
    """Expire every access token. Returns how many were valid."""
    good = [token for token, row in account.store.table(TABLE).items() if row["until"] > account.now()]
    for token in good:
        account.store.save(TABLE, token, {**account.store.table(TABLE)[token], "until": 0})
    return len(good)
