"""Settings of the web server; options of the command line take precedence.

gunicorn artisans.wsgi --config deploy/gunicorn.conf.py
"""

import os
import shutil
import socket
import struct
import tempfile
from pathlib import Path

CLIENT_SECONDS = 10
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  # files of its own without a name

bind = f"{os.environ.get('HOST') or '127.0.0.1'}:{os.environ.get('PORT') or '8000'}"
workers = int(os.environ.get("WEB_CONCURRENCY") or 2)
threads = 8  # above PROVIDER_CALLS_AT_ONCE, so that a slow provider leaves threads for everybody else
preload_app = True  # artisans/wsgi.py
control_socket_disable = True

# The heartbeats of a worker that hangs stay out for so long; slow requests do not count. Requests in progress at a stop
# have `graceful_timeout`, in seconds.
timeout = 60
graceful_timeout = 30
keepalive = 75  # longer than proxies keep their connections
worker_tmp_dir = str(SHARED_MEMORY) if SHARED_MEMORY.is_dir() else None  # heartbeats never wait for a disk

# The processes' files for /metrics (docs/metrics.md), set before prometheus_client is imported. A reload keeps the
# folder, so that counters go on.
metrics_prefix = f"alley-metrics-{os.getpid()}-"
if metrics_prefix not in os.environ.get("PROMETHEUS_MULTIPROC_DIR", ""):
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix=metrics_prefix, dir=worker_tmp_dir)

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

    mark_process_dead(worker.pid)


def on_exit(server):
    shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)


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
