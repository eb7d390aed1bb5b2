"""Handles one Stripe request: API key, parameters, idempotency, effect, expansion, response."""

import base64
import binascii
import functools
import json
from collections.abc import Iterable, Mapping

from sandbox.faults import Action, Fault
from sandbox.http_messages import Json, Request, Response
from sandbox.journal import Origin, origin
from sandbox.simulator import Simulator
from sandbox.stripe_api import (
    charges,
    checkout_sessions,
    customers,
    disputes,
    events,
    fraud_warnings,
    idempotency,
    payment_intents,
    payment_methods,
    refunds,
    setup_intents,
)
from sandbox.stripe_api.account import API_VERSION, NAME, Account
from sandbox.stripe_api.control_actions import StripeActions, register_jobs
from sandbox.stripe_api.errors import INVALID, ApiError, refused, unauthorized
from sandbox.stripe_api.expand import check_paths, expand
from sandbox.stripe_api.forms import parse_form
from sandbox.stripe_api.pages import Pages
from sandbox.stripe_api.routes import Call, Route
from sandbox.stripe_api.versions import check_version, object_in

RESOURCES = (
    charges, checkout_sessions, customers, disputes, events, fraud_warnings, payment_intents, payment_methods, refunds,
    setup_intents,
)  # fmt: skip
ROUTES: tuple[Route, ...] = tuple(route for resource in RESOURCES for route in resource.ROUTES)
OUTAGE = ApiError(500, "api_error", "An unknown error occurred")
ARRIVAL = {
    429: ApiError(429, INVALID, "Request rate limit exceeded.", code="rate_limit"),
    423: ApiError(
        429,
        INVALID,
        "This object cannot be accessed right now because another API request or Stripe process is currently accessing "
        "it. If you see this error intermittently, retry the request. If you see this error frequently and are making "
        "multiple concurrent requests to a single object, make your requests serially or at a lower rate.",
        code="lock_timeout",
    ),
    503: ApiError(503, "api_error", "The service is temporarily unavailable."),
    401: ApiError(
        401, INVALID, "Invalid API Key provided: sk_test_********************box", code="api_key_expired"
    ),
    403: ApiError(
        403,
        INVALID,
        "The provided key 'rk_test_********************box' does not have the required permissions for this "
        "endpoint on account 'acct_sandbox'. Having more permissions would allow this request to continue.",
        code="more_permissions_required",
    ),
}
# What a publishable key may see: https://docs.stripe.com/js/payment_intents/retrieve_payment_intent
HIDDEN = {
    "payment_intent": {
        "amount_capturable", "amount_details", "amount_received", "application", "application_fee_amount", "customer",
        "customer_account", "latest_charge", "metadata", "on_behalf_of", "payment_method_options", "review",
        "statement_descriptor", "statement_descriptor_suffix", "transfer_data", "transfer_group",
    },
    "setup_intent": {
        "application", "customer", "latest_attempt", "mandate", "metadata", "on_behalf_of",
        "payment_method_options", "single_use_mandate",
    },
}  # fmt: skip


class StripeApi:
    name = NAME

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._account = Account(simulator)
        self._pages = Pages(self._account)
        self._control_actions = StripeActions(self._account)
        register_jobs(self._account)
        build = functools.partial(events.build_delivery, self._account)
        simulator.webhooks.register_provider(NAME, build, events.RETRY_SECONDS)
        with simulator.lock:
            idempotency.release_unfinished(self._account)

    def add_endpoint(self, url: str, secret: str) -> None:
        with self._simulator.lock:
            events.ensure_endpoint(self._account, url, secret)
            self._simulator.store.commit()

    def owns(self, path: str) -> bool:
        return path.startswith("/v1/") or self._pages.owns(path)

    def control(self, action: str, body: Json) -> Json:
        return self._control_actions.run(action, body)

    def refusal(self, answer: Json) -> str:
        error = answer.get("error", {})
        return ": ".join(filter(None, [error.get("code"), error.get("message")]))

    def overview(self) -> list[Json]:
        return self._control_actions.overview()

    def respond(self, request: Request, fault: Fault) -> Response:
        if early := fault.on_arrival():
            return error_response(ARRIVAL[early.status], request, early.headers)
        if self._pages.owns(request.path):
            fault.on_execution()
            return self._pages.respond(request)
        try:
            response = self._answer_api(request, fault)
        except ApiError as error:
            response = error_response(error, request)
        response.headers |= {
            "Content-Type": "application/json",
            "Request-Id": request.id,
            "Stripe-Version": request.headers.get("stripe-version", API_VERSION),
        }
        if key := request.headers.get("idempotency-key"):
            response.headers["Idempotency-Key"] = key
        return response

    def _answer_api(self, request: Request, fault: Fault) -> Response:
        raw = parse_form("&".join(filter(None, [request.query, request.body.decode(errors="replace")])))
        check_version(request.headers.get("stripe-version", API_VERSION))
        public = is_public(request, raw)
        key = request.headers.get("idempotency-key") if request.method == "POST" else None
        if not key:
            return self._execute(request, raw, fault, public=public)
        with self._simulator.lock:
            if saved := idempotency.begin(self._account, key, request, raw):
                return saved
        try:
            response = self._execute(request, raw, fault, public=public)
        except ApiError as error:
            response = error_response(error, request)
            if not error.stored:
                self._release(key)
                return response
        except Exception:
            self._release(key)
            raise
        with self._simulator.lock:
            idempotency.save_response(self._account, key, response)
            self._simulator.store.commit()
        return response

    def _release(self, key: str) -> None:
        with self._simulator.lock:
            idempotency.release(self._account, key)

    def _execute(self, request: Request, raw: Json, fault: Fault, *, public: bool) -> Response:
        route, ids = find_route(request)
        secret = raw.pop("client_secret", None)
        if public and not route.public:
            message = "This API call cannot be made with a publishable API key. Please use a secret API key."
            raise unauthorized(message, "secret_key_required")
        params = route.all_params.read(raw)
        check_paths(route, params.get("expand", []))
        fault.on_execution()
        if fault.action is Action.ERROR_BEFORE:
            raise OUTAGE
        actor = "browser" if public else "api"
        version = request.headers.get("stripe-version", API_VERSION)
        token = origin.set(Origin(actor, request.id, request.headers.get("idempotency-key")))
        with self._simulator.lock:
            try:
                response = self._run(route, ids, Call(params, public, version), secret)
            finally:
                origin.reset(token)
                self._simulator.store.commit()
        if fault.action is Action.ERROR_AFTER:
            raise OUTAGE
        return response

    def _run(self, route: Route, ids: Iterable[str], call: Call, secret: str | None) -> Response:
        if call.public or secret:
            self._check_secret(route, ids, secret)
        try:
            answer = route.handler(self._account, call, *ids)
        except ApiError as error:
            if call.public:
                error.body = public_fields(error.body)
            raise
        answer = object_in(self._account, call.version, answer)
        answer = expand(self._account, answer, call.params.get("expand", []))
        return Response(200, json.dumps(public_fields(answer) if call.public else answer, indent=2).encode())

    def _check_secret(self, route: Route, ids: Iterable[str], secret: str | None) -> None:
        """A browser must send the client secret of the intent."""
        kind = {"payment_intents": "payment_intent", "setup_intents": "setup_intent"}.get(
            route.path.split("/")[2]
        )
        if kind is None:
            return
        for intent_id in ids:
            if self._account.find(kind, intent_id, "intent")["client_secret"] != secret:
                message = f"The client_secret provided does not match any associated {kind} on this account."
                raise refused(message, f"{kind}_invalid_parameter", "client_secret")


def find_route(request: Request) -> tuple[Route, list[str]]:
    for route in ROUTES:
        if route.method == request.method and (match := route.pattern.fullmatch(request.path)):
            return route, list(match.groups())
    message = (
        f"Unrecognized request URL ({request.method}: {request.path}). The sandbox does not simulate it."
    )
    raise ApiError(404, INVALID, message, stored=False)


def is_public(request: Request, raw: Json) -> bool:
    """Validate the API key and return whether it is publishable. Removes `key` from the parameters."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            value = base64.b64decode(value, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            value = ""
    key = value or str(raw.pop("key", ""))
    raw.pop("key", None)
    if not key:
        message = (
            "You did not provide an API key. You need to provide your API key in the Authorization header, using "
            "Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
        )
        raise unauthorized(message)
    if key.startswith("pk_test_"):
        return True
    if not key.startswith(("sk_test_", "rk_test_")):
        raise unauthorized(f"Invalid API Key provided: {key[:8]}{'*' * 8}{key[-4:]}")
    return False


def public_fields(answer: Json) -> Json:
    """Remove fields that need the secret key, also from intents inside an error."""
    hidden = HIDDEN.get(answer.get("object", ""), set())
    shown = {name: value for name, value in answer.items() if name not in hidden}
    for name in ("payment_intent", "setup_intent"):
        if isinstance(shown.get(name), dict):
            shown[name] = public_fields(shown[name])
    return shown


def error_response(error: ApiError, request: Request, headers: Mapping[str, str] | None = None) -> Response:
    logs = {"request_log_url": f"https://dashboard.stripe.com/test/logs/{request.id}?t=0"}
    body = json.dumps({"error": error.body | logs}, indent=2).encode()
    return Response(error.status, body, {"Content-Type": "application/json"} | dict(headers or {}))
