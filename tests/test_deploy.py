"""The files of deploy/ are valid and agree with the shop; `make deploy-test` runs what they say."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from django.conf import settings
from jsonschema import Draft7Validator

from artisans.core.tests.test_settings import names_read
from scripts.services import ProgramMissing, debian_program

ROOT = settings.BASE_DIR
DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
OURS = {name: service for name, service in COMPOSE["services"].items() if "env_file" in service}
UNITS = [path for path in (DEPLOY / "systemd").iterdir() if path.is_file()]


def run(*argv: object, **env: str) -> None:
    done = subprocess.run(
        [str(part) for part in argv],
        cwd=DEPLOY,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def program(name: str, package: str) -> str:
    try:
        return debian_program(name, package)
    except ProgramMissing as problem:
        pytest.skip(str(problem))


def test_dockerfile_has_no_warnings():
    run(Path(sys.executable).parent / "hadolint", "Dockerfile")


def test_compose_file_follows_its_schema():
    """https://github.com/compose-spec/compose-spec/blob/main/schema/compose-spec.json, Apache License 2.0."""
    schema = json.loads((ROOT / "tests/schemas/compose-spec.json").read_text())
    assert [error.message for error in Draft7Validator(schema).iter_errors(COMPOSE)] == []


def test_compose_file_has_limits_restarts_and_read_only_roots():
    for name, service in COMPOSE["services"].items():
        assert service["restart"] == ("no" if name == "migrate" else "unless-stopped"), name
        assert service["logging"]["options"]["max-size"], name
        assert name == "migrate" or service["deploy"]["resources"]["limits"]["memory"], name
        assert ":" in service["image"], name
    for name, service in OURS.items():
        assert service["read_only"], name
        assert service["command"] == [name], name
    assert "ports" not in COMPOSE["services"]["web"], "only the proxy is reached from outside"


def test_upgrade_with_containers_replaces_only_the_shop():
    """What compose.yaml mounts is in the folder that stays, and the guide starts no other service anew."""
    volumes = [volume for service in COMPOSE["services"].values() for volume in service.get("volumes", [])]
    mounted = {f"deploy/{volume[2:].partition(':')[0]}" for volume in volumes if volume.startswith("./")}
    guide = (ROOT / "docs/deployment.md").read_text()
    install, upgrade = re.findall(r"^cp (deploy/.*) /srv/alley$", guide, re.MULTILINE)
    assert {*install.split()} == {*upgrade.split()} == mounted | {"deploy/compose.yaml"}
    started = re.findall(r"^docker compose up (.*)$", guide, re.MULTILINE)
    assert [command for command in started if "--no-deps" not in command] == ["--detach --wait"]


def test_compose_file_sets_only_known_settings_and_every_secret_has_a_file():
    environment = OURS["web"]["environment"]
    names = {name.removesuffix("_FILE") for name in environment}
    assert names <= names_read()
    files = {
        path.removeprefix("/run/secrets/") for name, path in environment.items() if name.endswith("_FILE")
    }
    assert files == set(OURS["web"]["secrets"])
    assert files | {"database_password"} == set(COMPOSE["secrets"])


def test_proxy_configuration_is_valid(tmp_path):
    caddy = program("caddy", "caddy")
    env = {
        "SITE_ADDRESS": "localhost",
        "REQUEST_BUFFERING": "buffer_requests",
        "XDG_DATA_HOME": str(tmp_path),
    }
    run(caddy, "validate", "--config", "Caddyfile", "--adapter", "caddyfile", **env)


def test_proxy_sends_no_body_twice():
    """Before Caddy 2.11, it can be the body of another request."""
    text = re.sub(r"#.*", "", (DEPLOY / "Caddyfile").read_text())
    blocks = re.findall(r"handle( @\w+)? \{\s*reverse_proxy .*?\n\t\}", text, re.DOTALL)
    assert blocks == [" @repeatable", ""]
    assert re.search(r"@repeatable method (.*)", text)[1].split() == ["GET", "HEAD", "OPTIONS"]
    assert "lb_try_duration" in text
    assert "lb_try_duration" not in text[text.rindex("reverse_proxy") :]
    assert "lb_retries" not in text


def test_proxy_refuses_only_what_the_shop_refuses_too():
    text = (DEPLOY / "Caddyfile").read_text()
    pattern = re.compile(re.search(r"header_regexp Content-Length (\S+)", text)[1])
    limit = 34_000_000  # as `request_body` of the Caddyfile
    for size in (0, 9, 262_144, settings.UPLOAD_MAX_SIZE):
        assert not pattern.search(str(size)), size
    for size in (limit, 2 * limit, 200_000_000, 10**12):
        assert pattern.search(str(size)), size


def test_units_are_valid(tmp_path):
    analyze = program("systemd-analyze", "systemd")
    units, shop = tmp_path / "etc/systemd/system", tmp_path / "srv/alley/current/deploy/shop"
    shutil.copytree(DEPLOY / "systemd", units)
    for target, source in ((shop, DEPLOY / "shop"), (tmp_path / "bin/kill", "/bin/kill")):
        target.parent.mkdir(parents=True)
        shutil.copy(source, target)
    needed = (
        "sysinit",
        "basic",
        "shutdown",
        "sockets",
        "multi-user",
        "network",
        "network-online",
        "paths",
        "timers",
        "slices",
    )
    for name in needed:
        (units / f"{name}.target").write_text(f"[Unit]\nDescription={name}\n")
    run(analyze, "verify", f"--root={tmp_path}", *(path.name for path in UNITS))


def test_every_process_of_the_shop_has_a_unit_and_a_service():
    processes = {line.partition(":")[0] for line in (ROOT / "Procfile").read_text().splitlines()}
    assert processes | {"migrate"} == set(OURS), "`migrate` runs alone, before the link `current` is switched"
    started = [
        re.search(r"^ExecStart=\S+/deploy/shop (\w+)$", path.read_text(), re.MULTILINE) for path in UNITS
    ]
    assert {found[1] for found in started if found} == {*processes, "backup"}
    workers = ("worker", "mailer")
    longest = settings.CELERY_TASK_TIME_LIMIT
    assert all(OURS[name]["stop_grace_period"] == f"{longest + 10}s" for name in workers)
    assert all(
        f"TimeoutStopSec={longest + 10}\n" in (DEPLOY / f"systemd/alley-{name}.service").read_text()
        for name in workers
    )


@pytest.mark.timeout(600)
def test_guide_leads_to_a_shop_that_sells():
    """With systemd, without Caddy and downloads; `make deploy-test` is the long form."""
    if os.geteuid() != 0 or sys.platform != "linux":
        pytest.skip(
            "Run as root on Linux: the test starts processes as another user, in namespaces of its own."
        )
    argv = [sys.executable, "-m", "scripts.deploy_test", "short"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-5_000:]


def test_web_server_takes_no_more_connections_than_it_has_files_for():
    program = "import runpy, sys; print(runpy.run_path(sys.argv[1])['worker_connections'])"
    argv = ["sh", "-c", 'ulimit -n "$1" && exec "$2" -c "$3" "$4"', "sh"]
    for files, connections in {"200": "68", "20000": "1000"}.items():
        done = subprocess.run(
            [*argv, files, sys.executable, program, str(DEPLOY / "gunicorn.conf.py")],
            capture_output=True,
            text=True,
            check=True,
            env={},
        )
        assert done.stdout.strip() == connections, files


@pytest.mark.parametrize("processes", ["two", "0", "-1", "100000", "²", "1.5"])
def test_wrong_number_of_web_processes_is_named(processes):
    done = subprocess.run(
        [DEPLOY / "shop", "web"],
        env={"PATH": os.environ["PATH"], "WEB_CONCURRENCY": processes},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert f"WEB_CONCURRENCY={processes}: use a whole number of processes" in done.stderr
