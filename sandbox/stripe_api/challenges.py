"""3-D Secure challenges, which buyers complete with their bank before a payment or setup continues."""

from sandbox.http_messages import Json
from sandbox.stripe_api.account import Account

TABLE = "stripe.challenge"


def begin(account: Account, intent: Json, *, return_url: str | None, sdk: bool) -> Json:
    """Create a challenge, which replaces an earlier one of the intent. Returns the `next_action` for it."""
    challenge = {
        "id": account.new_id("payatt_3ds"),
        "kind": intent["object"],
        "intent": intent["id"],
        "return_url": return_url,
        "state": "open",
    }
    account.store.save(TABLE, challenge["id"], challenge)
    account.set_internal(intent["id"], challenge=challenge["id"])
    address = f"{account.simulator.base_url}/3d_secure/{challenge['id']}"
    if return_url and not sdk:
        return {"redirect_to_url": {"return_url": return_url, "url": address}, "type": "redirect_to_url"}
    details = {"type": "three_d_secure_redirect", "stripe_js": address, "source": challenge["id"]}
    return {"type": "use_stripe_sdk", "use_stripe_sdk": details}


def current(account: Account, challenge_id: str) -> tuple[Json, Json] | None:
    """Return the challenge and its intent while the intent requires it."""
    challenge = account.store.table(TABLE).get(challenge_id)
    if challenge is None or challenge["state"] != "open":
        return None
    intent = account.find(challenge["kind"], challenge["intent"])
    if (
        intent["status"] != "requires_action"
        or account.internal(intent["id"]).get("challenge") != challenge_id
    ):
        return None
    return challenge, intent


def of_intent(account: Account, intent: Json) -> str | None:
    name = account.internal(intent["id"]).get("challenge")
    return name if name and current(account, name) else None


def close(account: Account, challenge: Json) -> None:
    account.store.save(TABLE, challenge["id"], challenge | {"state": "answered"})
