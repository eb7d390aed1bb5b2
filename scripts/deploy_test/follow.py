"""The steps of the deployment test, run inside namespace.sh."""

import http.server
import os
import ssl
import stat
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path

import psycopg
import requests

from sandbox.tests.client import Control
from scripts.deploy_test.fake_program import FakeProgram
from scripts.deploy_test.guide import Shell, environment, read_blocks
from scripts.deploy_test.image import Compose
from scripts.deploy_test.people import Administrator, Guest, Visitors, session, wait_for
from scripts.deploy_test.systemd import Manager
from scripts.services import postgres_programs, postgres_server, redis_server
from tests.live.mailserver import MailServer

ROOT = Path(__file__).resolve().parents[2]
SITE, HOST = "https://shop.example", "shop.example"
GUIDE = ROOT / "docs/deployment.md"
FOLDER = Path("/run/deploy-test")
BYTE_CODE = FOLDER / "byte-code"
CA = "/var/lib/caddy/.local/share/caddy/pki/authorities/local/root.crt"
PASSWORD = "a long pass phrase for tests"  # noqa: S105
SANDBOX_PORT = 12111
SANDBOX = f"http://127.0.0.1:{SANDBOX_PORT}"
SECRET, WEBHOOK_ID = "whsec_of_the_deployment_test", "5GP028458E2496506"
PAYPAL_CA = Path("/etc/paypal-ca.pem")
KEYS = {
    "sk_live_...": "sk_test_sandbox",
    "pk_live_...": "pk_test_sandbox",
    "whsec_...": f"{SECRET}\nSTRIPE_API_BASE={SANDBOX}\nSTRIPE_JS_URL={SANDBOX}/v3/",
    "PAYPAL_MODE=live": "PAYPAL_MODE=sandbox",
    "PAYPAL_CLIENT_ID=...": "PAYPAL_CLIENT_ID=sandbox",
    "PAYPAL_CLIENT_SECRET=...": "PAYPAL_CLIENT_SECRET=sandbox",
    "PAYPAL_WEBHOOK_ID=...": f"PAYPAL_WEBHOOK_ID={WEBHOOK_ID}\nPAYPAL_API_BASE={SANDBOX}\n"
    f"PAYPAL_CERT_HOSTS={SANDBOX.removeprefix('http://')}\nPAYPAL_CA_FILE={PAYPAL_CA}",
}
SYSTEMD, UPGRADE = "One server with systemd", "Upgrade and rollback with systemd"
CONTAINERS_UPGRADE = "Upgrade and rollback with containers"


class Steps:
    """What was done, and the seconds that it took; printed as a table at the end."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, float]] = []

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        print(f"… {name}", flush=True)
        started = time.monotonic()
        yield
        self.rows.append((name, time.monotonic() - started))

    def __str__(self) -> str:
        width = max(len(name) for name, _ in self.rows)
        lines = [f"{name:{width}}  {seconds:6.1f} s" for name, seconds in self.rows]
        return "\n".join([*lines, f"{'total':{width}}  {sum(seconds for _, seconds in self.rows):6.1f} s"])


class Server:
    """The empty server with what the guide takes for granted: the distribution's packages, mail, DNS, the providers."""

    sandbox: Control

    def __init__(self, stack: ExitStack, ca: str) -> None:
        """`ca`: certificate of the authority that signs the shop's."""
        self.ca = ca
        FOLDER.mkdir()
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        with Path("/etc/hosts").open("a") as hosts:
            hosts.write(f"127.0.0.1 {HOST} database redis web\n")
        for name in ("/usr/bin/apt-get", "/bin/apt-get"):
            Path(name).write_text("#!/bin/sh\nexit 0\n")
        subprocess.run(["useradd", "--system", "postgres"], check=False, capture_output=True)
        self.archive("0.2.0")
        self.postgres = stack.enter_context(postgres_server(port=5432))
        stack.enter_context(redis_server(port=6379))
        self.mail = stack.enter_context(MailServer())
        self.manager = Manager(FOLDER)
        stack.enter_context(FakeProgram("/usr/bin/systemctl", self.manager.systemctl))
        stack.callback(lambda: self.manager.stop(list(self.manager.units)))
        self.superuser = self.rename_superuser()

    def archive(self, version: str) -> None:
        """The committed files as the archive of a release."""
        target = f"/root/artisans-alley-{version}.tar.gz"
        options = [f"--prefix=artisans-alley-{version}/", f"--output={target}", "HEAD"]
        subprocess.run(["git", "-c", "safe.directory=*", "archive", *options], cwd=ROOT, check=True)

    def rename_superuser(self) -> dict[str, str]:
        """PostgreSQL's superuser is `postgres` and there is no `alley`, as after the installation of its package."""
        url = self.postgres.url
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE ROLE postgres SUPERUSER LOGIN PASSWORD 'postgres'")
        as_postgres = {
            "PGHOST": "127.0.0.1",
            "PGUSER": "postgres",
            "PGPASSWORD": "postgres",
            "PGDATABASE": "postgres",
        }
        with psycopg.connect("host=127.0.0.1 user=postgres password=postgres", autocommit=True) as connection:
            connection.execute("ALTER ROLE alley RENAME TO bootstrap")
        return as_postgres

    def shell(self, more: dict[str, str]) -> Shell:
        """`more`: replacements that the guide needs here besides mail server and keys."""
        mail = "smtp+tls://user:password@mail.example:587"
        replacements = KEYS | {mail: self.mail.url} | more
        env = environment() | self.superuser | {"CURL_CA_BUNDLE": self.ca}
        env["PATH"] += f":{postgres_programs()}"
        return Shell(FOLDER, env, replacements)

    def start_sandbox(self, stack: ExitStack) -> None:
        """The providers; they send webhooks to the shop's public address."""
        argv = [sys.executable, "-m", "sandbox", "--port", str(SANDBOX_PORT)]
        with (FOLDER / "sandbox.log").open("wb") as log:
            process = subprocess.Popen(
                argv, cwd=ROOT, env=os.environ | {"SSL_CERT_FILE": self.ca}, stdout=log, stderr=log
            )
        stack.callback(process.kill)
        wait_for(lambda: answers(f"{SANDBOX}/_sandbox/health"), detail="the sandbox does not start")
        self.sandbox = Control(SANDBOX)
        PAYPAL_CA.write_text(self.sandbox.get("paypal/ca")["pem"])
        self.sandbox.post("stripe/endpoint", url=f"{SITE}/payments/webhooks/stripe", secret=SECRET)
        self.sandbox.post("paypal/endpoint", url=f"{SITE}/payments/webhooks/paypal", webhook_id=WEBHOOK_ID)

    def wait_for_mail(self, address: str, subject: str) -> None:
        wait_for(
            lambda: any(subject in mail.subject.lower() for mail in self.mail.to(address)),
            detail=f"no email to {address}: {[(mail.to, mail.subject) for mail in self.mail.received]}",
        )


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):  # noqa: S310
            return True
    except OSError:
        return False


# ---- one server with systemd ------------------------------------------------------------------------------------

PAYMENTS, CONTAINER_PAYMENTS = "Card payments and PayPal", "Cards and PayPal with containers"
SENDER = "DEFAULT_FROM_EMAIL=Your shop <orders@shop.example>\n"
RESTART = "systemctl restart alley-web alley-worker alley-mailer alley-beat\n"
CHECK = "runuser -u alley -- deploy/shop check --deploy\n"
VENV = "runuser -u alley -- python3 -m venv .venv\n"
PIP = "runuser -u alley -- .venv/bin/pip"
INSTALL = f"{PIP} install --quiet --require-hashes -r requirements.lock\n"


def units() -> Steps:
    """To the letter, with an upgrade and the way back."""
    steps = Steps()
    with ExitStack() as stack:
        with steps.step("PostgreSQL, Redis, mail server"):
            server = Server(stack, CA)
        shell = server.shell(
            {
                "SITE_ADDRESS=shop.example": "SITE_ADDRESS=shop.example\nCADDY_GLOBAL_OPTIONS=local_certs",
                PIP: f"nsenter --net=/run/outside {PIP}",
                f"{RESTART}{CHECK}": RESTART,  # it rejects the sandbox, as it must
            }
        )
        follow(steps, shell, server, stack)
        use(steps, server)
        with steps.step("picture from the proxy"):
            see_picture(session(CA))
        upgrade(steps, server, shell)
        stop(steps, server, shell)
    return steps


def short() -> Steps:
    """With the packages of the tests, a plain proxy in place of Caddy, and the keys of the providers from the start."""
    steps = Steps()
    with ExitStack() as stack:
        with steps.step("PostgreSQL, Redis, mail server"):
            server = Server(stack, str(FOLDER / "proxy.pem"))
        block = next(b.text for b in read_blocks(GUIDE.read_text()) if "STRIPE_SECRET_KEY" in b.text)
        keys = block.partition("<<END\n")[2].partition("END\n")[0]
        for name, value in KEYS.items():
            keys = keys.replace(name, value)
        shell = server.shell(
            {
                VENV: f"ln -s {sys.prefix} .venv\n",
                INSTALL: "",
                CHECK: "",
                SENDER: f"{SENDER}WEB_CONCURRENCY=1\nWORKER_CONCURRENCY=1\nPYTHONPYCACHEPREFIX={BYTE_CODE}\n{keys}",
            }
        )
        stack.enter_context(plain_proxy(Path(server.ca)))
        server.start_sandbox(stack)  # it reads the certificate when it starts
        share_byte_code(shell)
        for folder in (*Path(sys.executable).resolve().parents, *Path(sys.prefix).resolve().parents):
            folder.chmod(
                folder.stat().st_mode | stat.S_IXOTH
            )  # the shop's user reads the packages of the tests
        follow(steps, shell, server, stack, left_out=("Proxy", PAYMENTS))
        use(steps, server)
        stop(steps, server, shell)
    return steps


def share_byte_code(shell: Shell) -> None:
    """The packages of the tests belong to another user, so that each process would compile them again, for half of the
    time of all: take what the tests have compiled. The rest is kept too, as pip and the shop do on a server."""
    BYTE_CODE.mkdir(mode=0o777)
    BYTE_CODE.chmod(0o777)
    shell.env["PYTHONPYCACHEPREFIX"] = str(BYTE_CODE)
    if sys.pycache_prefix:
        for packages in (Path(sys.prefix), Path("/srv/alley/releases/0.2.0/.venv")):
            link = BYTE_CODE / packages.relative_to("/")
            link.parent.mkdir(parents=True)
            link.symlink_to(Path(sys.pycache_prefix, Path(sys.prefix).relative_to("/")))


def follow(
    steps: Steps, shell: Shell, server: Server, stack: ExitStack, *, left_out: tuple[str, ...] = ()
) -> None:
    for block in read_blocks(GUIDE.read_text()):
        if block.section == SYSTEMD and block.heading not in left_out:
            if block.heading == PAYMENTS:
                server.start_sandbox(stack)
            with steps.step(block.heading):
                shell.run(block.text, typed=f"{PASSWORD}\n")
    unused = set(shell.replacements) - shell.replaced
    assert not unused or left_out, f"not in the guide any more: {unused}"


def stop(steps: Steps, server: Server, shell: Shell) -> None:
    with steps.step("stop"):
        shell.run("systemctl stop alley.target")
    left = [name for name in server.manager.units if name.startswith("alley-")]
    assert not left, left


def use(steps: Steps, server: Server) -> None:
    with steps.step("administrator: second factor, first product"):
        admin = Administrator(SITE, server.ca, "admin@shop.example", PASSWORD)
        admin.sign_in()
        admin.add_product(ROOT / "artisans/catalog/demo/pictures/moon-jar.webp")
    with steps.step("purchase by card: order, webhook, emails"):
        buy(server, "first@shop.example")


def buy(server: Server, email: str) -> None:
    """The buyer pays at the provider, in the browser; the shop learns of it by the webhook alone."""
    guest = Guest(SITE, session(server.ca))
    intent, token = guest.order(email)
    server.sandbox.post("stripe/pay", payment_intent=intent, payment_method="pm_card_visa")
    wait_for(lambda: guest.status(token) == "COMPLETED", detail="no webhook completed the payment")
    server.wait_for_mail(email, "payment received")
    server.wait_for_mail("ana@shop.example", "parcel")


def see_picture(http: requests.Session) -> None:
    def source() -> str:
        page = http.get(f"{SITE}/shop/products/bowl/", timeout=60).text
        return page.partition('src="/media/')[2].partition('"')[0]

    wait_for(lambda: bool(source()), detail="the product's page shows no picture")
    answer = http.get(f"{SITE}/media/{source()}", timeout=60)
    assert (answer.status_code, answer.headers.get("X-Content-Type-Options")) == (200, "nosniff")


def upgrade(steps: Steps, server: Server, shell: Shell) -> None:
    server.archive("0.3.0")
    prepare, migrate, switch, rollback = [
        block.text for block in read_blocks(GUIDE.read_text()) if block.section == UPGRADE
    ]
    with Visitors(SITE, CA) as visitors:
        with steps.step("upgrade: prepare the new release"):
            shell.run(prepare.replace(CHECK, ""))
        with steps.step("upgrade: migrate"):
            shell.run(migrate)
        with steps.step("upgrade: restart; a request runs"), slow_payment(server):
            shell.run(switch)
        with steps.step("reload; a request runs"), slow_payment(server):
            shell.run("systemctl reload alley-web")
        with steps.step("purchase by the new release"):
            buy(server, "second@shop.example")
        with steps.step("back to the release before"):
            shell.run(rollback)
        with steps.step("purchase by the release before"):
            buy(server, "third@shop.example")
    failed = len(visitors.failures)
    print(f"Meanwhile {visitors.count} visits; the longest took {visitors.longest:.1f} s, {failed} failed.")
    assert not visitors.failures, visitors.failures


@contextmanager
def slow_payment(server: Server) -> Iterator[None]:
    """A payment that the provider delays by three seconds, in progress while the block runs; it has to succeed."""
    guest, found = Guest(SITE, session(server.ca)), list[str]()
    _, token = guest.order("slow@shop.example")
    server.sandbox.fault("delay", method="POST", path="/v1/payment_intents/*/confirm", seconds=3)
    body = {"payment_intent_id": guest.payment_id, "payment_method_id": "pm_card_visa"}
    thread = threading.Thread(
        target=lambda: found.append(guest.call("POST", "/payments/confirm", body, **token)["status"])
    )
    thread.start()
    time.sleep(0.5)
    yield
    thread.join(90)
    assert found == ["COMPLETED"], found


# ---- in place of Caddy -------------------------------------------------------------------------------------------


class PlainProxy(http.server.BaseHTTPRequestHandler):
    """Passes requests on with the headers that a proxy sets."""

    def pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = dict(self.headers.items())
        headers |= {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https", "Connection": "close"}
        shop = HTTPConnection("127.0.0.1", 8000, timeout=60)
        try:
            shop.request(self.command, self.path, body, headers)
        except ConnectionError:
            self.send_error(502)
            return
        answer = shop.getresponse()
        content = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in {"connection", "content-length", "transfer-encoding"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = pass_on  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def plain_proxy(certificate: Path) -> Iterator[None]:
    key = certificate.with_suffix(".key")
    options = ["-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}", "-days", "2", "-nodes"]
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            *options,
            "-keyout",
            str(key),
            "-out",
            str(certificate),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 443), PlainProxy)
    server.socket = context.wrap_socket(
        server.socket,
        server_side=True,
        do_handshake_on_connect=False,  # in the thread of the connection: a slow one must not stop the others
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield
    server.shutdown()


# ---- containers ---------------------------------------------------------------------------------------------------


def image() -> Steps:
    """The instructions of the Dockerfile and the services of compose.yaml, as plain processes."""
    steps = Steps()
    with ExitStack() as stack:
        with steps.step("PostgreSQL, Redis, mail server"):
            server = Server(stack, "/data/caddy/pki/authorities/local/root.crt")
        keys = (
            f"STRIPE_API_BASE={SANDBOX}\nSTRIPE_JS_URL={SANDBOX}/v3/\nSTRIPE_PUBLISHABLE_KEY=pk_test_sandbox"
        )
        shell = server.shell(
            {
                "STRIPE_PUBLISHABLE_KEY=": keys,
                "touch stripe_secret_key stripe_webhook_secret paypal_client_secret": "touch paypal_client_secret"
                f"; echo sk_test_sandbox > stripe_secret_key; echo {SECRET} > stripe_webhook_secret",
                "docker compose run --rm --no-deps web check --deploy\n": "",
            }
        )
        compose = Compose(
            FOLDER, {"REQUEST_BUFFERING": "buffer_requests", "CADDY_GLOBAL_OPTIONS": "local_certs"}
        )
        stack.enter_context(FakeProgram("/usr/local/sbin/docker", compose.docker))
        stack.callback(compose.down)
        for block in read_blocks(GUIDE.read_text()):
            if block.section == "Containers" and block.heading != CONTAINER_PAYMENTS:  # it has keys already
                first = next(line for line in block.text.splitlines() if not line.startswith("for "))
                with steps.step(f"{block.heading}: {' '.join(first.split()[:3])} …"):
                    shell.env["DJANGO_SUPERUSER_PASSWORD"] = PASSWORD
                    shell.run(block.text)
        server.start_sandbox(stack)
        use(steps, server)
        with steps.step("picture from the proxy"):
            see_picture(session(server.ca))
        with steps.step("metrics from the proxy"):
            see_metrics(session(server.ca))
        upgrade_containers(steps, server, shell)
        with steps.step("stop"):
            compose.down()
    return steps


def see_metrics(http: requests.Session) -> None:
    token = Path("/srv/alley/secrets/metrics_token").read_text().strip()
    answer = http.get(f"{SITE}/metrics", headers={"Authorization": f"Bearer {token}"}, timeout=60)
    assert (answer.status_code, "alley_database_up 1" in answer.text) == (200, True), answer.text


def upgrade_containers(steps: Steps, server: Server, shell: Shell) -> None:
    server.archive("0.3.0")
    prepare, switch, rollback = [
        block.text for block in read_blocks(GUIDE.read_text()) if block.section == CONTAINERS_UPGRADE
    ]
    with Visitors(SITE, server.ca) as visitors:
        with steps.step("upgrade: build, migrate"):
            shell.run(prepare)
        with steps.step("upgrade: replace the containers"):
            shell.run(switch)
        with steps.step("back to the release before"):
            shell.run(rollback)
    assert not visitors.failures, visitors.failures


STEPS: dict[str, Callable[[], Steps]] = {"units": units, "image": image, "short": short}


def show_logs() -> None:
    for log in sorted(FOLDER.glob("*.log")):
        print(f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}")


if __name__ == "__main__":
    try:
        print(STEPS[sys.argv[1]]())
    except BaseException:
        show_logs()
        raise
