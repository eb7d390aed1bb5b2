"""The part of systemd that the units of deploy/ use, where systemd itself does not run.

`Manager` starts the very commands of the unit files: as their user, with their variables, sockets and limits on what
can be written. Restarts after a crash, memory limits and system call filters are left out.
"""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.deploy_test.fake_program import Call, Refused

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDERS = (Path("/etc/systemd/system"), Path("/lib/systemd/system"))
# PID and socket of the process are those of this shell, which becomes the program of the unit.
LAUNCH = """
if [ -n "$SOCKET" ]; then exec 3<&"$SOCKET"; export LISTEN_FDS=1 LISTEN_PID=$$; fi
unset SOCKET
if [ -n "$PRIVATE" ]; then
    for folder in $WRITABLE; do mount --bind "$folder" "$folder"; done
    mount -o remount,bind,ro /
    mount -t tmpfs -o mode=1777 tmpfs /tmp
fi
unset PRIVATE WRITABLE
exec setpriv "$@"
"""


@dataclass
class Unit:
    name: str
    values: dict[str, list[str]] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None
    listener: socket.socket | None = None

    def all(self, key: str) -> list[str]:
        """Words of a setting that may be repeated."""
        return [word for line in self.values.get(key, []) for word in shlex.split(line)]

    def get(self, key: str, default: str = "") -> str:
        return self.values.get(key, [default])[-1]


def read_unit(name: str) -> Unit:
    """The unit with its drop-ins, of which those for `alley-` apply to all units whose names begin so."""
    file = next((folder / name for folder in FOLDERS if (folder / name).exists()), None)
    if file is None:
        raise Refused(f"Unit {name} not found.")
    prefix, _, kind = name.partition("-")[0], *name.rpartition(".")[1:]
    dropins = [*FOLDERS[0].glob(f"{prefix}-.{kind}.d/*.conf"), *FOLDERS[0].glob(f"{name}.d/*.conf")]
    unit = Unit(name)
    for path in (*sorted(dropins), file):
        for line in path.read_text().splitlines():
            if found := re.fullmatch(r"(\w+)=(.*)", line):
                unit.values.setdefault(found[1], []).append(found[2])
    return unit


def read_environment(path: str) -> dict[str, str]:
    lines = re.findall(r"^(\w+)=(.*)$", Path(path).read_text(), re.MULTILINE)
    return {name: value.strip("\"'") for name, value in lines}


class Manager:
    """Starts and stops units, on request of the fake `systemctl`."""

    def __init__(self, logs: Path) -> None:
        self.logs, self.units = logs, dict[str, Unit]()
        self.commands: dict[str, Callable[[list[str]], None]] = {
            "daemon-reload": lambda _: None,
            "enable": lambda names: self.start(names) if "--now" in names else None,
            "start": self.start,
            "stop": self.stop,
            "restart": self.restart,
            "reload": self.reload,
        }

    def systemctl(self, call: Call) -> None:
        command, *names = call.argv
        self.commands[command](names)

    def start(self, names: list[str]) -> None:
        for name in self.spelled(names):
            unit = self.units[name] = self.units.get(name) or read_unit(name)
            if name.endswith(".target"):
                self.start(unit.all("Wants"))
            elif name.endswith(".socket") and unit.listener is None:
                host, _, port = unit.get("ListenStream").rpartition(":")
                unit.listener = socket.create_server(
                    (host, int(port)), backlog=int(unit.get("Backlog", "128"))
                )
            elif name.endswith(".service") and unit.process is None:
                self.start([other for other in unit.all("Requires") if other.endswith(".socket")])
                self.launch(unit)

    def spelled(self, names: list[str]) -> list[str]:
        names = [name for name in names if not name.startswith("-")]
        return [name if "." in name else f"{name}.service" for name in names]

    def launch(self, unit: Unit) -> None:
        user = unit.get("User", "root")
        env = service_environment(unit, user)
        for name in unit.all("StateDirectory"):
            Path("/var/lib", name).mkdir(parents=True, exist_ok=True)
            shutil.chown(Path("/var/lib", name), user, user)
        sockets = [self.units[name].listener for name in unit.all("Requires") if name.endswith(".socket")]
        number = str(sockets[0].fileno()) if sockets and sockets[0] else ""
        private = unit.get("ProtectSystem") == "strict"
        writable = [f"/var/lib/{name}" for name in unit.all("StateDirectory")]
        with notify_socket(unit, env) as ready, (self.logs / f"{unit.name}.log").open("ab") as log:
            unit.process = subprocess.Popen(
                [
                    *("unshare", "--mount", "bash", "-euc", LAUNCH, "bash"),
                    *privileges(unit, user),
                    *unit.all("ExecStart"),
                ],
                env=env
                | {"SOCKET": number, "PRIVATE": "yes" if private else "", "WRITABLE": " ".join(writable)},
                cwd=unit.get("WorkingDirectory", "/"),
                stdout=log,
                stderr=log,
                pass_fds=[int(number)] if number else [],
                start_new_session=True,
            )
            self.wait_started(unit, ready)

    def wait_started(self, unit: Unit, ready: socket.socket | None) -> None:
        assert unit.process is not None
        if unit.get("Type") == "oneshot":
            code, unit.process = unit.process.wait(), None
            if code:
                raise Refused(f"{unit.name} failed.\n{self.last_lines(unit)}")
        deadline = time.monotonic() + 120
        while ready:
            with suppress(TimeoutError):
                if b"READY=1" in ready.recv(4096):
                    return
            if unit.process is None or unit.process.poll() is not None or time.monotonic() > deadline:
                unit.process = None
                raise Refused(f"{unit.name} did not become ready.\n{self.last_lines(unit)}")

    def last_lines(self, unit: Unit) -> str:
        return (self.logs / f"{unit.name}.log").read_text(errors="replace")[-3000:]

    def stop(self, names: list[str]) -> None:
        wanted = self.spelled(names)
        parts = [unit.name for unit in self.units.values() if set(unit.all("PartOf")) & set(wanted)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self.end, dict.fromkeys([*wanted, *parts])))

    def end(self, name: str) -> None:
        """SIGTERM to the main process, and after TimeoutStopSec SIGKILL to all, as KillMode=mixed does."""
        unit = self.units.get(name)
        if unit and unit.process:
            unit.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                unit.process.wait(float(unit.get("TimeoutStopSec", "90").removesuffix("s")))
            with suppress(ProcessLookupError):
                os.killpg(unit.process.pid, signal.SIGKILL)
            unit.process.wait()
        if unit and unit.listener:
            unit.listener.close()
        self.units.pop(name, None)

    def restart(self, names: list[str]) -> None:
        """All at once, as systemd does: their starts are not ordered after one another."""
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self.restart_one, self.spelled(names)))

    def restart_one(self, name: str) -> None:
        self.end(name)
        self.start([name])

    def reload(self, names: list[str]) -> None:
        for name in self.spelled(names):
            unit = self.units[name]
            assert unit.process is not None
            command = unit.get("ExecReload").replace("$MAINPID", str(unit.process.pid))
            subprocess.run(shlex.split(command), check=True)


def service_environment(unit: Unit, user: str) -> dict[str, str]:
    home = Path(f"~{user}").expanduser()
    env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", "LANG": "C.UTF-8"}
    env |= {"HOME": str(home), "USER": user, "LOGNAME": user}
    env |= dict(pair.split("=", 1) for pair in unit.all("Environment"))
    for path in unit.all("EnvironmentFile"):
        env |= read_environment(path)
    return env


def privileges(unit: Unit, user: str) -> list[str]:
    """Arguments of setpriv."""
    options = ["--reuid", user, "--regid", unit.get("Group", user), "--init-groups"]
    if unit.get("NoNewPrivileges") == "yes":
        options.append("--no-new-privs")
    if "CapabilityBoundingSet" in unit.values:
        options.append("--bounding-set=-all")
    names = [f"+{name.removeprefix('CAP_').lower()}" for name in unit.all("AmbientCapabilities")]
    if names:
        options += [f"--inh-caps={','.join(names)}", f"--ambient-caps={','.join(names)}"]
    return [*options, "--"]


class notify_socket:  # noqa: N801  # a context manager
    """Where a service of Type=notify says that it is ready; None for others."""

    def __init__(self, unit: Unit, env: dict[str, str]) -> None:
        self.socket: socket.socket | None = None
        self.path = Path(f"/run/notify-{unit.name}")
        if unit.get("Type") == "notify":
            env["NOTIFY_SOCKET"] = str(self.path)
            self.path.unlink(missing_ok=True)
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self.socket.bind(str(self.path))
            self.path.chmod(0o666)
            self.socket.settimeout(0.2)

    def __enter__(self) -> socket.socket | None:
        return self.socket

    def __exit__(self, *_: object) -> None:
        if self.socket:
            self.socket.close()
