"""The shop as real processes: gunicorn and celery as the Procfile starts them, on ports of this machine only.

with Shop(folder, database_url, {"EMAIL_URL": ...}) as shop:
    shop.web.start()
    answer = Caller(shop.port).call("GET", "/products/")
    shop.web.kill()
"""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from celery import Celery
from django.conf import settings
from django.db import connections

from sandbox.tests.client import Control
from scripts.run import PROCESSES
from scripts.services import free_port

ROOT = Path(__file__).resolve().parents[2]
INSTALLED = ROOT / "tests/live/installed"  # makes only the packages of production importable
PATIENCE = 120  # seconds until a failure; reached only on a very busy machine
R = TypeVar("R")


def wait_for(what: Callable[[], R], *, seconds: float = PATIENCE, detail: str = "") -> R:
    """Poll until the result is true and return it. Fails with `detail` after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        if found := what():
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {detail or what}")
        time.sleep(0.05)


# ---- processes -------------------------------------------------------------------------------------------------


class Process:
    """A line of the Procfile, or any command, in a separate session, so that all of it can be ended at once."""

    def __init__(
        self, command: str, env: dict[str, str], log: Path, missing: Callable[[str], str], root: Path = ROOT
    ) -> None:
        """`missing` gets the output so far and returns what is not ready yet, "" when everything is."""
        self.command, self.env, self.log, self.outstanding, self.root = command, env, log, missing, root
        self.process: subprocess.Popen[bytes] | None = None

    def launch(self, *crash: str) -> None:
        """Start without waiting. `crash`: arguments of tests.live.crashpoint, such as "module:function before"."""
        assert self.process is None, "it runs already"
        self.log.write_bytes(b"")
        prefix = [sys.executable, "-m", "tests.live.crashpoint", *crash, "--"] if crash else []
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["sh", "-c", f"exec {shlex.join(prefix)} {self.command}"],
                cwd=self.root,
                env=self.env,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_ready(self) -> None:
        assert self.process is not None
        deadline = time.monotonic() + PATIENCE
        while missing := self.outstanding(self.output):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{self.command} did not start: {missing}\n{self.output[-3000:]}")
            time.sleep(0.1)

    def start(self, *crash: str) -> None:
        self.launch(*crash)
        self.wait_ready()

    def revive(self) -> None:
        """Start it again if it ended by itself, as a supervisor does."""
        if self.process is not None and self.process.poll() is not None:
            self.kill()
            self.start()

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def signal(self, how: signal.Signals) -> None:
        """To the main process only, as a supervisor does."""
        assert self.process is not None
        self.process.send_signal(how)

    def wait_gone(self, seconds: float = PATIENCE) -> int:
        """The exit code, once it ended by itself."""
        assert self.process is not None
        code = self.process.wait(seconds)
        self.kill()
        return code

    def kill(self) -> None:
        """SIGKILL to it and all its children."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def stop(self) -> None:
        """Ask it to end, as a deployment does."""
        if self.process is not None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(15)
            self.kill()


class Shop:
    """Web and worker with one environment. Nothing runs until it is started; everything is ended afterwards.

    As the Procfile says; with `is_demo` the processes are those of `make run`. The worker takes all queues; the mailer
    is started by the tests that need it. `root`: where its code is.
    """

    def __init__(
        self,
        folder: Path,
        database_url: str,
        env: dict[str, str],
        *,
        is_demo: bool = False,
        root: Path = ROOT,
    ) -> None:
        self.port, self.folder, self.root = free_port(), folder, root
        self.url = f"http://127.0.0.1:{self.port}"
        self.friends = tuple(env[name] for name in ("STRIPE_API_BASE", "PAYPAL_API_BASE") if name in env)
        self.env = environment() | {
            "PYTHONPATH": f"{root}{os.pathsep}{INSTALLED}",
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "SITE_URL": self.url,
            "DATABASE_URL": database_url,
            "RATE_LIMIT_FACTOR": "10000",
            "MAX_HELD_OF_PRODUCT": "1000000",
            "MAX_HELD_UNITS": "1000000",
            "MAX_HELD_VALUE_MINOR": "1000000000",
            "MAX_HELD_SHARE": "100",
            "MAIL_POLL_SECONDS": "1",
            "PAYMENT_POLL_SECONDS": "1",
            "BEAT_LEASE_SECONDS": "2",  # a killed worker is replaced at once
            "EMAIL_URL": f"filemail:///{folder / 'mail'}",
            "MEDIA_ROOT": str(folder / "media"),
            "CELERY_SKIP_CHECKS": "1",  # `make check` runs Django's checks
            **env,
        }
        lines, demo = procfile(root), {name: line.removeprefix("exec ") for name, line in PROCESSES.items()}
        quiet = "--without-gossip --without-mingle"
        worker = demo["worker"] if is_demo else f"{lines['worker']} --concurrency 2 --beat {quiet}"
        mailer = demo["mailer"] if is_demo else f"{lines['mailer']} --concurrency 2 {quiet}"
        self.web = self.process(
            "web", demo["web"] if is_demo else lines["web"], lambda _: not_ready(self.port)
        )
        self.worker = self.process("worker", worker, worker_not_ready)
        self.mailer = self.process("mailer", mailer, worker_not_ready)

    def process(self, name: str, command: str, outstanding: Callable[[str], str]) -> Process:
        return Process(command, self.env, self.folder / f"{name}.log", outstanding, self.root)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.web.kill()
        self.worker.kill()
        self.mailer.kill()

    def start(self, *, worker: bool = True) -> None:
        self.web.launch()
        if worker:
            self.worker.launch()
            self.worker.wait_ready()
        self.web.wait_ready()

    def trigger(self, task: str, *arguments: str) -> None:
        """For the worker, by the shop's broker; a plain Celery app would take the one of our own environment."""
        client = Celery(set_as_current=False)
        client.conf.task_routes = settings.CELERY_TASK_ROUTES
        client.conf.task_default_queue = settings.CELERY_TASK_DEFAULT_QUEUE
        with client.connection_for_write(self.env["CELERY_BROKER_URL"]) as connection:
            client.send_task(task, arguments, connection=connection, ignore_result=True)

    def manage(self, command: str, **env: str) -> str:
        """Run a management command to its end; its output."""
        done = subprocess.run(
            [sys.executable, "manage.py", *command.split()],
            cwd=self.root,
            env=self.env | env,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout


class CrashHost:
    """Another web host of a shop, with one web process, which is killed and replaced as often as tests want."""

    def __init__(self, shop: Shop, tests: str) -> None:
        """`tests`: the file whose tests name points such as "module:function after"."""
        self.shop, self.told = shop, shop.folder / "crash"
        points = re.findall(r'"([\w.]+:[\w.]+) (?:before|after)"', Path(tests).read_text())
        shop.web.start(str(self.told), " ".join(sorted(set(points))))

    @contextmanager
    def crash(self, point: str) -> Iterator[Shop]:
        """Its web process is killed at this point by a request of the block."""
        self.told.write_text(point)
        yield self.shop
        assert not self.told.exists(), f"it was not killed {point}"

    def kill(self) -> None:
        """Kill the web process now."""
        assert self.shop.web.process is not None
        master = self.shop.web.process.pid
        for worker in Path(f"/proc/{master}/task/{master}/children").read_text().split():
            os.kill(int(worker), signal.SIGKILL)


class Sandbox(Control):
    """The providers' stand-in as a real process, with its control API and its journal."""

    secret = "whsec_of_the_live_tests"
    webhook_id = "5GP028458E2496506"

    def __init__(self, folder: Path) -> None:
        port, self.ca_file = free_port(), folder / "ca.pem"
        super().__init__(f"http://127.0.0.1:{port}")
        self.process = Process(
            f"{sys.executable} -m sandbox --port {port}",
            environment(),
            folder / "sandbox.log",
            lambda _: "" if Caller(port, timeout=5).call("GET", "/").status else "no answer",
        )

    def __enter__(self) -> Self:
        self.process.start()
        self.ca_file.write_text(self.get("paypal/ca")["pem"])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.process.kill()

    @property
    def env(self) -> dict[str, str]:
        """The environment variables of a shop that uses it."""
        return {
            "STRIPE_SECRET_KEY": "sk_test_live_tests",
            "STRIPE_PUBLISHABLE_KEY": "pk_test_live_tests",
            "STRIPE_WEBHOOK_SECRET": self.secret,
            "STRIPE_API_BASE": self.url,
            "STRIPE_JS_URL": f"{self.url}/v3/",
            "ALLOW_TEST_CARDS": "true",
            "PAYPAL_CLIENT_ID": "sandbox",
            "PAYPAL_CLIENT_SECRET": "sandbox",
            "PAYPAL_WEBHOOK_ID": self.webhook_id,
            "PAYPAL_API_BASE": self.url,
            "PAYPAL_CERT_HOSTS": self.url.removeprefix("http://"),
            "PAYPAL_CA_FILE": str(self.ca_file),
        }

    def tell(self, shop: Shop) -> None:
        """Send webhooks to this shop from now on."""
        self.post("stripe/endpoint", url=f"{shop.url}/payments/webhooks/stripe", secret=self.secret)
        self.post("paypal/endpoint", url=f"{shop.url}/payments/webhooks/paypal", webhook_id=self.webhook_id)

    def captured(self) -> list[int]:
        """Minor units of every capture in the journal of any provider, independent of what the shop recorded."""
        rows = [*self.journal("charge.captured"), *self.journal("capture.completed")]
        return [row["amount"] for row in rows]


def environment() -> dict[str, str]:
    """Ours without the shop's own variables, with the programs of this Python first in the path."""
    ours = re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    env = {name: value for name, value in os.environ.items() if name not in ours}
    env.pop("DJANGO_SETTINGS_MODULE", None)
    path = f"{Path(sys.executable).parent}{os.pathsep}{env.get('PATH', '')}"
    return env | {"SECRET_KEY": os.environ["SECRET_KEY"], "PYTHONPATH": str(ROOT), "PATH": path}


def procfile(root: Path) -> dict[str, str]:
    lines = (root / "Procfile").read_text().splitlines()
    return {name: command.strip() for name, _, command in (line.partition(":") for line in lines)}


def worker_not_ready(output: str) -> str:
    return "" if " ready." in output else "no word of being ready"


def not_ready(port: int) -> str:
    answer = Caller(port, timeout=5).call("GET", "/health/ready")
    return "" if answer.status == 200 else str(answer.body or "no answer")


# ---- clients ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answer:
    """Status 0: the connection broke and the outcome is unknown."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def is_good(self) -> bool:
        return 200 <= self.status < 300


class Caller:
    """A client of the API; one connection per call, opened early when many start together."""

    def __init__(
        self, port: int, *, token: str = "", cart: str = "", order: str = "", timeout: float = 60
    ) -> None:
        self.port, self.timeout = port, timeout
        headers = {
            "Authorization": f"Bearer {token}" if token else "",
            "X-Cart-Token": cart,
            "X-Order-Token": order,
        }
        self.headers = {name: value for name, value in headers.items() if value}
        self.connection: HTTPConnection | None = None

    def at(self, port: int) -> Self:
        """The same person at another host."""
        other = type(self)(port, timeout=self.timeout)
        other.headers = self.headers
        return other

    def connect(self) -> None:
        self.connection = HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
        self.connection.connect()

    def call(self, method: str, path: str, body: Any = None, *, key: str = "") -> Answer:
        started = time.monotonic()
        try:
            if self.connection is None:
                self.connect()
            assert self.connection is not None
            text = json.dumps(body).encode() if body is not None else None
            headers = {"Content-Type": "application/json", **self.headers}
            if key:
                headers["Idempotency-Key"] = key
            self.connection.request(method, path, text, headers)
            response = self.connection.getresponse()
            raw = response.read()
            is_json = "json" in response.headers.get("Content-Type", "")
            answer = Answer(response.status, json.loads(raw) if is_json else raw, dict(response.headers))
        except (OSError, HTTPException):
            answer = Answer(0)
        finally:
            if self.connection is not None:
                self.connection.close()
                self.connection = None
        return Answer(answer.status, answer.body, answer.headers, time.monotonic() - started)

    def post(self, path: str, body: Any = None, *, key: str = "") -> Answer:
        return self.call("POST", path, body if body is not None else {}, key=key)


def together(jobs: Sequence[Callable[[], R]]) -> list[R]:
    """Run all jobs in threads that start at the same moment; their results in order. The first error is raised."""
    barrier = threading.Barrier(len(jobs))
    results: list[R | None] = [None] * len(jobs)
    errors: list[BaseException] = []

    def run(place: int) -> None:
        try:
            barrier.wait(PATIENCE)
            results[place] = jobs[place]()
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(place,), daemon=True) for place in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE * 2)
    assert not any(thread.is_alive() for thread in threads), "a job hangs"
    if errors:
        raise errors[0]
    return results  # type: ignore[return-value]  # no errors: every place is filled


class HeadStart:
    """How long `first` and `second` wait, in seconds, before they race.

    It moves towards the loser, faster each time in a row, so that either wins now and then on a machine of any speed.
    """

    def __init__(self, step: float) -> None:
        self.step = self.stride = step
        self.lead = 0.0  # of the first; below 0 of the second
        self.last: bool | None = None
        self.wins = {True: 0, False: 0}  # of the first, of the second

    def rounds(self, most: int, *, each: int = 10) -> Iterator[int]:
        """Round after round until each side won `each` times, which takes most of them near the tie; `most` at most."""
        for number in range(most):
            if min(self.wins.values()) < each:
                yield number

    @property
    def first(self) -> float:
        return max(0.0, -self.lead)

    @property
    def second(self) -> float:
        return max(0.0, self.lead)

    def won(self, *, by_first: bool) -> None:
        self.stride = min(self.stride * 2, 1.0) if by_first == self.last else self.step
        self.lead += -self.stride if by_first else self.stride
        self.last = by_first
        self.wins[by_first] += 1


def after(seconds: float, job: Callable[[], R]) -> Callable[[], R]:
    """The job, started a little later."""

    def wait_and_do() -> R:
        time.sleep(seconds)
        return job()

    return wait_and_do


@contextmanager
def meanwhile(job: Callable[[threading.Event], None]) -> Iterator[None]:
    """Run a job beside the block; it ends when its event is set, at the end of the block."""
    stop, errors = threading.Event(), []

    def run() -> None:
        try:
            job(stop)
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(PATIENCE)
    if errors:
        raise errors[0]
