"""https://docs.stripe.com/api/radar/early_fraud_warnings"""

from sandbox.http_messages import Json
from sandbox.stripe_api.account import Account


def warn(account: Account, charge_id: str, fraud_type: str) -> Json:
    """The bank reports the charge as fraud; no money moves."""
    charge = account.find("charge", charge_id)
    row = account.save(
        {
            "id": account.new_id("issfr"),
            "object": "radar.early_fraud_warning",
            "actionable": not (charge["disputed"] or charge["refunded"]),
            "charge": charge_id,
            "created": account.now(),
            "fraud_type": fraud_type,
            "livemode": False,
            "payment_intent": charge["payment_intent"],
        }
    )
    account.emit("radar.early_fraud_warning.created", row)
    return row
