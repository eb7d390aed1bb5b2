"""Redis, the mail server and PostgreSQL fail while people buy: no order is lost and mails are sent later."""

import json
import math
import secrets
import signal
import threading
import time
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import cycle
from uuid import UUID

import pytest
from django.db import connections
from django.utils import timezone
from redis import Redis

from artisans.catalog.models import Product
from artisans.catalog.tests.factories import ProductFactory
from artisans.notifications.models import Notification
from orders.models import Order
from scripts.services import Server, redis_server
from tests.live.conftest import database_url
from tests.live.runner import Answer, Caller, Shop, meanwhile, wait_for
from tests.live.users import order_body

pytestmark = [pytest.mark.crash, pytest.mark.alone, pytest.mark.usefixtures("clean_database")]
# Seconds that a buyer may wait longer than usual: the queue gives up after two; without that limit it would be six.
EXTRA = 4.0


def patience(usual: float) -> float:
    """Seconds that an answer may take; more on a machine where the usual ones take long."""
    return 2 * usual + EXTRA


@pytest.fixture(scope="module")
def redis(other_postgres) -> Iterator[Server]:
    """This module's own, for queue and cache."""
    with redis_server() as server:
        yield server


@pytest.fixture(scope="module")
def shop(other_postgres, redis: Server, mail_server, static_files, tmp_path_factory) -> Iterator[Shop]:
    env = {"CELERY_BROKER_URL": redis.url, "CACHE_URL": redis.url.replace("redis", "rediscache", 1)}
    env |= {"EMAIL_URL": mail_server.url, "MAX_OPEN_ORDERS": "1000"}
    with Shop(tmp_path_factory.mktemp("outages"), database_url(), env) as shop:
        shop.start()
        yield shop


@pytest.fixture
def bowl(clean_database) -> Product:
    return ProductFactory.create(stock=5000)


@pytest.fixture
def order(bowl, caller, buyers) -> Callable[[], tuple[Answer, str]]:
    """Places an order; the answer and the address that its mail goes to. By turns users and guests."""
    turns = cycle([True, False])

    def place() -> tuple[Answer, str]:
        if next(turns):
            [user] = buyers(1)
            return caller(user).post("/orders/", order_body((bowl, 1))), user.email
        email = f"guest-{secrets.token_hex(4)}@example.test"  # a longer number could be a card's
        return caller().post("/orders/", order_body((bowl, 1), customer_email=email)), email

    return place


@pytest.fixture
def all_sent(shop: Shop) -> Callable[[], bool]:
    def check() -> bool:
        shop.worker.revive()  # a worker whose broker goes away may end; every deployment starts it again
        return not Notification.objects.exclude(state="sent").exists()

    return check


@pytest.fixture
def new_web(shop: Shop) -> None:
    """Restart the web process, which would call Redis less often after an earlier outage."""
    shop.web.kill()
    shop.web.start()


def try_again_now() -> None:
    """Instead of waiting for the back-off; a try that is under way goes on alone."""
    Notification.objects.filter(lease_until=None).exclude(state="sent").update(next_try_at=timezone.now())


# ---- Redis -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("new_web")
def test_redis_down_costs_no_order_and_little_time(order, redis, shop, mail, all_sent):
    usual = max(order()[0].seconds for _ in range(4))
    redis.stop()
    try:
        made = [order() for _ in range(6)]
    finally:
        redis.start()
    assert [answer.status for answer, _ in made] == [201] * 6
    assert max(answer.seconds for answer, _ in made) < patience(usual)
    wait_for(all_sent)
    assert {email for _, email in made} <= {one.to for one in mail.received}


def test_web_server_started_while_redis_is_down_answers_quickly(order, redis, shop, mail, all_sent):
    """None of its threads has a connection yet, so that each of them tries to get one."""
    usual = max(order()[0].seconds for _ in range(4))
    redis.stop()
    try:
        shop.web.kill()
        shop.web.start()
        made = [order() for _ in range(4)]
    finally:
        redis.start()
    assert [answer.status for answer, _ in made] == [201] * 4
    assert max(answer.seconds for answer, _ in made) < patience(usual)
    wait_for(all_sent)


@pytest.mark.usefixtures("new_web")
def test_redis_that_hangs_costs_no_order_and_little_time(order, redis, shop, mail, all_sent):
    usual = max(order()[0].seconds for _ in range(4))
    assert redis.process is not None
    redis.process.send_signal(signal.SIGSTOP)
    try:
        made = [order() for _ in range(6)]
    finally:
        redis.process.send_signal(signal.SIGCONT)
    assert [answer.status for answer, _ in made] == [201] * 6
    queue_and_cache = patience(usual) + 1  # each in its own time
    assert max(answer.seconds for answer, _ in made) < queue_and_cache
    wait_for(all_sent)


def emails_in_queue(client: Redis) -> int:
    """A message has the ids of one email or several, in a body as Celery encodes it."""
    bodies = [b64decode(json.loads(message)["body"]) for message in client.lrange("mail", 0, -1)]
    return sum(len(json.loads(body)[0]) for body in bodies)


@pytest.mark.usefixtures("new_web")
def test_redis_flushed_loses_no_mail(order, redis, shop, mail, all_sent):
    """All enqueued tasks are lost; the periodic task finds the rows."""
    shop.worker.kill()
    made = [order() for _ in range(4)]
    client = Redis.from_url(redis.url)
    wait_for(lambda: emails_in_queue(client) >= len(made))
    client.flushall()
    shop.worker.start()
    wait_for(all_sent)
    assert Counter(one.to for one in mail.received) == {email: 1 for _, email in made}


# ---- mail server -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mood", "result"),
    [("refuse", "421"), ("hang", "timed out"), ("drop", "SMTPServerDisconnected|closed|Disconnected")],
)
def test_bad_mail_server_delays_mails_only(order, mail, shop, all_sent, mood, result):
    usual = max(order()[0].seconds for _ in range(2))
    wait_for(all_sent)
    mail.received.clear()
    mail.mood = mood
    answer, email = order()
    assert answer.status == 201
    assert answer.seconds < patience(usual)
    row = Notification.objects.get(recipient=email)
    wait_for(lambda: Notification.objects.get(pk=row.pk).tries)
    row.refresh_from_db()
    assert row.state == "waiting"
    assert any(word in row.last_error for word in result.split("|")), row.last_error
    mail.mood = "good"
    try_again_now()
    wait_for(all_sent)
    copies = [one for one in mail.received if one.to == email]
    assert len(copies) == (2 if mood == "drop" else 1)
    assert len({one.id for one in copies}) == 1


# ---- PostgreSQL ------------------------------------------------------------------------------------------------


@dataclass
class Load:
    """About five checkouts a second, each by a client that does not wait for the others, ten at most at a time."""

    people: list[Caller]
    bowl: Product
    answers: list[tuple[float, float, Answer]] = field(
        default_factory=list
    )  # with when it was sent, and came

    def run(self, stop: threading.Event) -> None:
        threads: list[threading.Thread] = []
        for person in cycle(self.people):
            threads = [thread for thread in threads if thread.is_alive()]
            if len(threads) < 10:
                threads.append(
                    threading.Thread(target=self.order, args=(person.at(person.port),), daemon=True)
                )
                threads[-1].start()
            if stop.wait(0.2):
                break
        for thread in threads:
            thread.join()

    def order(self, person: Caller) -> None:
        sent = time.monotonic()
        answer = person.post("/orders/", order_body((self.bowl, 1)))
        self.answers.append((sent, time.monotonic(), answer))

    def statuses(self, *, since: float = 0, until: float = math.inf) -> Counter[int]:
        """Of the answers to what was sent after `since` that came before `until`."""
        return Counter(answer.status for sent, came, answer in self.answers if since <= sent and came < until)


@pytest.mark.parametrize(
    "how", [pytest.param(signal.SIGINT, id="restarted"), pytest.param(signal.SIGQUIT, id="stopped at once")]
)
def test_postgres_fails_under_load(other_postgres, bowl, caller, buyers, shop, how):
    """503 while it is away, well within ten seconds, and every order that was promised is there."""
    load = Load([caller(user) for user in buyers(10)], bowl)
    with meanwhile(load.run):
        wait_for(lambda: len(load.answers) >= 10)
        gone = time.monotonic()
        other_postgres.stop(how)
        wait_for(lambda: load.statuses(since=gone)[503], detail="nobody noticed")
        other_postgres.start()
        back = time.monotonic()
        connections.close_all()
        wait_for(lambda: load.statuses(since=back + 2).total() >= 15)
    assert set(load.statuses(until=gone)) == {201}
    assert set(load.statuses()) <= {201, 502, 503}
    assert set(load.statuses(since=back + 2)) == {201}
    promised = {UUID(answer.body["id"]) for *_, answer in load.answers if answer.is_good}
    kept = set(Order.objects.values_list("pk", flat=True))
    assert promised <= kept
    assert Product.objects.get(pk=bowl.pk).stock == 5000 - len(kept)


def test_pages_report_an_unavailable_database(other_postgres, shop, bowl):
    other_postgres.stop()
    try:
        guest = Caller(shop.port)
        page = guest.call("GET", "/")
        api = guest.call("GET", "/products/")
        ready, live = guest.call("GET", "/health/ready"), guest.call("GET", "/health/live")
    finally:
        other_postgres.start()
        connections.close_all()
    assert (page.status, api.status, ready.status, live.status) == (503, 503, 503, 200)
    assert b"<html" in page.body
    assert api.body["retryable"] is True
    assert api.headers["Retry-After"]
