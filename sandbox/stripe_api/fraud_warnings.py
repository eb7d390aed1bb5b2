"""https://docs.stripe.com/api/radar/early_fraud_warnings"""

from sandbox.http_messages import Json
from sandbox.stripe_api.account import Account
from sandbox.stripe_api.parameters import Text
from sandbox.stripe_api.routes import Call, Route, list_params, page

KIND, PATH = "radar.early_fraud_warning", "/v1/radar/early_fraud_warnings"


def warn(account: Account, charge_id: str, fraud_type: str) -> Json:
    """The bank reports the charge as fraud; no money moves."""
    charge = account.find("charge", charge_id)
    row = account.save(
        {
            "id": account.new_id("issfr"),
            "object": KIND,
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


def retrieve(account: Account, _: Call, warning_id: str) -> Json:
    return account.find(KIND, warning_id)


def list_all(account: Account, call: Call) -> Json:
    filters = {name: call.params.get(name) for name in ("charge", "payment_intent")}
    return page(account, call, KIND, PATH, **filters)


ROUTES = (
    Route("GET", PATH, list_all, list_params(charge=Text(), payment_intent=Text())),
    Route("GET", f"{PATH}/{{id}}", retrieve),
)
