"""Bad luck behind the proxy, with deploy/Caddyfile, deploy/gunicorn.conf.py and short limits of time.

test_outages.py has Redis, the mail server and a database that stops; test_card_outages.py the payment provider.
"""

import re
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
from django.db import connections

from artisans.catalog.models import Product
from artisans.catalog.tests.factories import ProductFactory
from artisans.notifications.models import Notification
from orders.models import Order
from scripts.services import ProgramMissing, Server, debian_program, free_port
from tests.live.runner import ROOT, Answer, Caller, Process, Shop, environment, not_ready, together, wait_for
from tests.live.users import order_body

pytestmark = [pytest.mark.crash, pytest.mark.alone, pytest.mark.usefixtures("clean_database")]
HANGING = 8  # seconds, artisans.core.postgresql
BUSY = 10  # seconds more, on a busy machine
TOKEN = "t" * 43
IDLE = 50
MEGABYTE = 1 << 20
HALF_HEAD = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "
HALF_BODY = b"POST /carts/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"


@pytest.fixture(scope="module")
def shop(other_postgres: Server, production: Callable[..., Shop]) -> Iterator[Shop]:
    env = {"MAX_OPEN_ORDERS": "1000", "TRUSTED_PROXIES": "1", "METRICS_TOKEN": TOKEN}
    with production(**env) as shop:
        shop.start()
        yield shop


@pytest.fixture(scope="module")
def proxy(shop: Shop) -> Iterator[int]:
    """The port of Caddy."""
    try:
        caddy = debian_program("caddy", "caddy")
    except ProgramMissing as problem:
        pytest.skip(str(problem))
    said = subprocess.run([caddy, "version"], capture_output=True, text=True, check=True).stdout
    version = tuple(map(int, re.findall(r"\d+", said)[:3]))
    port = free_port()
    env = environment() | {
        "SITE_ADDRESS": f"http://127.0.0.1:{port}",
        "WEB_ADDRESS": f"127.0.0.1:{shop.port}",
        "CADDY_ADMIN": "off",
        "ERROR_ROOT": str(ROOT / "deploy"),
        "MEDIA_ROOT": str(shop.folder / "media"),
        "HOME": str(shop.folder),
    }
    if version < (2, 6, 3):
        env["REQUEST_BUFFERING"] = "buffer_requests"
    command = f"{caddy} run --config deploy/Caddyfile --adapter caddyfile"
    process = Process(command, env, shop.folder / "caddy.log", lambda _: not_ready(port))
    process.start()
    yield port
    process.kill()


@pytest.fixture
def bowl(clean_database) -> Product:
    return ProductFactory.create(stock=1000)


def order(port: int, bowl: Product) -> Answer:
    return Caller(port).post("/orders/", order_body((bowl, 1), customer_email="guest@example.test"))


# ---- clients -----------------------------------------------------------------------------------------------------


@contextmanager
def idle(port: int, opening: bytes, count: int) -> Iterator[None]:
    with ExitStack() as stack:
        for _ in range(count):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            if opening:
                client.sendall(opening)
        yield


def test_idle_connections_delay_nobody(shop, proxy):
    """Without the proxy, those that stop in the middle keep a thread each for five seconds: here twice as many as there
    are threads, which one of the two processes may accept alone."""
    cases = [(proxy, b"", IDLE), (proxy, HALF_HEAD, IDLE), (proxy, HALF_BODY, IDLE), (shop.port, b"", IDLE)]
    for port, opening, count in [*cases, (shop.port, HALF_HEAD, 32)]:
        with idle(port, opening, count):
            answer = Caller(port).call("GET", "/products/")
        assert answer.status == 200, (port, opening)
        assert answer.seconds < (BUSY if count == IDLE else 20 + BUSY), (port, opening)


def upload(port: int, path: str, *, is_chunked: bool) -> tuple[int, int]:
    """200 MB of a form. Returns the status, 0 if the connection broke, and how many megabytes were sent before that."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    length = "Transfer-Encoding: chunked" if is_chunked else f"Content-Length: {200 * MEGABYTE}"
    start = b'--x\r\nContent-Disposition: form-data; name="picture"; filename="a.png"\r\n\r\n'
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        sent = 0
        try:
            client.sendall(f"{head}{length}\r\n\r\n".encode())
            for block in (start, *[b"x" * MEGABYTE] * 200):
                client.sendall(b"%x\r\n%s\r\n" % (len(block), block) if is_chunked else block)
                sent += 1
        except OSError:
            pass  # it has answered
        try:
            status = re.match(rb"HTTP/1.1 (\d+)", client.recv(100))
        except OSError:
            status = None
    return int(status[1]) if status else 0, sent


def test_upload_of_200_megabytes_is_refused_before_it_is_read(shop, proxy):
    """So is a body without a length, of which Caddy passes on a part until it sees the answer."""
    paths = (
        "/",
        "/shop/cart/",
        "/admin/login/",
        "/admin/catalog/product/add/",
        "/orders/",
        "/payments/webhooks/stripe",
    )
    before = len(shop.web.output)
    for port in (shop.port, proxy):
        for path in paths:
            status, sent = upload(port, path, is_chunked=False)
            assert status == 413, (port, path)
            assert sent < 32, (port, path)
            status, sent = upload(port, path, is_chunked=True)
            broken_off = {502} if port == proxy else set()  # Caddy's answer, if it comes before the shop's
            assert status in {400, 413} | broken_off, (port, path)
            assert sent < (200 if port == proxy else 32), (port, path)
            assert Caller(port).call("GET", "/products/").status == 200, "others notice it"
    assert "Traceback" not in shop.web.output[before:]


# ---- services ----------------------------------------------------------------------------------------------------


@contextmanager
def hanging(server: Server) -> Iterator[None]:
    """Neither the server nor its sessions answer, and the kernel takes connections for it."""
    assert server.process is not None
    main = server.process.pid
    children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
    for pid in (main, *map(int, children)):
        send(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in (*map(int, children), main):
            send(pid, signal.SIGCONT)


def send(pid: int, how: signal.Signals) -> None:
    subprocess.run(["kill", f"-{how.name.removeprefix('SIG')}", str(pid)], check=False)


def test_database_that_hangs_costs_a_bounded_wait_and_no_order(other_postgres, shop, proxy, bowl):
    """Sessions wait for their statement, new ones for the connection, and give up. Nobody restarts anything."""
    scraper = Caller(shop.port)
    scraper.headers["Authorization"] = f"Bearer {TOKEN}"
    promised = [order(proxy, bowl) for _ in range(4)]
    assert {answer.status for answer in promised} == {201}
    connections.close_all()
    with hanging(other_postgres):
        page, metrics, live, *orders = together(
            [
                partial(Caller(proxy).call, "GET", "/"),
                partial(scraper.call, "GET", "/metrics"),
                partial(Caller(proxy).call, "GET", "/health/live"),
                *[partial(order, proxy, bowl)] * 6,
            ]
        )
        later = Caller(proxy).call("GET", "/")
    assert (page.status, later.status, live.status) == (503, 503, 200)
    assert b"<html" in page.body
    assert b"nothing was charged" in page.body.lower()
    assert page.headers["Retry-After"]
    assert {answer.status for answer in orders} == {503}
    assert all(answer.body["retryable"] for answer in orders)
    longest = max(answer.seconds for answer in (page, later, *orders))
    assert longest < HANGING + BUSY
    assert metrics.status == 200
    assert b"alley_database_up 0.0" in metrics.body
    assert metrics.seconds < 3 + BUSY
    wait_for(lambda: order(proxy, bowl).status == 201, detail="the shop does not recover")
    kept = set(Order.objects.values_list("pk", flat=True))
    assert {UUID(answer.body["id"]) for answer in promised} <= kept
    assert Product.objects.get(pk=bowl.pk).stock == 1000 - len(kept)
    wait_for(lambda: not Notification.objects.exclude(state="sent").exists(), detail="mails wait")


def test_full_disk_of_the_log_stops_nothing(shop, proxy, bowl):
    shop.web.kill()
    usual = shop.web.command
    shop.web.command = f"{usual} >/dev/full 2>&1"
    try:
        shop.web.start()
        assert order(proxy, bowl).status == 201
        assert Caller(proxy).call("GET", "/no-such-page/").status == 404
        assert Caller(proxy).call("GET", "/").status == 200
    finally:
        shop.web.kill()
        shop.web.command = usual
        shop.web.start()
