"""Measure webhooks: how many are accepted per second, and how fast one worker processes the inbox."""

import hashlib
import hmac
import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from itertools import cycle
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

import psycopg

from bench import history
from bench.client import CHECKOUT, Client, Refused, items_of
from bench.measure import Counter, cpu_seconds
from bench.servers import ROOT, Site, database_and_queue, listens, pid_of, shop_env, site
from scripts.services import Server, free_port, running

CLIENTS = 8
REPEATED = 0.3  # share of deliveries that repeat an earlier event
SECRET, KEY = "whsec_bench", "sk_test_bench"
SQL_LIMIT, COMPLETING_GOAL, IDLE_GOAL = 3, 50, 150
COMPLETES = "payment_intent.succeeded"
T = TypeVar("T")


@dataclass(frozen=True)
class InboxResult:
    """The results of filling and processing the inbox once; times in seconds. `cpu`: of worker, database and provider
    while processing."""

    deliveries: int
    accepting: float
    statements: float
    events: int
    working: float
    cpu: float
    states: dict[str, int]

    @property
    def accepted_rate(self) -> float:
        return self.deliveries / self.accepting

    @property
    def worked_rate(self) -> float:
        return self.events / self.working

    @property
    def cpu_per_event(self) -> float:
        return self.cpu / self.events


def run(deliveries: int, print_line: Callable[[str], None]) -> int:
    """Measure and print; returns how many limits are not met. A quarter of the events complete payments."""
    print_line("Starting PostgreSQL, Redis, the sandbox and the shop …")
    with database_and_queue("shop") as (database, queue, folder), sandbox(folder) as (provider, pid):
        env = shop_env(database.url.removesuffix("postgres") + "shop", queue) | {
            "STRIPE_SECRET_KEY": KEY,
            "STRIPE_PUBLISHABLE_KEY": "pk_test_bench",
            "STRIPE_WEBHOOK_SECRET": SECRET,
            "STRIPE_API_BASE": provider,
            "EMAIL_URL": "dummymail://",
            "LOG_LEVEL": "WARNING",
        }
        with site("artisans.wsgi", "bench.seed", env, database, folder) as shop:
            payments = max(1, round(deliveries * (1 - REPEATED) / 4))
            print_line(f"Ordering {payments} times by card, and paying …")
            intents = order(shop, payments)
            in_parallel(intents, lambda: Sandbox(provider), Sandbox.pay)
            completing, idle = events_of(provider, intents)
            print_line(f"Delivering and processing {len(completing)} events that complete payments …")
            first = drain(shop, env, folder, completing, pid)
            print_line(f"Delivering and processing {len(idle)} events that change nothing …")
            second = drain(shop, env, folder, idle, pid)
            check(shop, payments)
    return report(first, second)


# ---- the provider --------------------------------------------------------------------------------------------------


@contextmanager
def sandbox(folder: Path) -> Iterator[tuple[str, int]]:
    """Start the sandbox; yields its URL and process id."""
    port = free_port()
    argv = [sys.executable, "-m", "sandbox", "--port", str(port)]
    url = f"http://127.0.0.1:{port}"
    server = Server(argv, url=url, is_up=lambda: listens(port), log=folder / "sandbox")
    for up in running(server):
        yield url, pid_of(up)


class Sandbox:
    """The buyer's and the dashboard's actions, over one persistent connection."""

    def __init__(self, url: str) -> None:
        self.connection = HTTPConnection(url.removeprefix("http://"), timeout=60)

    def pay(self, intent: str) -> None:
        body = {"payment_intent": intent, "payment_method": "pm_card_visa"}
        self.call("POST", "/_sandbox/stripe/pay", json.dumps(body))

    def events(self, kind: str) -> Iterator[dict[str, Any]]:
        after: dict[str, str] = {}
        while True:
            query = urlencode({"limit": 100, "type": kind} | after)
            page = self.call("GET", f"/v1/events?{query}")
            yield from page["data"]
            if not page["has_more"]:
                return
            after = {"starting_after": page["data"][-1]["id"]}

    def call(self, method: str, path: str, body: str | None = None) -> Any:
        self.connection.request(method, path, body, {"Authorization": f"Bearer {KEY}"})
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status != 200:  # noqa: PLR2004
            raise Refused(f"{method} {path}: {answer.status} {text[:300]!r}")
        return json.loads(text)


def events_of(provider: str, intents: Sequence[str]) -> tuple[list[bytes], list[bytes]]:
    """The provider's event bodies: the one that completes each payment, and three that change nothing."""
    api = Sandbox(provider)
    completing = list(api.events(COMPLETES))
    idle = [event for kind in ("payment_intent.created", "charge.succeeded") for event in api.events(kind)]
    idle += [event | {"id": f"{event['id']}again"} for event in completing]
    if len(completing) != len(intents):
        raise RuntimeError(f"{len(completing)} payments of {len(intents)} succeeded.")
    return [json.dumps(event).encode() for event in completing], [
        json.dumps(event).encode() for event in idle
    ]


# ---- the shop ------------------------------------------------------------------------------------------------------


def order(shop: Site, count: int) -> list[str]:
    """Place orders by card; returns the ids of their intents."""
    found: list[str] = []

    def place(client: Client, token: str) -> None:
        client.become(token)
        items = items_of(random.sample(shop.products, 1))
        placed = client.call(
            "POST", "/orders/", CHECKOUT | {"payment_method": "credit_card", "order_items": items}
        )
        found.append(placed["payment"]["provider_payment_id"])

    tokens = [token for token, _ in zip(cycle(shop.tokens), range(count), strict=False)]
    in_parallel(tokens, lambda: Client(shop.port), place)
    return found


def in_parallel(things: Sequence[T], make: Callable[[], Any], act: Callable[[Any, T], None]) -> float:
    """Call `act` for each thing with several clients at once; returns the seconds it took. Errors: the first of any
    client."""
    problems: list[Exception] = []

    def work(mine: Sequence[T]) -> None:
        try:
            client = make()
            for thing in mine:
                act(client, thing)
        except Exception as problem:  # raised by the waiting thread
            problems.append(problem)

    threads = [threading.Thread(target=work, args=(things[n::CLIENTS],), daemon=True) for n in range(CLIENTS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]
    return time.perf_counter() - began


def deliver(connection: HTTPConnection, body: bytes) -> None:
    moment = int(time.time())
    mac = hmac.new(SECRET.encode(), b"%d." % moment + body, hashlib.sha256).hexdigest()
    headers = {"Content-Type": "application/json", "Stripe-Signature": f"t={moment},v1={mac}"}
    connection.request("POST", "/payments/webhooks/stripe", body, headers)
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != 200:  # noqa: PLR2004
        raise Refused(f"webhook: {answer.status} {text[:300]!r}")


def drain(
    shop: Site, env: dict[str, str], folder: Path, bodies: Sequence[bytes], provider: int
) -> InboxResult:
    """Deliver the events, with repeats, while no worker runs, then let one worker process all of them."""
    copies = random.choices(bodies, k=round(len(bodies) * REPEATED / (1 - REPEATED)))  # noqa: S311  # spread
    mixed = [*bodies, *copies]
    random.shuffle(mixed)
    counter = Counter(shop)
    before = counter.calls()
    accepting = in_parallel(mixed, lambda: HTTPConnection("127.0.0.1", shop.port, timeout=60), deliver)
    statements = (counter.calls() - before) / len(mixed)
    with psycopg.connect(shop.database, autocommit=True) as database:
        database.execute("VACUUM ANALYZE")
        since = database.execute("SELECT now()").fetchone()
        with worker(env, folder) as pid:
            wait_until(database, len(bodies) - 1)  # excludes the worker's start-up
            involved = (pid, shop.pids[1], provider)
            cpu = cpu_seconds(involved)
            wait_until(database, 0)
            cpu = cpu_seconds(involved) - cpu
        seconds = database.execute(
            "SELECT extract(epoch FROM max(processed_at) - min(processed_at))::float, count(*)"
            " FROM payments_webhookevent WHERE processed_at > %s",
            since,
        ).fetchone()
        states = database.execute(
            "SELECT state, count(*) FROM payments_webhookevent WHERE processed_at > %s GROUP BY state", since
        ).fetchall()
    if seconds is None or seconds[1] != len(bodies):
        raise RuntimeError(f"{seconds} of {len(bodies)} events were processed.")
    return InboxResult(len(mixed), accepting, statements, len(bodies), seconds[0], cpu, dict(states))


@contextmanager
def worker(env: dict[str, str], folder: Path) -> Iterator[int]:
    """One worker with a process per core, started as in the Procfile."""
    argv = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "artisans",
        "worker",
        "--loglevel",
        "WARNING",
        "--concurrency",
        "2",
    ]
    with (folder / "worker").open("wb") as log:
        process = subprocess.Popen(argv, cwd=ROOT, env=env, stdout=log, stderr=log)
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(30)


def wait_until(database: psycopg.Connection[Any], left: int) -> None:
    """Wait until at most this many events are unprocessed."""
    waiting = "SELECT count(*) FROM payments_webhookevent WHERE state IN ('received', 'waiting')"
    while (row := database.execute(waiting).fetchone()) and row[0] > left:
        time.sleep(0.05)


def check(shop: Site, payments: int) -> None:
    """Every payment must be completed with exactly one capture."""
    with psycopg.connect(shop.database) as database:
        row = database.execute(
            "SELECT count(*) FILTER (WHERE status = 'COMPLETED'), (SELECT count(*) FROM payments_capture)"
            " FROM payments_payment"
        ).fetchone()
    if row != (payments, payments):
        raise RuntimeError(f"{row} payments and captures instead of {payments}.")


# ---- the figures ---------------------------------------------------------------------------------------------------


def report(completing: InboxResult, idle: InboxResult) -> int:
    deliveries = completing.deliveries + idle.deliveries
    statements = max(completing.statements, idle.statements)
    rate = deliveries / (completing.accepting + idle.accepting)
    print(
        f"\nWebhooks: {deliveries} deliveries, {REPEATED:.0%} of them repeats, {CLIENTS} clients, one worker"
    )
    rows = [
        ("accepted per second", rate, ""),
        ("SQL statements of a delivery, on average", statements, statements <= SQL_LIMIT),
        (
            "events per second that complete a payment",
            completing.worked_rate,
            completing.worked_rate >= COMPLETING_GOAL,
        ),
        ("events per second that change nothing", idle.worked_rate, idle.worked_rate >= IDLE_GOAL),
    ]
    goals = ("", f"at most {SQL_LIMIT}", f"at least {COMPLETING_GOAL}", f"at least {IDLE_GOAL}")
    history.note("settling_events", completing.cpu_per_event * 1000)
    misses = 0
    for (name, figure, is_kept), goal in zip(rows, goals, strict=True):
        judged = "" if is_kept == "" else "PASS" if is_kept else "FAIL"
        misses += judged == "FAIL"
        print(f"  {name:42}{figure:9.1f}   {goal:14}{judged}".rstrip())
    costs = " and ".join(f"{one.cpu_per_event * 1000:.1f} ms" for one in (completing, idle))
    print(f"  CPU of worker, PostgreSQL and provider per event: {costs}")
    print(f"  states: {completing.states} and {idle.states}")
    return misses
