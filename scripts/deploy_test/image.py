"""The part of Docker that deploy/ uses, where Docker itself does not run.

`build` carries out the Dockerfile's instructions on this file system, with its Python in place of the base image's.
`Compose` starts the services of compose.yaml that use the image as plain processes: their commands, variables, secrets
and user, on a file system that is read-only for them. PostgreSQL, Redis and Caddy are the machine's. Networks, memory
limits and restarts are left out.
"""

import json
import os
import pwd
import re
import shlex
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import yaml
from psycopg import sql

from scripts.deploy_test.fake_program import Call, Refused
from scripts.deploy_test.people import wait_for
from scripts.deploy_test.systemd import LAUNCH

SECRETS = Path("/run/secrets")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass
class Image:
    """What a container of the image starts with."""

    env: dict[str, str] = field(default_factory=lambda: {"PATH": PATH})
    folder: str = "/"
    user: str = "root"
    entrypoint: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)


def build(context: Path) -> Image:
    """Errors: Refused."""
    image = Image()
    for instruction, text in read_dockerfile((context / "deploy/Dockerfile").read_text()):
        if instruction == "FROM":
            image = Image()
            Path("/usr/local/bin/python").unlink(missing_ok=True)
            Path("/usr/local/bin/python").symlink_to(shutil.which("python3", path=PATH) or "")
        elif instruction == "COPY":
            copy(shlex.split(text), context, Path(image.folder))
        elif instruction == "RUN":
            network = ["nsenter", "--net=/run/outside"] if "pip install" in text else []
            run([*network, "sh", "-c", text], image)
        else:
            note(image, instruction, text)
    return image


def note(image: Image, instruction: str, text: str) -> None:
    match instruction:
        case "ENV" | "ARG":
            image.env |= dict(pair.split("=", 1) for pair in shlex.split(text))
        case "WORKDIR":
            image.folder = text
            Path(text).mkdir(exist_ok=True)
        case "USER":
            image.user = text
        case "ENTRYPOINT":
            image.entrypoint = json.loads(text)
        case "HEALTHCHECK":
            image.health = json.loads(text.partition("CMD ")[2])


def read_dockerfile(text: str) -> list[tuple[str, str]]:
    lines = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", "")
    return [(words[0], words[1]) for line in lines.splitlines() if (words := line.split(maxsplit=1))]


def copy(words: list[str], context: Path, folder: Path) -> None:
    """Files of the context that .dockerignore admits. What another stage built is in its place already."""
    if words[0].startswith("--from="):
        return
    patterns = (context / ".dockerignore").read_text().splitlines()
    sources = [context / word for word in words[:-1]]
    for source in sources:
        for path in [source] if source.is_file() else source.rglob("*"):
            name = path.relative_to(context)
            if path.is_file() and not is_ignored(name.as_posix(), patterns):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, folder / name)


def is_ignored(name: str, patterns: list[str]) -> bool:
    """The last pattern that matches the name or a folder above it decides."""
    found = False
    for line in patterns:
        pattern = line.removeprefix("!").strip()
        if pattern and not pattern.startswith("#"):
            expression = re.escape(pattern).replace(r"\*\*/", "(.*/)?").replace(r"\*", "[^/]*")
            if re.match(rf"{expression}(/|$)", name):
                found = not line.startswith("!")
    return found


def run(argv: list[str], image: Image) -> None:
    env = image.env | {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_"))}
    done = subprocess.run(argv, cwd=image.folder, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(f"{argv[-1]}\n{done.stdout[-2000:]}{done.stderr[-3000:]}")


class Compose:
    """`docker build` and `exec`, and `docker compose up | run` in a folder with compose.yaml.

    All images are the first one that was built, as those of the same files are.
    """

    def __init__(self, logs: Path, proxy: dict[str, str]) -> None:
        """`proxy`: variables that the machine's Caddy needs besides those of compose.yaml."""
        self.logs, self.proxy = logs, proxy
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.images: dict[str, Image] = {}
        self.started_with: dict[str, str] = {}  # the image of each service

    def docker(self, call: Call) -> None:
        if call.argv[0] == "build":
            tag = call.argv[call.argv.index("--tag") + 1]
            self.images[tag] = next(iter(self.images.values()), None) or build(call.folder)
            return
        if call.argv[0] == "exec":  # the image's entrypoint is the program in these commands
            _, container, program, *words = call.argv
            assert [program] == self.images[self.started_with["web"]].entrypoint
            self.run_once([container.split("-")[1], *words], {})
            return
        command, *rest = call.argv[1:]
        self.folder = call.folder
        interpolated = self.interpolate((call.folder / "compose.yaml").read_text())
        self.services: dict[str, Any] = yaml.safe_load(interpolated)["services"]
        match command:
            case "up":
                self.up(rest)
            case "run":
                self.run_once(rest, call.env)
            case _:
                raise Refused("not known here")

    def interpolate(self, text: str) -> str:
        values = read_env_file(self.folder / ".env")
        return re.sub(r"\$\{(\w+)(?::[-?][^}]*)?\}", lambda found: values.get(found[1], ""), text)

    def up(self, words: list[str]) -> None:
        """`up --detach [--wait] [--no-deps <service> …]`: services whose image has changed are replaced."""
        chosen = [word for word in words if not word.startswith("--")]
        if chosen and "--no-deps" not in words:
            raise Refused("services without --no-deps are not known here")
        shutil.copytree(self.folder / "secrets", SECRETS, dirs_exist_ok=True)
        SECRETS.chmod(0o755)
        if not chosen:
            self.create_database()
            self.run_once(["migrate"], {})
        ours = [
            name for name, service in self.services.items() if "env_file" in service and name != "migrate"
        ]
        for name in chosen or ours:
            if self.started_with.get(name) != self.services[name]["image"]:
                self.end(name)
                self.processes[name] = self.start(name, self.services[name]["command"])
                self.started_with[name] = self.services[name]["image"]
        if "proxy" not in self.processes:
            self.start_proxy()
        wait_for(self.is_healthy, detail="the web service is not healthy")

    def create_database(self) -> None:
        """What the image of PostgreSQL does with its variables."""
        password = (SECRETS / "database_password").read_text().strip()
        with psycopg.connect("host=127.0.0.1 user=postgres password=postgres", autocommit=True) as connection:
            connection.execute(
                sql.SQL("CREATE ROLE alley LOGIN SUPERUSER PASSWORD {}").format(sql.Literal(password))
            )
            connection.execute("CREATE DATABASE alley OWNER alley")

    def start(self, name: str, command: list[str], **more: str) -> "subprocess.Popen[bytes]":
        service = self.services[name]
        image = self.images[service["image"]]
        user = pwd.getpwuid(int(image.user))
        env = image.env | read_env_file(self.folder / service["env_file"]) | service["environment"] | more
        volumes = " ".join(volume.split(":")[1] for volume in service.get("volumes", []))
        confined = {"SOCKET": "", "PRIVATE": "yes" if service["read_only"] else "", "WRITABLE": volumes}
        options = ["--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--clear-groups"]
        options += ["--no-new-privs", "--bounding-set=-all", "--"]
        with (self.logs / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [
                    "unshare",
                    "--mount",
                    "bash",
                    "-euc",
                    LAUNCH,
                    "bash",
                    *options,
                    *image.entrypoint,
                    *command,
                ],
                env=env | confined,
                cwd=image.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def start_proxy(self) -> None:
        for name in ("Caddyfile", "unavailable.html"):
            shutil.copy(self.folder / name, Path("/etc/caddy", name))
        Path("/data").mkdir()
        env = (
            self.services["proxy"]["environment"]
            | {"PATH": PATH, "XDG_DATA_HOME": "/data", "HOME": "/data"}
            | self.proxy
        )
        with (self.logs / "proxy.log").open("ab") as log:
            argv = ["caddy", "run", "--config", "/etc/caddy/Caddyfile"]
            self.processes["proxy"] = subprocess.Popen(argv, env=env, stdout=log, stderr=log)

    def is_healthy(self) -> bool:
        image = self.images[self.services["web"]["image"]]
        return not subprocess.run(image.health, env=image.env, capture_output=True, check=False).returncode

    def run_once(self, words: list[str], env: dict[str, str]) -> None:
        """`run [--rm] [--no-deps] [--env NAME] <service> [<command> …]`."""
        more = {}
        while words[0].startswith("--"):
            if words.pop(0) == "--env":
                name = words.pop(0)
                more[name] = env[name]
        service, *command = words
        if self.start(service, command or self.services[service]["command"], **more).wait():
            raise Refused((self.logs / f"{service}.log").read_text()[-3000:])

    def end(self, name: str) -> None:
        process = self.processes.pop(name, None)
        if process:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(60)
            process.kill()

    def down(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for name in list(self.processes):
            self.end(name)


def read_env_file(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^(\w+)=(.*)$", path.read_text(), re.MULTILINE))
