"""The control API under /_sandbox/: JSON in, JSON out. README.md lists it."""

import json
import random
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import urlsplit

from sandbox.console import Console
from sandbox.http_messages import Json, Request, Response, json_response, redirect
from sandbox.simulator import Program
from sandbox.webhook_delivery import DELIVERIES

ROOT = "/_sandbox/"
LOCAL = {"127.0.0.1", "localhost"}
Act = Callable[[Json], object]


class Control:
    def __init__(self, program: Program) -> None:
        self._program = program
        self._console = Console(program)
        self._routes: dict[tuple[str, str], Act] = {
            ("GET", "health"): lambda _: {"ok": True},
            ("POST", "reset"): self._reset,
            ("GET", "settings"): lambda _: program.settings,
            ("POST", "settings"): program.change_settings,
            ("GET", "clock"): lambda _: {"now": program.now()},
            ("POST", "clock"): self._clock,
            ("GET", "journal"): lambda wish: {"rows": program.journal.read(wish)},
            ("GET", "journal/totals"): lambda wish: program.journal.totals(wish.get("face")),
            ("GET", "requests"): lambda _: {"rows": list(program.requests)},
            ("POST", "jobs/run"): self._run_jobs,
            ("GET", "webhooks"): self._webhooks,
            ("POST", "webhooks"): program.postman.switch,
            ("POST", "webhooks/send"): self._send,
            ("GET", "faults"): lambda _: {"rows": program.faults.listing()},
            ("POST", "faults"): lambda wish: program.faults.add(wish).as_json(),
            ("DELETE", "faults"): self._forget_faults,
        }

    def owns(self, path: str) -> bool:
        return path == "/" or path.startswith(ROOT)

    def answer(self, request: Request) -> Response:
        sender = request.headers.get("origin")
        if request.method != "GET" and sender and urlsplit(sender).hostname not in LOCAL:
            return json_response(
                {"error": "Pages of other machines cannot steer the sandbox."}, HTTPStatus.FORBIDDEN
            )
        path = request.path.removeprefix(ROOT).strip("/")
        if path in {"", "console"}:
            return self._console.answer(request) if request.path != "/" else redirect(ROOT)
        try:
            wish = json.loads(request.body) if request.body else dict(request.arguments)
            answer = (
                self._read(path, wish) if request.method == "GET" else self._act(request.method, path, wish)
            )
        except LookupError as unknown:
            return json_response({"error": f"Not known: {unknown}"}, HTTPStatus.NOT_FOUND)
        except (ValueError, TypeError) as wrong:
            return json_response({"error": str(wrong)}, HTTPStatus.BAD_REQUEST)
        with self._program.lock:
            self._program.store.commit()
        return json_response(answer)

    def _read(self, path: str, wish: Json) -> object:
        with self._program.lock:
            return self._act("GET", path, wish)

    def _act(self, method: str, path: str, wish: Json) -> object:
        if act := self._routes.get((method, path)):
            return act(wish)
        head, _, tail = path.partition("/")
        if head == "faults" and method == "DELETE":
            self._program.faults.remove(tail)
            return {}
        if head == "faults" and tail.endswith("/release"):
            if not self._program.faults.release(tail.removesuffix("/release")):
                raise LookupError(path)
            return {}
        for face in self._program.faces:
            if face.name == head and (method == "POST" or (method, tail) == ("GET", "ca")):
                return face.control(tail, wish)
        raise LookupError(path)

    def _reset(self, _: Json) -> Json:
        self._program.reset()
        return {}

    def _clock(self, wish: Json) -> Json:
        """`{"offset": seconds}` from real time, or `{"advance": seconds}` from where it is."""
        with self._program.lock:
            now = self._program.store.table("settings").get("clock", {}).get("offset", 0)
            self._program.set_clock(float(wish["offset"] if "offset" in wish else now + wish["advance"]))
        return {"now": self._program.now()}

    def _run_jobs(self, wish: Json) -> Json:
        return {"run": self._program.run_jobs(wish.get("kind"))}

    def _forget_faults(self, _: Json) -> Json:
        self._program.faults.remove()
        return {}

    def _webhooks(self, _: Json) -> Json:
        with self._program.lock:
            rows = [{"id": key, **row} for key, row in self._program.store.table(DELIVERIES).items()]
        return {"switches": self._program.postman.switches, "deliveries": rows}

    def _send(self, wish: Json) -> Json:
        """Send now, one after the other: the events named, in that order, or all that are held.

        `copies` sends each so many times; `shuffle` (true or a seed) mixes the order. Answers with the shop's statuses.
        """
        postman = self._program.postman
        with self._program.lock:
            names = wish.get("events")
            keys = postman.held() if names is None else [key for name in names for key in self._keys(name)]
        keys *= int(wish.get("copies", 1))
        if seed := wish.get("shuffle"):
            random.Random(seed).shuffle(keys)  # noqa: S311 (an order, not a secret)
        return {"sent": [{"id": key, "answer": postman.deliver(key)} for key in keys]}

    def _keys(self, event_id: str) -> list[str]:
        """One delivery per endpoint of an event; a new one where there was none."""
        postman = self._program.postman
        first: dict[str, str] = {}
        for key in postman.deliveries_of(event_id):
            first.setdefault(self._program.store.table(DELIVERIES)[key]["endpoint"], key)
        if first:
            return list(first.values())
        for face in self._program.faces:
            event = self._program.store.table(f"{face.name}.event").get(event_id)
            if event:
                return postman.send_again(face.name, event_id, event.get("type") or event["event_type"])
        raise LookupError(event_id)
