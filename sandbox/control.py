"""The JSON control API under /_sandbox/, described in README.md."""

import json
import random
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import urlsplit

from sandbox.console import Console
from sandbox.http_messages import Json, Request, Response, json_response, redirect
from sandbox.simulator import Simulator
from sandbox.webhook_delivery import DELIVERIES

ROOT = "/_sandbox/"
LOCAL = {"127.0.0.1", "localhost"}
Action = Callable[[Json], object]


class Control:
    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._console = Console(simulator)
        self._routes: dict[tuple[str, str], Action] = {
            ("GET", "health"): lambda _: {"ok": True},
            ("POST", "reset"): self._reset,
            ("GET", "settings"): lambda _: simulator.settings,
            ("POST", "settings"): simulator.change_settings,
            ("GET", "clock"): lambda _: {"now": simulator.now()},
            ("POST", "clock"): self._clock,
            ("GET", "journal"): lambda body: {"rows": simulator.journal.read(body)},
            ("GET", "journal/totals"): lambda body: simulator.journal.totals(body.get("provider")),
            ("GET", "requests"): lambda _: {"rows": list(simulator.requests)},
            ("POST", "jobs/run"): self._run_jobs,
            ("GET", "webhooks"): self._webhooks,
            ("POST", "webhooks"): simulator.webhooks.configure,
            ("POST", "webhooks/send"): self._send,
            ("GET", "faults"): lambda _: {"rows": simulator.faults.list_params()},
            ("POST", "faults"): lambda body: simulator.faults.add(body).as_json(),
            ("DELETE", "faults"): self._forget_faults,
        }

    def owns(self, path: str) -> bool:
        return path == "/" or path.startswith(ROOT)

    def respond(self, request: Request) -> Response:
        sender = request.headers.get("origin")
        if request.method != "GET" and sender and urlsplit(sender).hostname not in LOCAL:
            return json_response(
                {"error": "Requests from pages on other hosts are not allowed."}, HTTPStatus.FORBIDDEN
            )
        path = request.path.removeprefix(ROOT).strip("/")
        if path in {"", "console"}:
            return self._console.respond(request) if request.path != "/" else redirect(ROOT)
        try:
            body = json.loads(request.body) if request.body else dict(request.arguments)
            answer = (
                self._read(path, body) if request.method == "GET" else self._act(request.method, path, body)
            )
        except LookupError as unknown:
            return json_response({"error": f"Not found: {unknown}"}, HTTPStatus.NOT_FOUND)
        except (ValueError, TypeError) as wrong:
            return json_response({"error": str(wrong)}, HTTPStatus.BAD_REQUEST)
        with self._simulator.lock:
            self._simulator.store.commit()
        return json_response(answer)

    def _read(self, path: str, body: Json) -> object:
        with self._simulator.lock:
            return self._act("GET", path, body)

    def _act(self, method: str, path: str, body: Json) -> object:
        if action := self._routes.get((method, path)):
            return action(body)
        head, _, tail = path.partition("/")
        if head == "faults" and method == "DELETE":
            self._simulator.faults.remove(tail)
            return {}
        if head == "faults" and tail.endswith("/release"):
            if not self._simulator.faults.release(tail.removesuffix("/release")):
                raise LookupError(path)
            return {}
        for provider in self._simulator.providers:
            if provider.name == head and (method == "POST" or (method, tail) == ("GET", "ca")):
                return provider.control(tail, body)
        raise LookupError(path)

    def _reset(self, _: Json) -> Json:
        self._simulator.reset()
        return {}

    def _clock(self, body: Json) -> Json:
        """`{"offset": seconds}` from real time, or `{"advance": seconds}` from the current setting."""
        with self._simulator.lock:
            now = self._simulator.store.table("settings").get("clock", {}).get("offset", 0)
            self._simulator.set_clock(float(body["offset"] if "offset" in body else now + body["advance"]))
        return {"now": self._simulator.now()}

    def _run_jobs(self, body: Json) -> Json:
        return {"run": self._simulator.run_jobs(body.get("kind"))}

    def _forget_faults(self, _: Json) -> Json:
        self._simulator.faults.remove()
        return {}

    def _webhooks(self, _: Json) -> Json:
        with self._simulator.lock:
            rows = [{"id": key, **row} for key, row in self._simulator.store.table(DELIVERIES).items()]
        return {"settings": self._simulator.webhooks.settings, "deliveries": rows}

    def _send(self, body: Json) -> Json:
        """Send the named events in that order, or all held ones, one at a time.

        `copies`: how often each is sent; `shuffle`: true or a seed. Returns the shop's status codes.
        """
        webhooks = self._simulator.webhooks
        with self._simulator.lock:
            names = body.get("events")
            keys = webhooks.held() if names is None else [key for name in names for key in self._keys(name)]
        keys *= int(body.get("copies", 1))
        if seed := body.get("shuffle"):
            random.Random(seed).shuffle(keys)  # noqa: S311 (an order, not a secret)
        return {"sent": [{"id": key, "response": webhooks.deliver(key)} for key in keys]}

    def _keys(self, event_id: str) -> list[str]:
        """Return one delivery per endpoint of an event, adding them if there are none."""
        webhooks = self._simulator.webhooks
        first: dict[str, str] = {}
        for key in webhooks.deliveries_of(event_id):
            first.setdefault(self._simulator.store.table(DELIVERIES)[key]["endpoint"], key)
        if first:
            return list(first.values())
        for provider in self._simulator.providers:
            event = self._simulator.store.table(f"{provider.name}.event").get(event_id)
            if event:
                return webhooks.add_redelivery(
                    provider.name, event_id, event.get("type") or event["event_type"]
                )
        raise LookupError(event_id)
