"""Hosts as network namespaces on one bridge.

All of it is inside namespaces of this process: when it ends, however it ends, the kernel ends its processes and removes
its networks.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from bench.measure import family

NAMES = Path("/run/netns")
NETWORK = "10.77.0"
PREFIX = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")


def enter(module: str, *arguments: str) -> int:
    """Run the module in namespaces of its own; the exit code."""
    NAMES.mkdir(exist_ok=True)
    process = subprocess.Popen([*PREFIX, sys.executable, "-m", module, *arguments])
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue  # it got the signal too


def build() -> None:
    """The bridge, which this process is connected to."""
    call("mount", "-t", "tmpfs", "tmpfs", str(NAMES))
    call("ip", "link", "add", "bridge", "type", "bridge")
    call("ip", "address", "add", f"{NETWORK}.1/24", "dev", "bridge")
    call("ip", "link", "set", "bridge", "up")


def end_processes() -> None:
    """All but this one, which is the first in its namespace: outside of it, it would be all of the machine."""
    if os.getpid() == 1:
        with suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)


def call(*argv: str) -> None:
    subprocess.run(argv, check=True, capture_output=True)


class Host:
    def __init__(self, name: str, number: int) -> None:
        self.name, self.address = name, f"{NETWORK}.{number}"
        call("ip", "netns", "add", name)
        call(*f"ip link add to-{name} type veth peer name eth0 netns {name}".split())
        call(*f"ip link set to-{name} master bridge up".split())
        call(*f"ip -n {name} address add {self.address}/24 dev eth0".split())
        for device in ("lo", "eth0"):
            call(*f"ip -n {name} link set {device} up".split())

    def command(self, argv: Sequence[str]) -> list[str]:
        """Each host has its name too, which heartbeats show."""
        rename = 'hostname "$0" && exec "$@"'
        return ["ip", "netns", "exec", self.name, "unshare", "--uts", "sh", "-c", rename, self.name, *argv]


class Program:
    """A program on a host, with all processes that it starts."""

    def __init__(self, host: Host, argv: Sequence[str], *, folder: Path, env: Mapping[str, str]) -> None:
        self.host, self.argv, self.env = host, host.command(argv), env
        self.log = folder / f"{host.name}.{Path(argv[0]).name}.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.argv, env=dict(self.env), stdout=log, stderr=log, start_new_session=True
            )

    def signal(self, how: signal.Signals) -> None:
        """To each of its processes."""
        for pid in list(self.pids()):
            try:
                os.kill(pid, how)
            except ProcessLookupError:
                continue

    def pids(self) -> Iterator[int]:
        if self.process is not None:
            yield from family([self.process.pid])

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait()
            self.process = None
