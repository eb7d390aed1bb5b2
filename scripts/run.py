"""Run the demo shop on this machine: web server, worker and provider sandbox, with SQLite in var/."""

import multiprocessing
import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections import deque
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path

from honcho.manager import Manager
from honcho.printer import Message

from scripts.terminal import abandoned_by, own_ctrl_c

ROOT = Path(__file__).resolve().parent.parent
PYTHON = f"exec {shlex.quote(sys.executable)} -m"
PROCESSES = {
    "web": f"{PYTHON} gunicorn artisans.wsgi --config deploy/gunicorn.conf.py --bind 127.0.0.1:$PORT --workers 1"
    " --graceful-timeout 3 --log-level warning",
    "worker": f"{PYTHON} celery --quiet -A artisans worker -P threads -c 6 -B --loglevel INFO"
    " --without-gossip --without-mingle --without-heartbeat",
    "mailer": f"{PYTHON} celery --quiet -A artisans worker -P threads -c 2 -Q default,mail -n mailer@%h --loglevel INFO"
    " --without-gossip --without-mingle --without-heartbeat",
    "sandbox": f"{PYTHON} sandbox --port $SANDBOX_PORT --state var/sandbox"
    " --webhook-url http://127.0.0.1:$PORT/payments/webhooks/stripe --webhook-secret $STRIPE_WEBHOOK_SECRET"
    " --paypal-webhook-url http://127.0.0.1:$PORT/payments/webhooks/paypal --paypal-webhook-id $PAYPAL_WEBHOOK_ID",
}
SANDBOX_ABOVE = 4111  # the sandbox's port is the shop's plus this, so that two shops do not clash
RESTARTS, RESTART_SECONDS = 5, 300  # more restarts of one process than this, and the shop stops
PATIENCE = 180  # seconds for the processes to become ready
WELCOME = """
  The shop is running. Press Ctrl-C to stop it.

    shop           {url}/
    admin          {url}/admin/
    emails         {url}/demo/mail/
    API            {url}/products/
    payments       {sandbox}/   payments at the simulated providers

    sign in as     shopper@demo.test    shopper
                   artisan@demo.test    artisan
                   applicant@demo.test  wants to sell
                   staff@demo.test      records payments, makes refunds
                   admin@demo.test      administrator
    password       demo-alley-1

    Pay by card with 4242 4242 4242 4242, any future date and any code, or with PayPal. No real money moves.
"""


class Failure(Exception):
    """Why the shop is not running, as a message for the user."""


def main() -> int:
    os.chdir(ROOT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))  # the terminal was closed
    try:
        with own_ctrl_c():
            env = checked_environment()
            prepare(env)
            Shop(env).loop()
    except KeyboardInterrupt:
        pass
    except Failure as failure:
        print(f"\n{failure}", file=sys.stderr)
        return 1
    print("\nThe shop has stopped.")
    return 0


def checked_environment() -> dict[str, str]:
    host, port = os.environ.get("HOST") or "localhost", os.environ.get("PORT") or "8000"
    sandbox = os.environ.get("SANDBOX_PORT") or str(int(port) + SANDBOX_ABOVE if port.isdecimal() else port)
    if host not in {"127.0.0.1", "localhost"}:
        raise Failure(
            f"HOST is {host}, but the demo has public passwords and only serves 127.0.0.1: unset HOST."
        )
    check_port(port, remedy="make run PORT=8001")
    check_port(sandbox, remedy="make run SANDBOX_PORT=12112")
    return os.environ | {"DEMO": "true", "PORT": port, "SANDBOX_PORT": sandbox} | providers(sandbox)


def check_port(port: str, *, remedy: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", int(port)))
        except (OSError, OverflowError, ValueError) as error:
            raise Failure(f"Port {port} cannot be used ({error}); try: {remedy}") from None


def providers(sandbox: str) -> dict[str, str]:
    """Settings that make the demo use the sandbox, never a real provider, whatever the environment says."""
    url = f"http://127.0.0.1:{sandbox}"
    return {
        "STRIPE_SECRET_KEY": "sk_test_sandbox",
        "STRIPE_PUBLISHABLE_KEY": "pk_test_sandbox",
        "STRIPE_WEBHOOK_SECRET": "whsec_sandbox_of_the_demo",
        "STRIPE_API_BASE": url,
        "STRIPE_JS_URL": f"{url}/v3/",
        "ALLOW_TEST_CARDS": "true",
        "PAYPAL_CLIENT_ID": "sandbox",
        "PAYPAL_CLIENT_SECRET": "sandbox",
        "PAYPAL_MODE": "sandbox",
        "PAYPAL_WEBHOOK_ID": "5GP028458E2496506",
        "PAYPAL_API_BASE": url,
        "PAYPAL_CERT_HOSTS": url.removeprefix("http://"),
        "PAYPAL_CA_FILE": str(ROOT / "var/sandbox/paypal/ca.pem"),
        "VIES_API_BASE": f"{url}/vies",
    }


def prepare(env: dict[str, str]) -> None:
    key = ROOT / "var/secret_key"
    if not key.exists():
        key.touch(mode=0o600)
        key.write_text(secrets.token_urlsafe(50))
    argv = [sys.executable, "-m", "scripts.prepare"]
    if subprocess.run(argv, env=env | {"LOG_LEVEL": "WARNING"}, check=False).returncode:
        raise Failure("The shop could not be prepared; see the output above.")


class Shop(Manager):
    """Honcho's manager, silent until the shop is ready; it ends on a signal.

    A process that ends by itself is started again; if it ends again and again, so does the shop.
    """

    width = 0  # honcho uses this object as its printer and sets the width
    exit_code: int | None = None
    is_restarting = False

    def __init__(self, env: dict[str, str]) -> None:
        super().__init__(printer=self)
        self.url = f"http://localhost:{env['PORT']}"  # a name, since passkeys cannot belong to an IP address
        self.sandbox = f"http://localhost:{env['SANDBOX_PORT']}"
        self.is_open = False
        self.worker_is_ready = False
        self.problem = ""
        self.last_lines: deque[str] = deque(maxlen=25)
        self.restarts: dict[str, deque[float]] = {name: deque(maxlen=RESTARTS) for name in PROCESSES}
        for name, command in PROCESSES.items():
            self.add_process(name, command, env=env)

    def loop(self) -> None:
        print("Starting .", end="", flush=True)
        threading.Thread(
            target=self.watch, args=(os.getppid(), time.monotonic() + PATIENCE), daemon=True
        ).start()
        super().loop()
        if self.problem:
            lines = [] if self.is_open else self.last_lines
            raise Failure("\n".join([*lines, self.problem]))

    def write(self, message: Message) -> None:
        text = message.data if isinstance(message.data, str) else message.data.decode(errors="replace")
        if message.name != "system":
            self.worker_is_ready |= message.name == "worker" and " ready." in text
            for line in filter(str.strip, text.splitlines()):
                self.last_lines.append(f"{message.name:7} | {line}")
                if self.is_open:
                    with suppress(OSError):  # the terminal may be gone
                        print(self.last_lines[-1], flush=True)
        elif " stopped " in text and self.returncode is None and not self.restart(text.split()[0]):
            self.problem = (
                f"The shop has stopped because its {text.split()[0]} process ended; see the output above."
            )

    @property
    def returncode(self) -> int | None:
        return self.exit_code

    @returncode.setter
    def returncode(self, code: int | None) -> None:
        """Honcho assigns the code of every process that ends, and ends when there is one."""
        if not self.is_restarting:
            self.exit_code = code
        self.is_restarting = False

    def restart(self, name: str) -> bool:
        """Start a process again that ended by itself. False while the shop is starting, and after too many restarts."""
        past, now = self.restarts[name], time.monotonic()
        if not self.is_open or (len(past) == RESTARTS and now - past[0] < RESTART_SECONDS):
            return False
        past.append(now)
        print(f"{name:7} | ended and is started again", flush=True)
        process = self._processes[name]
        for key in ("pid", "returncode"):
            del process[key]
        process["process"] = multiprocessing.Process(
            name=name, target=process["obj"].run, args=(self.events, True)
        )
        process["process"].start()
        self.is_restarting = True
        return True

    def terminate(self) -> None:
        if self._all_started():  # before that honcho has no process ids; watch() calls this again
            super().terminate()

    def watch(self, parent: int, deadline: float) -> None:
        while True:
            time.sleep(0.5)
            if self.returncode is not None:
                self.terminate()
            elif abandoned_by(parent):
                os.kill(os.getpid(), signal.SIGTERM)
            elif not self.is_open:
                self.try_to_open(deadline)

    def try_to_open(self, deadline: float) -> None:
        is_ready = answers(f"{self.sandbox}/_sandbox/health") and answers(f"{self.url}/health/ready")
        if self.worker_is_ready and is_ready:
            self.is_open = True
            print(WELCOME.format(url=self.url, sandbox=self.sandbox), flush=True)
        elif time.monotonic() > deadline:
            self.problem = f"The shop did not become ready within {PATIENCE} seconds; see the output above."
            os.kill(os.getpid(), signal.SIGTERM)
        else:
            print(".", end="", flush=True)


def answers(url: str) -> bool:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=2):
            return True
    except (OSError, HTTPException):
        return False


if __name__ == "__main__":
    sys.exit(main())
