"""Pages and scripts for buyers' browsers: Stripe.js, card form, 3-D Secure, hosted checkout."""

from http import HTTPStatus
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from sandbox.http_messages import Json, Request, Response, page_response, redirect
from sandbox.journal import Origin, origin
from sandbox.stripe_api import challenges, checkout_sessions
from sandbox.stripe_api.account import Account
from sandbox.stripe_api.cards import CARDS, Card
from sandbox.stripe_api.control_actions import answer_challenge
from sandbox.stripe_api.errors import ApiError
from sandbox.stripe_api.money import format_amount
from sandbox.templates import Markup, render, render_each, render_page

STATIC = Path(__file__).parent.parent / "static"
TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
PREFIXES = ("/v3/", "/3d_secure/", "/c/pay/", "/receipts/", "/_static/")
STATUSES = {"succeeded": "succeeded", "processing": "pending"}


class Pages:
    def __init__(self, account: Account) -> None:
        self._account = account

    def owns(self, path: str) -> bool:
        return path == "/v3" or path.startswith(PREFIXES) or path.endswith("/stripe.js")

    def respond(self, request: Request) -> Response:
        token = origin.set(Origin("browser", request.id))
        with self._account.simulator.lock:
            try:
                return self._route(request)
            except ApiError as error:
                return message("Not found", str(error), HTTPStatus.NOT_FOUND)
            finally:
                origin.reset(token)
                self._account.store.commit()

    def _route(self, request: Request) -> Response:
        match request.path.strip("/").split("/"):
            case ["3d_secure", challenge_id]:
                return self._challenge(request, challenge_id)
            case ["c", "pay", session_id]:
                return self._hosted(request, self._account.find("checkout.session", session_id))
            case ["c", "pay", session_id, "back"]:
                return self._back(self._account.find("checkout.session", session_id))
            case ["receipts", charge_id]:
                charge = self._account.find("charge", charge_id)
                paid = f"{format_amount(charge['amount'], charge['currency'])}, {charge['status']}."
                return message("Receipt", paid)
        return script_or_frame(request.path)

    def _challenge(self, request: Request, challenge_id: str) -> Response:
        in_window = request.arguments.get("window", "")
        found = challenges.current(self._account, challenge_id)
        if found is None:
            return page_response(
                answered_page("Nothing to confirm", "This step was already completed or is no longer needed.")
            )
        challenge, intent = found
        if request.method != "POST":
            amount = format_amount(intent["amount"], intent["currency"]) if "amount" in intent else "$0.00"
            return page_response(
                render_page("challenge.html", title="3-D Secure", amount=amount, window=in_window)
            )
        passed = request.arguments.get("answer") == "complete"
        answer_challenge(self._account, challenge_id, passed=passed)
        if in_window or not challenge["return_url"]:
            return page_response(answered_page("Thank you", "You can return to the shop."))
        return redirect(return_url(challenge["return_url"], intent))

    def _hosted(self, request: Request, row: Json) -> Response:
        if row["status"] == "complete":
            return redirect(success_url(row))
        if row["status"] == "expired":
            return message(
                "This checkout has expired", "Nothing was charged. Return to the shop to try again."
            )
        problem = ""
        if request.method == "POST":
            try:
                intent = checkout_sessions.pay(self._account, row, chosen_payment_method(request.arguments))
            except ApiError as error:
                problem = str(error)
            else:
                return redirect(next_url(row, intent))
        status = HTTPStatus.PAYMENT_REQUIRED if problem else HTTPStatus.OK
        return page_response(self._hosted_page(row, problem), status)

    def _back(self, row: Json) -> Response:
        """Redirect from 3-D Secure to the shop, or show the payment page again."""
        if row["status"] == "complete":
            return redirect(success_url(row))
        intent = self._account.get("payment_intent", row["payment_intent"])
        setup = self._account.get("setup_intent", row["setup_intent"])
        error = (intent or {}).get("last_payment_error") or (setup or {}).get("last_setup_error") or {}
        return page_response(self._hosted_page(row, error.get("message", "")))

    def _hosted_page(self, row: Json, problem: str) -> str:
        lines = [
            {
                "name": line["description"],
                "quantity": line["quantity"],
                "amount": format_amount(line["amount_total"], line["currency"]),
            }
            for line in self._account.internal(row["id"])["lines"]
        ]
        total = format_amount(row["amount_total"], row["currency"]) if row["amount_total"] else "–"
        paying = row["mode"] == "payment"
        cancel = row["cancel_url"]
        return render_page(
            "hosted.html",
            title="Checkout",
            heading="Pay by card" if paying else "Save a card",
            problem=render("problem.html", text=problem) if problem else "",
            lines=render_each("hosted_line.html", lines),
            total=total,
            cards=render_each("hosted_card.html", [card_context(card) for card in CARDS]),
            button=f"Pay {total}" if paying else "Save card",
            cancel=render("link.html", address=cancel, text="Cancel and return to shop") if cancel else "",
        )


def script_or_frame(path: str) -> Response:
    match path.strip("/").split("/"):
        case ["v3"] | [*_, "stripe.js"]:
            return static("stripe.js")
        case ["v3", "element"]:
            cards = render_each("element_card.html", [card_context(card) for card in CARDS])
            return page_response(render("element.html", cards=cards))
        case ["v3", "controller"]:
            return page_response(render("controller.html"))
        case ["_static", name]:
            return static(name)
    return message("Not found", "This page does not exist.", HTTPStatus.NOT_FOUND)


def static(name: str) -> Response:
    file = STATIC / name
    if file.parent != STATIC or not file.is_file():
        return message("Not found", "This file does not exist.", HTTPStatus.NOT_FOUND)
    headers = {
        "Content-Type": TYPES[file.suffix],
        "Cache-Control": "no-cache",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(200, file.read_bytes(), headers)


def message(heading: str, text: str, status: int = 200) -> Response:
    return page_response(render_page("message.html", title=heading, heading=heading, text=text), status)


def answered_page(heading: str, text: str) -> str:
    return render_page("answered.html", title=heading, heading=heading, text=text)


def card_context(card: Card) -> dict[str, object]:
    spaced = " ".join(card.number[start : start + 4] for start in range(0, len(card.number), 4))
    return {
        "number": card.number,
        "spaced": spaced,
        "label": card.label,
        "cvc": "1234" if card.brand == "amex" else "123",
        "token": f"pm_card_{card.name}",
        "checked": Markup("checked") if card.name == "visa" else "",
    }


def chosen_payment_method(arguments: dict[str, str]) -> Json:
    """Return the payment method parameters of the hosted form: a listed test card or a typed one."""
    if arguments.get("card") != "typed":
        return {"payment_method": arguments.get("card", "pm_card_visa")}
    card = {"number": arguments.get("number", ""), "exp_month": 12, "exp_year": 2034}
    return {"payment_method_data": {"type": "card", "card": card}}


def next_url(row: Json, intent: Json) -> str:
    if intent["status"] == "requires_action":
        return str(intent["next_action"]["redirect_to_url"]["url"])
    return success_url(row)


def success_url(row: Json) -> str:
    return str(row["success_url"]).replace("{CHECKOUT_SESSION_ID}", row["id"])


def return_url(url: str, intent: Json) -> str:
    """Return the URL after 3-D Secure, with the parameters that Stripe adds."""
    name = str(intent["object"])
    parts = urlsplit(url)
    added = {
        name: intent["id"],
        f"{name}_client_secret": intent["client_secret"],
        "redirect_status": STATUSES.get(intent["status"], "failed"),
    }
    query = urlencode(parse_qsl(parts.query, keep_blank_values=True) + list(added.items()))
    return urlunsplit(parts._replace(query=query))
