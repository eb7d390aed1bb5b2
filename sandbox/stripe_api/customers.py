"""https://docs.stripe.com/api/customers"""

from sandbox.http_messages import Json
from sandbox.stripe_api.account import Account
from sandbox.stripe_api.parameters import ADDRESS, SHIPPING, Kind, Many, Map, Metadata, Text, merged
from sandbox.stripe_api.routes import Call, Route, list_params, page

FIELDS: dict[str, Kind] = {
    "address": ADDRESS,
    "description": Text(unset=True),
    "email": Text(512, unset=True),
    "invoice_settings": Map({"default_payment_method": Text(unset=True)}),
    "metadata": Metadata(),
    "name": Text(256, unset=True),
    "phone": Text(20, unset=True),
    "preferred_locales": Many(Text()),
    "shipping": SHIPPING,
}
PLAIN = ("address", "description", "email", "name", "phone", "preferred_locales", "shipping")


def create(account: Account, call: Call) -> Json:
    row = account.save(
        {
            "id": account.new_id("cus", 14),
            "object": "customer",
            "address": None,
            "balance": 0,
            "created": account.now(),
            "currency": None,
            "default_source": None,
            "delinquent": False,
            "description": None,
            "discount": None,
            "email": None,
            "invoice_prefix": account.new_id("X", 7)[2:].upper(),
            "invoice_settings": {
                "custom_fields": None,
                "default_payment_method": None,
                "footer": None,
                "rendering_options": None,
            },
            "livemode": False,
            "metadata": {},
            "name": None,
            "next_invoice_sequence": 1,
            "phone": None,
            "preferred_locales": [],
            "shipping": None,
            "tax_exempt": "none",
            "test_clock": None,
        }
    )
    change(row, call.params)
    account.record("customer.created", row)
    account.emit("customer.created", row)
    return row


def change(row: Json, params: Json) -> None:
    row.update({name: params[name] for name in PLAIN if name in params})
    row["invoice_settings"] |= params.get("invoice_settings", {})
    if "metadata" in params:
        row["metadata"] = merged(row["metadata"], params["metadata"])


def retrieve(account: Account, _: Call, customer_id: str) -> Json:
    """A deleted customer can be retrieved, with its ID and `deleted` only."""
    return account.get("customer", customer_id) or account.find("customer", customer_id)


def update(account: Account, call: Call, customer_id: str) -> Json:
    row = account.find("customer", customer_id)
    before = dict(row)
    change(row, call.params)
    account.save(row)
    account.emit("customer.updated", row, before)
    return row


def delete(account: Account, _: Call, customer_id: str) -> Json:
    return delete_row(account, account.find("customer", customer_id))


def delete_row(account: Account, row: Json) -> Json:
    """Detach the customer's cards and keep the ID only."""
    customer_id = row["id"]
    for method in account.rows("payment_method"):
        if method["customer"] == customer_id:
            account.save(method | {"customer": None})
            account.set_internal(method["id"], used=True)
    account.emit("customer.deleted", row)
    account.record("customer.deleted", row)
    return account.save({"id": customer_id, "object": "customer", "deleted": True})


def list_all(account: Account, call: Call) -> Json:
    """Deleted customers are not listed."""
    return page(account, call, "customer", "/v1/customers", deleted=False, email=call.params.get("email"))


ROUTES = (
    Route("POST", "/v1/customers", create, Map(FIELDS)),
    Route("GET", "/v1/customers", list_all, list_params(email=Text())),
    Route("GET", "/v1/customers/{id}", retrieve),
    Route("POST", "/v1/customers/{id}", update, Map(FIELDS)),
    Route("DELETE", "/v1/customers/{id}", delete),
)
