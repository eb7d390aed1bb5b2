"""The pages on which test buyers approve an order or save their wallet."""

from collections.abc import Mapping
from http import HTTPStatus

from sandbox.http_messages import Json, Request, Response, page_response, redirect
from sandbox.journal import Origin, origin
from sandbox.paypal_api import orders, vault
from sandbox.paypal_api.account import Account
from sandbox.paypal_api.buyers import BUYERS, BY_NAME, INSTRUMENTS
from sandbox.paypal_api.errors import ApiError
from sandbox.paypal_api.money import format_amount, units_of
from sandbox.templates import Markup, render, render_each, render_page

ORDER, WALLET = "/checkoutnow", "/agreements/approve"
GO_BACK = "You can close this page and return to the shop."


class Pages:
    def __init__(self, account: Account) -> None:
        self._account = account

    def owns(self, path: str) -> bool:
        return path in {ORDER, WALLET}

    def respond(self, request: Request) -> Response:
        token = origin.set(Origin("browser", request.id))
        with self._account.simulator.lock:
            try:
                action = request.arguments.get("action", "") if request.method == "POST" else ""
                if request.path == ORDER:
                    return self._order(request.arguments, action)
                return self._wallet(request.arguments, action)
            except ApiError as error:
                return message("Not possible", str(error), HTTPStatus.NOT_FOUND)
            finally:
                origin.reset(token)
                self._account.store.commit()

    # ---- an order ------------------------------------------------------------------------------------------------

    def _order(self, form: Mapping[str, str], action: str) -> Response:
        account = self._account
        row = account.find("order", form.get("token", ""))
        if action == "cancel":
            account.record("order.cancelled", row["id"], order=row["id"])
            return leave(orders.cancel_url(account, row), "Nothing was paid.")
        if not orders.awaits_buyer(account, row):
            return leave(orders.return_url(account, row), "No further action is needed.")
        buyer = form.get("buyer") or account.internal(row["id"]).get("buyer")
        if action == "approve" and buyer in BY_NAME:
            instrument = form.get("instrument")
            orders.approve(
                account, row, BY_NAME[buyer], instrument if instrument in dict(INSTRUMENTS) else None
            )
            return leave(orders.return_url(account, row), "You have approved the payment.")
        return page_response(self._order_page(row))

    def _order_page(self, row: Json) -> str:
        context = self._account.internal(row["id"])["context"]
        unit = row["purchase_units"][0]
        total = amount_text(unit["amount"])
        declined = self._account.internal(row["id"]).get("failed", 0) > 0
        pays_now = context.get("user_action") == "PAY_NOW"
        return render_page(
            "paypal_order.html",
            title="PayPal",
            shop=context.get("brand_name", "Test Store"),
            problem=self._declined(row) if declined else "",
            lines=render_each("paypal_line.html", lines(unit)),
            total=total,
            choices=instrument_choices() if declined else buyer_choices(),
            legend="Pay with" if declined else "Log in as",
            button=f"Pay {total}" if pays_now else f"Approve {total}",
            after="" if pays_now else "You can review your order in the shop before paying.",
        )

    def _declined(self, row: Json) -> Markup:
        name = row["payer"]["name"]["given_name"]
        if self._account.internal(row["id"])["instrument"] == "unconfirmed":
            return render("problem.html", text=f"{name}, your bank asks you to confirm this payment.")
        return render("problem.html", text=f"{name}, your card was declined. Choose another way to pay.")

    # ---- saving a wallet ------------------------------------------------------------------------------------------

    def _wallet(self, form: Mapping[str, str], action: str) -> Response:
        account = self._account
        row = account.find("setup_token", form.get("approval_session_id", ""))
        context = account.internal(row["id"])["context"]
        if action == "cancel":
            account.record("vault.setup_cancelled", row["id"], customer=row["customer"]["id"])
            return leave(vault.redirect_url(account, row, "cancel_url"), "Nothing was saved.")
        if row["status"] == "PAYER_ACTION_REQUIRED" and action == "approve" and form.get("buyer") in BY_NAME:
            vault.approve(account, row, BY_NAME[form["buyer"]])
        if row["status"] != "PAYER_ACTION_REQUIRED":
            return leave(
                vault.redirect_url(account, row, "return_url"), "Your PayPal account is saved with the shop."
            )
        wallet = row["payment_source"]["paypal"]
        shop = context.get("brand_name", "Test Store")
        text = wallet.get("description", "For future purchases.")
        return page_response(
            render_page("paypal_wallet.html", title="PayPal", shop=shop, text=text, choices=buyer_choices())
        )


def lines(unit: Json) -> list[dict[str, object]]:
    """Return the items and extra charges, or one line for the whole order."""
    items: list[dict[str, object]] = []
    for item in unit.get("items", []):
        price, quantity = item["unit_amount"], int(item["quantity"])
        amount = format_amount(units_of(price) * quantity, price["currency_code"])
        items.append({"name": f"{item['name']} × {quantity}", "amount": amount})
    breakdown = unit["amount"].get("breakdown", {})
    for name, label in (
        ("shipping", "Shipping"),
        ("handling", "Handling"),
        ("tax_total", "Tax"),
        ("insurance", "Insurance"),
    ):
        if name in breakdown:
            items.append({"name": label, "amount": amount_text(breakdown[name])})
    for name in ("shipping_discount", "discount"):
        if name in breakdown:
            items.append({"name": "Discount", "amount": f"–{amount_text(breakdown[name])}"})
    if not unit.get("items"):
        items.insert(0, {"name": unit.get("description", "Your order"), "amount": ""})
    return items


def amount_text(amount: Json) -> str:
    return format_amount(units_of(amount), amount["currency_code"])


def buyer_choices() -> Markup:
    rows: list[dict[str, object]] = [
        {
            "field": "buyer",
            "value": buyer.name,
            "name": f"{buyer.given_name} {buyer.surname}",
            "label": buyer.label,
            "checked": Markup("checked") if buyer is BUYERS[0] else "",
        }
        for buyer in BUYERS
    ]
    return render_each("paypal_choice.html", rows)


def instrument_choices() -> Markup:
    rows: list[dict[str, object]] = [
        {
            "field": "instrument",
            "value": name,
            "name": label,
            "label": "",
            "checked": Markup("checked") if name == "bank" else "",
        }
        for name, label in INSTRUMENTS
    ]
    return render_each("paypal_choice.html", rows)


def leave(url: str | None, text: str) -> Response:
    """Redirect to the shop, or show a page if the shop gave no URL."""
    return redirect(url) if url else message("Thank you", f"{text} {GO_BACK}")


def message(heading: str, text: str, status: int = 200) -> Response:
    return page_response(render_page("message.html", title=heading, heading=heading, text=text), status)
