"""The parts of the shop and where they run: two web servers, two workers, two beats, proxy, pooler, queue, primary,
standby, and a payment provider."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import psycopg
from redis import Redis
from redis.exceptions import RedisError

from bench.servers import ROOT, plain_env, shop_env
from sandbox.tests.client import Control
from scripts.hosts.network import Host, Program
from scripts.services import postgres_programs, redis_program, unprivileged

PRODUCTS, BUYERS = 200, 100
PATIENCE = 120  # seconds
PASSWORD = "only-in-this-network"  # noqa: S105  # of servers that nobody else can reach
SECRET = "whsec_of_the_hosts"  # noqa: S105
PROGRAMS = {
    "caddy": "caddy",
    "pgbouncer": "pgbouncer",
    "redis-server": "redis",
    "ip": "iproute2",
    "unshare": "util-linux",
}
BOUNCER = """
[databases]
postgres = host={host} port=5432
[pgbouncer]
listen_addr = *
listen_port = 6432
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/users.txt
pool_mode = transaction
max_client_conn = 500
default_pool_size = 30
server_connect_timeout = 3
server_login_retry = 1
query_wait_timeout = 20
"""
PROVIDER = """
{
	admin off
}
http://:12111 {
	reverse_proxy 127.0.0.1:12112 {
		header_up Host 127.0.0.1
	}
}
"""


def missing_programs() -> list[str]:
    """Debian packages of programs that are not on this machine."""
    return [package for program, package in PROGRAMS.items() if not which(program)]


def which(program: str) -> str:
    return shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") or ""


def wait_for(what: Callable[[], Any], *, seconds: float = PATIENCE) -> float:
    """Seconds until it is true. Errors: TimeoutError."""
    started = time.monotonic()
    while not what():
        if time.monotonic() - started > seconds:
            raise TimeoutError(f"Not within {seconds} s: {what}")
        time.sleep(0.1)
    return time.monotonic() - started


class Shop:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        numbers = {"proxy": 10, "db1": 11, "db2": 12, "pool": 13, "queue": 14, "web1": 21, "web2": 22}
        numbers |= {"work1": 23, "work2": 24, "provider": 31}
        self.hosts = {name: Host(name, number) for name, number in numbers.items()}
        self.url = f"http://{self.address('proxy')}"
        self.sandbox = Control(f"http://{self.address('provider')}:12111")
        self.env = self.environment()
        self.primary = self.database_server("db1")
        self.standby = self.database_server("db2")
        self.database = "db1"  # the host of the primary
        self.queue = self.program("queue", [redis_program(), "--protected-mode", "no", "--save", ""])
        self.pool = self.program("pool", [which("pgbouncer"), "-u", "nobody", str(folder / "pgbouncer.ini")])
        self.proxy = self.program("proxy", ["caddy", "run", "--config", str(ROOT / "deploy/Caddyfile")])
        gunicorn = "gunicorn artisans.wsgi --config deploy/gunicorn.conf.py"
        quiet = "--without-gossip --without-mingle"
        self.webs = [self.program(name, self.python(gunicorn)) for name in ("web1", "web2")]
        self.workers = [
            self.program(name, self.python(f"celery -A artisans worker --concurrency 1 {quiet}"))
            for name in ("work1", "work2")
        ]
        self.beats = [
            self.program(name, self.python("celery -A artisans beat")) for name in ("work1", "work2")
        ]
        caddyfile = folder / "provider.caddyfile"
        caddyfile.write_text(PROVIDER)
        self.provider = [
            self.program("provider", self.python("sandbox --port 12112")),
            self.program("provider", f"caddy run --config {caddyfile} --adapter caddyfile".split()),
        ]

    def address(self, name: str) -> str:
        return self.hosts[name].address

    def python(self, module: str) -> list[str]:
        return [sys.executable, "-m", *module.split()]

    def program(self, host: str, argv: list[str]) -> Program:
        locks = self.folder / f"{host}-locks"  # a file system of its own
        env = self.env | {"TASK_LOCKS_DIR": str(locks)}
        return Program(self.hosts[host], argv, folder=self.folder, env=env)

    def environment(self) -> dict[str, str]:
        """The settings of the shop, which are the same on all hosts, and those of the proxy."""
        provider = f"http://{self.address('provider')}:12111"
        return shop_env(self.database_url("pool", 6432), f"redis://{self.address('queue')}:6379/0") | {
            "HOME": str(self.folder),
            "HOST": "0.0.0.0",  # noqa: S104  # of a network without others
            "WEB_CONCURRENCY": "1",
            "SITE_URL": self.url,
            "ALLOWED_HOSTS": self.address("proxy"),
            "EMAIL_URL": "dummymail://",
            "MEDIA_ROOT": str(self.folder / "media"),
            "CELERY_SKIP_CHECKS": "1",
            "ALLOW_TEST_CARDS": "true",
            "STRIPE_SECRET_KEY": "sk_test_hosts",
            "STRIPE_PUBLISHABLE_KEY": "pk_test_hosts",
            "STRIPE_WEBHOOK_SECRET": SECRET,
            "STRIPE_API_BASE": provider,
            "STRIPE_JS_URL": f"{provider}/v3/",
            "SITE_ADDRESS": self.url,
            "WEB_ADDRESS": f"{self.address('web1')}:8000 {self.address('web2')}:8000",
            "REQUEST_BUFFERING": "buffer_requests",
            "CADDY_ADMIN": "off",
            "ERROR_ROOT": str(ROOT / "deploy"),
        }

    def database_url(self, host: str, port: int = 5432) -> str:
        return f"postgres://alley:{PASSWORD}@{self.address(host)}:{port}/postgres"

    # ---- database --------------------------------------------------------------------------------------------

    def database_server(self, host: str) -> Program:
        folder = self.folder / host
        options = ["-h", "*", "-c", "unix_socket_directories=", "-c", "max_connections=100"]
        argv = [*unprivileged(), str(postgres_programs() / "postgres"), "-D", str(folder), *options]
        return self.program(host, argv)

    def create_primary(self) -> None:
        folder, password = self.folder / "db1", self.folder / "password"
        password.write_text(PASSWORD)
        argv = [*unprivileged(), str(postgres_programs() / "initdb"), "-D", str(folder), "-U", "alley"]
        argv += ["--pwfile", str(password), "--auth", "scram-sha-256", "--encoding", "UTF8"]
        subprocess.run([*argv, "--locale", "C.UTF-8"], check=True, stdout=subprocess.DEVNULL)
        with (folder / "pg_hba.conf").open("a") as rules:
            rules.write("host all all 10.77.0.0/24 scram-sha-256\n")
            rules.write("host replication all 10.77.0.0/24 scram-sha-256\n")
        self.primary.start()
        wait_for(lambda: self.answers("db1"))
        self.execute("ALTER ROLE alley SET statement_timeout = '30s'")
        self.execute("ALTER ROLE alley SET lock_timeout = '15s'")
        self.execute("ALTER ROLE alley SET idle_in_transaction_session_timeout = '60s'")

    def create_standby(self) -> None:
        """Synchronous: from now on, what is committed is on both."""
        source = f"host={self.address('db1')} user=alley password={PASSWORD} application_name=db2"
        argv = [*unprivileged(), str(postgres_programs() / "pg_basebackup"), "-D", str(self.folder / "db2")]
        argv += ["-d", source, "-R", "-C", "-S", "db2", "-X", "stream", "-c", "fast"]
        subprocess.run(argv, check=True, capture_output=True)
        self.standby.start()
        wait_for(lambda: self.answers("db2"))
        self.execute("ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (db2)'")
        self.execute("SELECT pg_reload_conf()")
        wait_for(self.is_synchronous)

    def is_synchronous(self) -> bool:
        state = "SELECT sync_state FROM pg_stat_replication WHERE application_name = 'db2'"
        return self.query(state) == ["quorum"]

    def promote(self) -> None:
        self.execute("SELECT pg_promote()", host="db2")
        self.database = "db2"
        self.point_pool()
        self.pool.signal(signal.SIGHUP)

    def answers(self, host: str) -> bool:
        try:
            self.execute("SELECT 1", host=host)
        except psycopg.Error:
            return False
        return True

    def execute(self, statement: str, *, host: str = "") -> None:
        with psycopg.connect(
            self.database_url(host or self.database), autocommit=True, connect_timeout=2
        ) as one:
            one.execute(statement)

    def query(self, statement: str) -> list[Any]:
        with psycopg.connect(self.database_url(self.database), autocommit=True, connect_timeout=2) as one:
            return [row[0] for row in one.execute(statement).fetchall()]

    def point_pool(self) -> None:
        settings = BOUNCER.format(host=self.address(self.database), folder=self.folder)
        (self.folder / "pgbouncer.ini").write_text(settings)
        (self.folder / "users.txt").write_text(f'"alley" "{PASSWORD}"\n')

    # ---- start -----------------------------------------------------------------------------------------------

    def start(self) -> dict[str, list[str]]:
        """Products and tokens of buyers."""
        self.create_primary()
        env = plain_env(self.database_url("db1")) | {"SECRET_KEY": self.env["SECRET_KEY"]}
        seed = [sys.executable, "-m", "bench.seed", str(PRODUCTS), str(BUYERS)]
        seeded: dict[str, list[str]] = json.loads(
            subprocess.run(seed, cwd=ROOT, env=env, check=True, stdout=subprocess.PIPE).stdout
        )
        self.create_standby()
        self.point_pool()
        for one in (
            self.queue,
            self.pool,
            *self.provider,
            self.proxy,
            *self.webs,
            *self.workers,
            *self.beats,
        ):
            one.start()
        wait_for(self.provider_answers)
        endpoint = f"{self.url}/payments/webhooks/stripe"
        self.sandbox.post("stripe/endpoint", url=endpoint, secret=SECRET)
        for name in ("web1", "web2"):
            wait_for(partial(self.serves, name))
        wait_for(self.leading_host)
        return seeded

    def provider_answers(self) -> bool:
        try:
            self.sandbox.get("journal")
        except OSError:
            return False
        return True

    def serves(self, host: str) -> bool:
        try:
            connection = HTTPConnection(self.address(host), 8000, timeout=2)
            connection.request("GET", "/health/ready")
            return connection.getresponse().status == HTTPStatus.OK
        except (OSError, HTTPException):
            return False

    def leading_host(self) -> str:
        held = self.query("SELECT holder FROM core_lease WHERE name = 'beat' AND expires_at > now()")
        return str(held[0]).rpartition("@")[2] if held else ""

    def queue_answers(self) -> bool:
        try:
            return bool(Redis(self.address("queue"), socket_timeout=1, socket_connect_timeout=1).ping())
        except RedisError:
            return False
