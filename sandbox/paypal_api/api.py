"""Handles one PayPal request: access token, fields, PayPal-Request-Id, effect, response."""

import functools
import json
import secrets
from collections.abc import Mapping

from sandbox.faults import Action, Fault
from sandbox.http_messages import Json, Request, Response, json_response
from sandbox.journal import Origin, origin
from sandbox.paypal_api import (
    access_tokens,
    captures,
    disputes,
    order_updates,
    orders,
    refunds,
    request_ids,
    transaction_search,
    vault,
    webhooks,
)
from sandbox.paypal_api.account import NAME, Account
from sandbox.paypal_api.certificates import Certificates
from sandbox.paypal_api.control_actions import PayPalActions, register_jobs
from sandbox.paypal_api.errors import ApiError, detail, issue_of, missing_resource, problem, unauthorized
from sandbox.paypal_api.pages import Pages
from sandbox.paypal_api.routes import Call, Result, Route, parse_call
from sandbox.simulator import Simulator

RESOURCES = (captures, disputes, webhooks, order_updates, orders, refunds, transaction_search, vault)
ROUTES: tuple[Route, ...] = tuple(route for resource in RESOURCES for route in resource.ROUTES)
TOKEN = "/v1/oauth2/token"  # noqa: S105 (an address)
PREFIXES = (
    "/v1/oauth2/",
    "/v1/notifications/",
    "/v1/reporting/",
    "/v1/customer/disputes",
    "/v2/",
    "/v3/vault/",
)
ARRIVAL = {
    403: (403, "NOT_AUTHORIZED"),
    423: (409, "RESOURCE_CONFLICT"),
    429: (429, "RATE_LIMIT_REACHED"),
    503: (503, "SERVICE_UNAVAILABLE"),
}
ISSUES_AT_ARRIVAL = {403: "PERMISSION_DENIED", 423: "PREVIOUS_REQUEST_IN_PROGRESS"}


class PayPalApi:
    name = NAME

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._account = Account(simulator, Certificates(simulator.folder))
        self._pages = Pages(self._account)
        self._control_actions = PayPalActions(self._account)
        register_jobs(self._account)
        build = functools.partial(webhooks.build_delivery, self._account)
        simulator.webhooks.register_provider(NAME, build, webhooks.RETRY_SECONDS)
        with simulator.lock:
            request_ids.release_unfinished(self._account)

    def add_endpoint(self, url: str, webhook_id: str) -> None:
        with self._simulator.lock:
            webhooks.ensure_endpoint(self._account, url, webhook_id, ["*"])
            self._simulator.store.commit()

    def owns(self, path: str) -> bool:
        return path.startswith(PREFIXES) or self._pages.owns(path)

    def control(self, action: str, body: Json) -> Json:
        return self._control_actions.run(action, body)

    def refusal(self, answer: Json) -> str:
        return issue_of(answer) or answer.get("error_description") or answer.get("message", "")

    def overview(self) -> list[Json]:
        return self._control_actions.overview()

    def respond(self, request: Request, fault: Fault) -> Response:
        if early := fault.on_arrival():
            return error_response(at_arrival(early.status), early.headers)
        if self._pages.owns(request.path):
            fault.on_execution()
            return self._pages.respond(request)
        if request.path.startswith(webhooks.CERTIFICATES):
            fault.on_execution()
            return self._certificate(request.path.removeprefix(webhooks.CERTIFICATES))
        try:
            answer = self._grant(request, fault) if is_grant(request) else self._answer_api(request, fault)
        except ApiError as error:
            return error_response(error)
        return response_of(answer)

    def _certificate(self, name: str) -> Response:
        chain = self._account.certificates.chain(name)
        if chain is None:
            return error_response(missing_resource("cert_id", name))
        return Response(200, chain, {"Content-Type": "application/x-pem-file"})

    def _grant(self, request: Request, fault: Fault) -> Result:
        fault.on_execution()
        if fault.action in {Action.ERROR_BEFORE, Action.ERROR_AFTER}:
            raise problem(500, "INTERNAL_SERVER_ERROR")
        with self._simulator.lock:
            answer = Result(200, access_tokens.grant(self._account, request))
            self._simulator.store.commit()
        return answer

    def _answer_api(self, request: Request, fault: Fault) -> Result:
        with self._simulator.lock:
            access_tokens.check(self._account, request)
        route, ids = find_route(request)
        call = parse_call(route, request)
        if not (route.key_lifetime and call.request_id):
            return self._execute(request, fault, route, call, ids)
        with self._simulator.lock:
            if replay := request_ids.begin(self._account, route, request, call):
                return replay
        return self._execute_once(request, fault, route, call, ids)

    def _execute_once(
        self, request: Request, fault: Fault, route: Route, call: Call, ids: list[str]
    ) -> Result:
        """Run the call; if it fails before taking effect, its PayPal-Request-Id stays unused."""
        try:
            return self._execute(request, fault, route, call, ids)
        finally:
            with self._simulator.lock:
                request_ids.release_failed(self._account, request, call)
                self._simulator.store.commit()

    def _execute(self, request: Request, fault: Fault, route: Route, call: Call, ids: list[str]) -> Result:
        fault.on_execution()
        if fault.action is Action.ERROR_BEFORE:
            raise problem(500, "INTERNAL_SERVER_ERROR")
        token = origin.set(Origin("api", request.id, call.request_id))
        with self._simulator.lock:
            try:
                access_tokens.check(self._account, request)  # it may have expired while the call was held
                answer = route.handler(self._account, call, *ids)
                if route.key_lifetime and call.request_id and answer.object_id:
                    request_ids.save_object_id(self._account, request, call, answer.object_id)
            finally:
                origin.reset(token)
                self._simulator.store.commit()
        if fault.action is Action.ERROR_AFTER:
            raise problem(500, "INTERNAL_SERVER_ERROR")
        return answer


def at_arrival(status: int) -> ApiError:
    if status == 401:  # noqa: PLR2004
        return unauthorized("invalid_token", "Token signature verification failed")
    issue = ISSUES_AT_ARRIVAL.get(status)
    return problem(*ARRIVAL[status], *([detail(issue)] if issue else []))


def is_grant(request: Request) -> bool:
    return request.method == "POST" and request.path == TOKEN


def find_route(request: Request) -> tuple[Route, list[str]]:
    for route in ROUTES:
        if route.method == request.method and (match := route.pattern.fullmatch(request.path)):
            return route, list(match.groups())
    raise problem(404, "RESOURCE_NOT_FOUND")


def response_of(answer: Result) -> Response:
    debug = {"Paypal-Debug-Id": secrets.token_hex(7)[:13]}
    if answer.body is None:
        return Response(answer.status, b"", debug)
    return json_response(answer.body, answer.status, debug)


def error_response(error: ApiError, headers: Mapping[str, str] | None = None) -> Response:
    debug = {"Paypal-Debug-Id": error.body.get("debug_id", secrets.token_hex(7)[:13])}
    if error.status == 401:  # noqa: PLR2004
        debug["WWW-Authenticate"] = 'Bearer realm="PayPal"'
    body = json.dumps(error.body).encode()
    return Response(error.status, body, {"Content-Type": "application/json"} | debug | dict(headers or {}))
