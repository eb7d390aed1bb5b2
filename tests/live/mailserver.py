"""A mail server for tests: stores what it receives, or fails as configured."""

import socketserver
import threading
import time
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Literal, Self

Mood = Literal["good", "refuse", "hang", "drop", "slow"]


@dataclass(frozen=True, slots=True)
class Received:
    to: str
    message: EmailMessage

    @property
    def id(self) -> str:
        return str(self.message["Message-ID"])

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    @property
    def text(self) -> str:
        part = self.message.get_body(("plain",))
        return str(part.get_content()) if part else ""


@dataclass
class MailServer:
    """`mood`: good; refuse (421 on connect and on an open connection); hang (no greeting, no answer); drop (takes the
    mail, then breaks off); slow (half a second between the mail and the yes).
    """

    mood: Mood = "good"
    received: list[Received] = field(default_factory=list)

    def __enter__(self) -> Self:
        outer = self

        class Conversation(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                outer.talk(self)

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Conversation)
        self.server.daemon_threads = True
        self.server.block_on_close = False
        threading.Thread(target=self.server.serve_forever, args=(0.1,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.server.server_address[1]}"

    def clear(self) -> None:
        self.mood = "good"
        self.received.clear()

    def to(self, address: str) -> list[Received]:
        return [mail for mail in self.received if mail.to == address]

    def talk(self, line: socketserver.StreamRequestHandler) -> None:
        if not self.is_willing(line):
            return
        say(line, "220 good day")
        recipient, verb = "", ""
        while verb != "QUIT" and (command := line.rfile.readline().decode(errors="replace")):
            verb = command[:4].upper().strip()
            if not self.is_willing(line):
                return
            if verb == "RCPT":
                recipient = command.partition("<")[2].partition(">")[0]
            if verb == "DATA" and not self.take(recipient, line):
                return
            say(line, "221 bye" if verb == "QUIT" else "250 fine")

    def is_willing(self, line: socketserver.StreamRequestHandler) -> bool:
        while self.mood == "hang":
            time.sleep(0.1)
        if self.mood == "refuse":
            say(line, "421 not today")
        return self.mood != "refuse"

    def take(self, recipient: str, line: socketserver.StreamRequestHandler) -> bool:
        """Store the mail. Returns whether the sender gets an answer."""
        say(line, "354 go on")
        raw = bytearray()
        while (row := line.rfile.readline()) not in {b".\r\n", b""}:
            raw += row.removeprefix(b".") if row.startswith(b"..") else row
        message = message_from_bytes(bytes(raw), _class=EmailMessage, policy=policy.default)
        self.received.append(Received(recipient, message))
        if self.mood == "slow":
            time.sleep(0.5)
        return self.mood != "drop"


def say(line: socketserver.StreamRequestHandler, text: str) -> None:
    line.wfile.write(f"{text}\r\n".encode())
