"""One JSON line per event, with the request id, without tokens, keys or card numbers."""

import json
import logging
import re
from datetime import UTC, datetime

from artisans.core.requests import request_id
from artisans.core.security.redaction import scrub_error

STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "taskName",
    "request",
    "server_time",
    "data",  # Celery's, of a task that failed: its arguments, and the traceback again
}
LARGEST_NUMBER = 10**11  # a longer one could be a card number
REFUSALS = "django.security."  # requests that Django refuses: suspicious, too large, for another host
# Its message holds the path, which can hold a secret; the line of the request has the route.
ERROR_500 = "django.request"
# gunicorn quotes the request that it refuses, with its cookies and its path.
QUOTED_PATH = re.compile(r": /.*", re.DOTALL)  # of Django's refusals
QUOTED_REQUEST = re.compile(r"(Invalid request from ip=\S+: [\w ]+|Error handling request).*", re.DOTALL)


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": "WARNING" if is_refusal(record) else record.levelname,
            "logger": record.name,
            "event": event_of(record),
            "request_id": request_id.get(),
        }
        line |= {f"{k}_" if k in line else k: v for k, v in extra_of(record).items()}
        if record.exc_info and not is_refusal(record):
            line["error"] = scrub_error(self.formatException(record.exc_info))
        return json.dumps(line)


def extra_of(record: logging.LogRecord) -> dict[str, object]:
    return {name: as_json(value) for name, value in vars(record).items() if name not in STANDARD}


def is_refusal(record: logging.LogRecord) -> bool:
    """Whether it is about a request that Django refused, or whose client stopped in the middle
    (deploy/gunicorn.conf.py)."""
    is_stalled = record.exc_info is not None and record.exc_info[0] is BlockingIOError
    return record.name.startswith(REFUSALS) or is_stalled


def event_of(record: logging.LogRecord) -> str:
    if record.name == ERROR_500:
        return "request_failed"
    message = record.getMessage()
    if record.name == "gunicorn.error":
        message = QUOTED_REQUEST.sub(r"\1", message)
    elif record.name.startswith(REFUSALS):
        message = QUOTED_PATH.sub("", message)
    return scrub_error(message)[:2000]


def as_json(value: object) -> object:
    if value is None or (isinstance(value, int | float) and abs(value) < LARGEST_NUMBER):
        return value
    return scrub_error(str(value))[:500]
