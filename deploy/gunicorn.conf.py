"""Settings of the web server; options of the command line take precedence.

gunicorn artisans.wsgi --config deploy/gunicorn.conf.py
"""

import fcntl
import os
import resource
import shutil
import socket
import struct
import tempfile
from contextlib import suppress
from pathlib import Path

import environ

CLIENT_SECONDS = 5
MOST_FILES = 65_536
OTHER_FILES = 64  # of a worker, which are not connections of clients
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  # files of its own without a name

bind = f"{os.environ.get('HOST') or '127.0.0.1'}:{os.environ.get('PORT') or '8000'}"
workers = int(os.environ.get("WEB_CONCURRENCY") or 2)
threads = 8  # above PROVIDER_CALLS_AT_ONCE, so that a slow provider leaves threads for everybody else
preload_app = True  # artisans/wsgi.py

# As many files as the system allows. A worker that finds none for a connection would end with all its requests, so that
# further connections wait in the kernel: each can need two, for the time in which it sends nothing.
most_files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
most_files = MOST_FILES if most_files == resource.RLIM_INFINITY else min(most_files, MOST_FILES)
resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
worker_connections = max(threads + 1, min(1000, (most_files - OTHER_FILES) // 2))
control_socket_disable = True

# The heartbeats of a worker that hangs stay out for so long; slow requests do not count. Requests in progress at a stop
# have `graceful_timeout`, in seconds.
timeout = 60
graceful_timeout = 30
keepalive = 75  # longer than proxies keep their connections
worker_tmp_dir = str(SHARED_MEMORY) if SHARED_MEMORY.is_dir() else None  # heartbeats never wait for a disk


def make_metrics_folder(own: str) -> None:
    """Removes the folders of masters that were killed. A lock, which the workers inherit, says who is alive."""
    for folder in Path(parent).glob(f"{every_master}*"):
        remove_unless_used(folder)
    folder = tempfile.mkdtemp(prefix=own, dir=parent)
    fcntl.flock(os.open(f"{folder}/lock", os.O_CREAT | os.O_RDWR, 0o600), fcntl.LOCK_EX)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder


def remove_unless_used(folder: Path) -> None:
    with suppress(OSError), (folder / "lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)


# The processes' files for /metrics (docs/metrics.md), set before prometheus_client is imported. A reload keeps the
# folder, so that counters go on.
environ.Env.read_env(Path(__file__).resolve().parent.parent / ".env")
variables = ("METRICS_TOKEN", "METRICS_TOKEN_FILE", "METRICS_ADDRESSES", "METRICS_ADDRESSES_FILE")
parent = worker_tmp_dir or tempfile.gettempdir()
every_master = f"alley-metrics-{os.getuid()}-"
this_master = f"{every_master}{os.getpid()}-"
if any(map(os.environ.get, variables)) and this_master not in os.environ.get("PROMETHEUS_MULTIPROC_DIR", ""):
    make_metrics_folder(this_master)

# Larger requests are refused before the application sees them; BodySizeMiddleware limits bodies.
limit_request_line = 4096
limit_request_fields = 64
limit_request_field_size = 8192

# Lines as the application's; requests are logged by artisans.core.web.request_log.
logconfig_dict = {
    "formatters": {"json": {"()": "artisans.core.logs.JsonFormatter"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["console"]},
    "loggers": {"gunicorn.error": {"handlers": ["console"], "propagate": False}},
}


def child_exit(server, worker):
    """Counters of the worker stay, so that they never fall; gauges of living processes lose it."""
    from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415  # chooses by the variable above

    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        mark_process_dead(worker.pid)


def on_exit(server):
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")
    if this_master in folder:
        shutil.rmtree(folder, ignore_errors=True)


def when_ready(server):
    """Clients that connect and send nothing, or stop in the middle, would each keep a thread.

    The kernel hands over a connection once it has data, and ends a wait for more. Against many clients that send
    slowly, use a proxy that buffers requests.
    """
    for listener in server.LISTENERS:
        if listener.sock.family in {socket.AF_INET, socket.AF_INET6} and hasattr(socket, "TCP_DEFER_ACCEPT"):
            listener.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, CLIENT_SECONDS)
            for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):  # accepted sockets inherit them
                listener.sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", CLIENT_SECONDS, 0))
