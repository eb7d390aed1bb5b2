"""The broker of the small shop: messages are files in one folder.

Kombu's own file transport writes a message into the file that a worker may already read, and a worker that reads half
a message ends. Here a file is written under another name and renamed when it is complete; one that cannot be read
nevertheless is set aside.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path
from queue import Empty
from typing import Any
from uuid import uuid4

from kombu.transport import filesystem
from kombu.utils.json import dumps, loads

logger = logging.getLogger(__name__)

UNREADABLE = "unreadable"  # a folder beside the messages
TAKEN = "taken"


class Channel(filesystem.Channel):
    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:  # type: ignore[override]  # as in kombu
        name = f"{time.time_ns() // 1_000_000}_{uuid4()}.{queue}.msg"
        write_and_rename(Path(self.data_folder_out) / name, dumps(payload))

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        """The oldest readable message of the queue. Errors: Empty."""
        folder = Path(self.data_folder_in)
        for path in sorted(folder.iterdir()):
            if path.name.partition(".")[2] == f"{queue}.msg":
                taken = take(path)
                if taken is not None and (payload := read_message(taken)) is not None:
                    return payload
        raise Empty

    def _bindings_file(self, exchange: str) -> Path:
        return Path(self.control_folder) / f"{exchange}.exchange"

    def get_table(self, exchange: str) -> list[Any]:
        """The queues of an exchange; none while it is not written yet."""
        try:
            rows = loads(self._bindings_file(exchange).read_text())
        except (FileNotFoundError, ValueError):
            return []
        return [filesystem.exchange_queue_t(*row) for row in rows]

    def _queue_bind(
        self, exchange: str, routing_key: str | None, pattern: str | None, queue: str | None
    ) -> None:
        binding = filesystem.exchange_queue_t(routing_key or "", pattern or "", queue or "")
        file = self._bindings_file(exchange)
        file.parent.mkdir(exist_ok=True)
        with locked(file):
            bindings = self.get_table(exchange)
            if binding not in bindings:
                write_and_rename(file, dumps([binding, *bindings]))

    def _delete(
        self, queue: str, exchange: str, routing_key: str, pattern: str, *args: Any, **kw: Any
    ) -> None:
        super(filesystem.Channel, self)._delete(queue, exchange, routing_key, pattern, *args, **kw)
        binding = filesystem.exchange_queue_t(routing_key or "", pattern or "", queue or "")
        file = self._bindings_file(exchange)
        with locked(file):
            bindings = self.get_table(exchange)
            if binding in bindings:
                write_and_rename(file, dumps([other for other in bindings if other != binding]))


class Transport(filesystem.Transport):
    Channel = Channel


def write_and_rename(path: Path, text: str) -> None:
    """Nobody sees a part of the file, even if this process is killed meanwhile."""
    unfinished = path.with_name(f"{uuid4()}.tmp")
    unfinished.write_text(text)
    unfinished.replace(path)


def take(path: Path) -> Path | None:
    """Claim a message by moving it, which only one process can do; None if another one was faster."""
    target = folder_beside(path, TAKEN) / path.name
    try:
        return path.rename(target)
    except FileNotFoundError:
        return None


def read_message(path: Path) -> dict[str, Any] | None:
    """The message in a file that was taken; None if it contains none, and then the file is set aside."""
    try:
        payload: dict[str, Any] = loads(path.read_bytes().decode())
        payload["body"], payload["properties"]["delivery_tag"]  # what every message has
    except (ValueError, OSError, TypeError, KeyError):
        logger.exception("broker_file_unreadable", extra={"file": path.name})
        path.replace(folder_beside(path, UNREADABLE) / path.name)
        return None
    path.unlink(missing_ok=True)
    return payload


def folder_beside(path: Path, name: str) -> Path:
    folder = path.parents[1] / name
    folder.mkdir(exist_ok=True)
    return folder


@contextmanager
def locked(file: Path) -> Iterator[None]:
    with file.with_suffix(".lock").open("w") as held:
        flock(held, LOCK_EX)
        yield
