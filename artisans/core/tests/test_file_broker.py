"""The broker of the small shop: half written, empty and foreign files never end a worker."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection

from artisans.core.file_broker import UNREADABLE, Channel, Transport

QUEUE = "mail"


@pytest.fixture
def connect(tmp_path: Path) -> Callable[[], Connection]:
    messages = tmp_path / "messages"
    messages.mkdir()
    options = {
        "data_folder_in": str(messages),
        "data_folder_out": str(messages),
        "control_folder": str(tmp_path / "control"),
    }
    Transport.global_state.clear()  # the bindings that this process knows from another test's folder
    return lambda: Connection("filesystem://", transport_options=options)


def received(connection: Connection) -> list[Any]:
    queue, found = connection.SimpleQueue(QUEUE), []
    while True:
        try:
            message = queue.get(block=False)
        except queue.Empty:
            return found
        message.ack()
        found.append(message.payload)


def test_the_shop_uses_this_broker(connect):
    with connect() as connection:
        assert isinstance(connection.default_channel, Channel)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"body": "W10',
        b"\xff\xfe\x00",
        b"[1, 2]",
        b"null",
        b'{"body": "", "properties": {}}',
        b'{"properties": null}',
    ],
)
def test_unreadable_file_is_set_aside_and_the_others_are_read(connect, tmp_path, content):
    broken = tmp_path / "messages" / f"1_x.{QUEUE}.msg"
    broken.write_bytes(content)
    with connect() as connection:
        connection.SimpleQueue(QUEUE).put({"id": 1})
        assert received(connection) == [{"id": 1}]
    assert not broken.exists()
    assert (tmp_path / UNREADABLE / broken.name).read_bytes() == content


def test_file_is_complete_when_its_name_appears(connect, tmp_path):
    """A reader that looks all the time while large messages are written finds none that is not whole."""
    folder, stop, broken = tmp_path / "messages", threading.Event(), []

    def look() -> None:
        while not stop.is_set():
            for path in folder.glob("*.msg"):
                try:
                    json.loads(path.read_text())
                except FileNotFoundError:
                    continue
                except ValueError:
                    broken.append(path.name)

    reader = threading.Thread(target=look)
    reader.start()
    with connect() as connection:
        for _ in range(100):
            connection.SimpleQueue(QUEUE).put({"text": "x" * 200_000})
            received(connection)
    stop.set()
    reader.join()
    assert broken == []


def test_message_is_taken_by_one_of_several_readers(connect):
    with connect() as connection:
        for number in range(60):
            connection.SimpleQueue(QUEUE).put(number)
    taken: list[int] = []

    def work() -> None:
        with connect() as own:
            taken.extend(received(own))

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(taken) == list(range(60))


def test_list_of_queues_that_is_not_written_yet_is_no_error(connect, tmp_path):
    with connect() as connection:
        channel = connection.default_channel
        (tmp_path / "control").mkdir(exist_ok=True)
        (tmp_path / "control" / "mail.exchange").write_text("")
        assert channel.get_table("mail") == []
        connection.SimpleQueue(QUEUE).put(1)
        assert received(connection) == [1]
