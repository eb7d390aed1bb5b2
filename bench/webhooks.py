"""Webhooks: how many are taken per second, and how fast one worker works off what lies in the inbox."""

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

from bench.client import CHECKOUT, Client, Refused, items_of
from bench.measure import Counter, cpu_seconds
from bench.servers import ROOT, Site, database_and_queue, listens, pid_of, shop_env, site
from scripts.services import Server, free_port, running

CLIENTS = 8
COPIED = 0.3  # of all deliveries are of an event that came before
SECRET, KEY = "whsec_bench", "sk_test_bench"
SQL_LIMIT, SETTLING_GOAL, IDLE_GOAL = 3, 50, 150
SETTLES = "payment_intent.succeeded"
T = TypeVar("T")


@dataclass(frozen=True)
class Drained:
    """What became of one filling of the inbox; times in seconds. `cpu`: of worker, database and provider, working."""

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
    """Measure and print; how many limits are missed. A quarter of the deliveries settles payments."""
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
            payments = max(1, round(deliveries * (1 - COPIED) / 4))
            print_line(f"Ordering {payments} times by card, and paying …")
            intents = order(shop, payments)
            in_parallel(intents, lambda: Sandbox(provider), Sandbox.pay)
            settling, idle = events_of(provider, intents)
            print_line(f"Delivering and working off {len(settling)} events that settle …")
            first = drain(shop, env, folder, settling, pid)
            print_line(f"Delivering and working off {len(idle)} events that change nothing …")
            second = drain(shop, env, folder, idle, pid)
            check(shop, payments)
    return report(first, second)


# ---- the provider --------------------------------------------------------------------------------------------------


@contextmanager
def sandbox(folder: Path) -> Iterator[tuple[str, int]]:
    """Its address and process."""
    port = free_port()
    argv = [sys.executable, "-m", "sandbox", "--port", str(port)]
    url = f"http://127.0.0.1:{port}"
    server = Server(argv, url=url, is_up=lambda: listens(port), log=folder / "sandbox")
    for up in running(server):
        yield url, pid_of(up)


class Sandbox:
    """The buyer's and the dashboard's side, over one kept connection."""

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
    """The bodies of what the provider has to tell: the event that settles each payment, and three that add nothing."""
    api = Sandbox(provider)
    settling = list(api.events(SETTLES))
    idle = [event for kind in ("payment_intent.created", "charge.succeeded") for event in api.events(kind)]
    idle += [event | {"id": f"{event['id']}again"} for event in settling]
    if len(settling) != len(intents):
        raise RuntimeError(f"{len(settling)} payments of {len(intents)} succeeded.")
    return [json.dumps(event).encode() for event in settling], [json.dumps(event).encode() for event in idle]


# ---- the shop ------------------------------------------------------------------------------------------------------


def order(shop: Site, count: int) -> list[str]:
    """Place orders by card; the ids of their intents."""
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
    """Do it with each thing, by several clients at once; the seconds that it took. Errors: the first that one met."""
    problems: list[Exception] = []

    def work(mine: Sequence[T]) -> None:
        try:
            client = make()
            for thing in mine:
                act(client, thing)
        except Exception as problem:  # shown by the thread that waits for us
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


def drain(shop: Site, env: dict[str, str], folder: Path, bodies: Sequence[bytes], provider: int) -> Drained:
    """Deliver with copies while no worker runs, then let one worker do all of it."""
    copies = random.choices(bodies, k=round(len(bodies) * COPIED / (1 - COPIED)))  # noqa: S311  # spread
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
            wait_until(database, len(bodies) - 1)  # what its start costs is not the events'
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
    return Drained(len(mixed), accepting, statements, len(bodies), seconds[0], cpu, dict(states))


@contextmanager
def worker(env: dict[str, str], folder: Path) -> Iterator[int]:
    """One worker with a process per core, as the Procfile starts it."""
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
    """Until at most so many events are left to work at."""
    waiting = "SELECT count(*) FROM payments_webhookevent WHERE state IN ('received', 'waiting')"
    while (row := database.execute(waiting).fetchone()) and row[0] > left:
        time.sleep(0.05)


def check(shop: Site, payments: int) -> None:
    """Speed without truth is worth nothing: every payment is completed, with one capture."""
    with psycopg.connect(shop.database) as database:
        row = database.execute(
            "SELECT count(*) FILTER (WHERE status = 'COMPLETED'), (SELECT count(*) FROM payments_capture)"
            " FROM payments_payment"
        ).fetchone()
    if row != (payments, payments):
        raise RuntimeError(f"{row} payments and captures instead of {payments}.")


# ---- the figures ---------------------------------------------------------------------------------------------------


def report(settling: Drained, idle: Drained) -> int:
    deliveries = settling.deliveries + idle.deliveries
    statements = max(settling.statements, idle.statements)
    rate = deliveries / (settling.accepting + idle.accepting)
    print(f"\nWebhooks: {deliveries} deliveries, {COPIED:.0%} of them copies, {CLIENTS} clients, one worker")
    rows = [
        ("taken per second", rate, ""),
        ("SQL statements of a delivery, on average", statements, statements <= SQL_LIMIT),
        ("settling events per second", settling.worked_rate, settling.worked_rate >= SETTLING_GOAL),
        ("events that change nothing per second", idle.worked_rate, idle.worked_rate >= IDLE_GOAL),
    ]
    goals = ("", f"at most {SQL_LIMIT}", f"at least {SETTLING_GOAL}", f"at least {IDLE_GOAL}")
    misses = 0
    for (name, figure, is_kept), goal in zip(rows, goals, strict=True):
        judged = "" if is_kept == "" else "PASS" if is_kept else "FAIL"
        misses += judged == "FAIL"
        print(f"  {name:42}{figure:9.1f}   {goal:14}{judged}".rstrip())
    costs = " and ".join(f"{one.cpu_per_event * 1000:.1f} ms" for one in (settling, idle))
    print(f"  CPU of worker, PostgreSQL and provider per event: {costs}")
    print(f"  states: {settling.states} and {idle.states}")
    return misses
