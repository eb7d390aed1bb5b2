"""A program that asks this process to do its work, such as `systemctl` where there is no systemd."""

import json
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

CLIENT = """#!/usr/bin/env python3
import json, os, socket, sys
connection = socket.socket(socket.AF_UNIX)
connection.connect({control!r})
call = dict(argv=sys.argv[1:], folder=os.getcwd(), env=dict(os.environ))
connection.sendall(json.dumps(call).encode() + b"\\n")
error = json.loads(connection.makefile().readline())
sys.exit(error or 0)
"""


class Refused(Exception):
    """The message that the program prints."""


@dataclass(frozen=True)
class Call:
    argv: list[str]
    folder: Path
    env: dict[str, str]


class FakeProgram:
    def __init__(self, path: str, handle: Callable[[Call], None]) -> None:
        self.path, self.handle = Path(path), handle

    def __enter__(self) -> Self:
        control = f"/run/{self.path.name}.socket"
        self.path.unlink(missing_ok=True)
        self.path.write_text(CLIENT.format(control=control))
        self.path.chmod(0o755)
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(control)
        self.server.listen()
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.close()

    def serve(self) -> None:
        with suppress(OSError):  # closed at the end
            while True:
                connection, _ = self.server.accept()
                with connection, connection.makefile("rw") as stream:
                    call = json.loads(stream.readline())
                    answer = ""
                    try:
                        self.handle(Call(call["argv"], Path(call["folder"]), call["env"]))
                    except Exception as error:  # the program prints it
                        answer = f"{self.path.name} {' '.join(call['argv'])}: {error}"
                    stream.write(f"{json.dumps(answer)}\n")
