"""One JSON line per event, with the request id, without tokens, keys or card numbers."""

import json
import logging
import re
from datetime import UTC, datetime

from artisans.core.middleware import request_id

SECRETS = re.compile(
    r"(?:sk|rk|pk)_(?:test|live)_\w+|whsec_\w+|(?<!\w)\w+_secret_\w+|aa_[0-9a-f]{16,}|(?i:bearer)\s+\S+"
    r"|(?<=/shop/orders/)[0-9a-f]{32}-[^/\s]+"
)
CARD_NUMBER = re.compile(r"(?<![\w-])\d(?:[ -]?\d){12,18}(?![\w-])")
STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "taskName",
    "request",
    "server_time",
}


def scrub(text: str) -> str:
    """Mask provider keys, tokens, order links and digit runs that pass the card check."""
    text = SECRETS.sub("[secret]", text)
    return CARD_NUMBER.sub(lambda run: "[card]" if is_luhn(run.group()) else run.group(), text)


def is_luhn(run: str) -> bool:
    digits = [int(sign) for sign in run if sign.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


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
