"""One JSON line per event, with the request id, without tokens, keys or card numbers."""

import json
import logging
from datetime import UTC, datetime

from artisans.core.requests import request_id
from artisans.core.security.redaction import scrub

STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "taskName",
    "request",
    "server_time",
}


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "event": scrub(record.getMessage())[:2000],
            "request_id": request_id.get(),
        }
        line |= {k: scrub(str(v))[:500] for k, v in vars(record).items() if k not in STANDARD}
        if record.exc_info:
            line["error"] = scrub(self.formatException(record.exc_info))
        return json.dumps(line)
