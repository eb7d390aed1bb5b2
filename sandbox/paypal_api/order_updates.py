"""PATCH of an order: the four fields of its purchase unit that can change before capture."""

import copy

from sandbox.paypal_api import orders, serializers
from sandbox.paypal_api.account import Account
from sandbox.paypal_api.amounts import check_unit
from sandbox.paypal_api.errors import refused
from sandbox.paypal_api.money import units_of
from sandbox.paypal_api.routes import Call, Result, Route

UNIT = "/purchase_units/@reference_id=='{}'/"
CHANGEABLE = {"amount": dict, "custom_id": str, "description": str, "invoice_id": str}


def patch(account: Account, call: Call, order_id: str) -> Result:
    row = account.find("order", order_id)
    if row["status"] not in {"CREATED", "PAYER_ACTION_REQUIRED", "APPROVED"}:
        raise refused("ORDER_ALREADY_COMPLETED")
    unit = copy.deepcopy(row["purchase_units"][0])
    start = UNIT.format(unit["reference_id"])
    for change in call.body:
        name = change["path"].removeprefix(start)
        if not isinstance(change["value"], CHANGEABLE.get(name, ())):
            raise refused("INVALID_JSON_POINTER_FORMAT", change["path"])
        unit[name] = change["value"]
    total = check_unit(unit, start.rstrip("/"))
    if row["status"] == "APPROVED" and total > units_of(row["purchase_units"][0]["amount"]):
        raise refused("AMOUNT_CHANGE_NOT_ALLOWED", f"{start}amount")
    row |= {"purchase_units": [unit], "update_time": account.stamp()}
    account.save("order", row)
    account.record("order.updated", order_id, **serializers.order_journal_fields(row))
    return Result(204)


ROUTES = (Route("PATCH", orders.PATH + "/{id}", patch, "order_patch_request"),)
