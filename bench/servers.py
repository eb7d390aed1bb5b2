"""PostgreSQL, Redis, the shop and the baseline, started as in production on free ports of this machine."""

import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.sql import SQL, Identifier

from scripts.services import Server, free_port, postgres_server, redis, running, temporary_folder

ROOT = Path(__file__).resolve().parent.parent
PRODUCTS, BUYERS = 1000, 400
NO_LIMIT = str(10**9)  # the limits are checked but never reached


@dataclass(frozen=True)
class Site:
    """A running web application with products and signed-in buyers. `pids`: its web server, and its database
    if that is a server."""

    port: int
    database: str
    pids: tuple[int, ...]
    products: list[str]
    tokens: list[str]


@contextmanager
def database_and_queue(*names: str) -> Iterator[tuple[Server, str, Path]]:
    """A PostgreSQL server with these databases, which count their statements; the URL of a Redis; and a folder."""
    preload = ("shared_preload_libraries=pg_stat_statements",)
    with postgres_server(*preload) as database, redis() as queue, temporary_folder("bench") as folder:
        for name in names:
            with psycopg.connect(database.url, autocommit=True) as admin:
                admin.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
            url = database.url.removesuffix("postgres") + name
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("CREATE EXTENSION pg_stat_statements")
        yield database, queue, folder


@contextmanager
def shop_and_baseline() -> Iterator[tuple[Site, Site]]:
    with database_and_queue("shop", "baseline") as (database, queue, folder):
        urls = {name: database.url.removesuffix("postgres") + name for name in ("shop", "baseline")}
        with (
            site("artisans.wsgi", "bench.seed", shop_env(urls["shop"], queue), database, folder) as shop,
            site(
                "bench.baseline.wsgi", "bench.baseline.seed", plain_env(urls["baseline"]), database, folder
            ) as baseline,
        ):
            yield shop, baseline


@contextmanager
def site(
    wsgi: str,
    seed: str,
    env: dict[str, str],
    database: Server | None,
    folder: Path,
    python: str = sys.executable,
) -> Iterator[Site]:
    argv = [python, "-m", seed, str(PRODUCTS), str(BUYERS)]
    seeded = json.loads(subprocess.run(argv, cwd=ROOT, env=env, check=True, stdout=subprocess.PIPE).stdout)
    port = free_port()
    argv = [
        *(python, "-m", "gunicorn", wsgi, "--chdir", str(ROOT), "--bind", f"127.0.0.1:{port}"),
        *("--preload", "--workers", "2", "--threads", "4", "--keep-alive", "75", "--no-control-socket"),
    ]
    server = Server(
        argv, url=f"http://127.0.0.1:{port}", is_up=lambda: listens(port), log=folder / wsgi, env=env
    )
    for up in running(server):
        pids = (pid_of(up), *([pid_of(database)] if database else []))
        yield Site(port, env["DATABASE_URL"], pids, seeded["products"], seeded["tokens"])


def plain_env(database_url: str) -> dict[str, str]:
    """This machine's environment without variables that could configure Django."""
    kept = {
        name: os.environ[name]
        for name in ("PATH", "HOME", "LANG", "PYTHONPYCACHEPREFIX")
        if name in os.environ
    }
    return kept | {"DATABASE_URL": database_url}


def shop_env(database_url: str, redis_url: str) -> dict[str, str]:
    return plain_env(database_url) | {
        "SECRET_KEY": secrets.token_urlsafe(50),
        "SITE_URL": "http://127.0.0.1",
        "DEBUG": "false",
        "DEMO": "false",
        "TRUSTED_PROXIES": "1",
        "CACHE_URL": redis_url.replace("redis:", "rediscache:"),
        "CELERY_BROKER_URL": redis_url.removesuffix("0") + "1",
        "MAX_OPEN_ORDERS": NO_LIMIT,
        "MAX_HELD_OF_PRODUCT": NO_LIMIT,
        "MAX_HELD_UNITS": NO_LIMIT,
        "MAX_HELD_VALUE_MINOR": NO_LIMIT,
        "MAX_HELD_SHARE": "100",
        "RATE_LIMIT_FACTOR": NO_LIMIT,
    }


def pid_of(server: Server) -> int:
    if server.process is None:
        raise RuntimeError(f"{server.url} is not running.")
    return server.process.pid


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
