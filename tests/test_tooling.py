"""The tools of a developer agree with each other: Python versions, hooks, requirements."""

import re
import shutil
import subprocess
import sys
import tomllib

import pytest
import yaml
from django.conf import settings

from scripts import lock
from scripts.check import CHECKS
from scripts.releases import CommitMissing, Release, unpack

ROOT = settings.BASE_DIR
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
VERSIONS = ("3.11", "3.12", "3.13")
KINDS = ("", "-test", "-dev", "-sentry", "-otel", "-s3")  # of requirements


def test_the_oldest_python_is_the_same_everywhere():
    tools = PYPROJECT["tool"]
    assert PYPROJECT["project"]["requires-python"].startswith(f">={VERSIONS[0]},")
    assert tools["ruff"]["target-version"] == f"py{VERSIONS[0].replace('.', '')}"
    assert tools["mypy"]["python_version"] == VERSIONS[0]
    assert "You need Python 3.11, 3.12 or 3.13" in (ROOT / "README.md").read_text()


@pytest.fixture
def fake_pythons(tmp_path, monkeypatch):
    """Makes programs that answer as Pythons of the given versions; no other Python is found."""

    def make(**versions: str) -> None:
        for name, version in versions.items():
            program = tmp_path / name.replace("_", ".")
            parts = tuple(map(int, f"{version.removesuffix(' without venv')}.0".split(".")[:3]))
            head = f"import sys; sys.version_info = {parts}; sys.executable = {str(program)!r}"
            if version.endswith("without venv"):
                head += "; sys.modules['ensurepip'] = None"
            program.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{head}\n$2"\n')
            program.chmod(0o755)

    for tool in ("awk", "sort"):
        (tmp_path / tool).symlink_to(str(shutil.which(tool)))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("PYTHON", raising=False)
    return make


def found(column: int = 0) -> list[str]:
    answer = subprocess.run([ROOT / "scripts/pythons.sh"], capture_output=True, text=True, check=True)
    return [line.split()[column] for line in answer.stdout.splitlines()]


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        ({"python3_11": "3.11", "python3_13": "3.13", "python3_12": "3.12"}, ["3.13", "3.12", "3.11"]),
        ({"python3_13": "3.13 without venv", "python3_11": "3.11"}, ["3.11"]),
        ({"python3_12": "3.12", "python3": "3.14"}, ["3.12"]),
        ({"python3": "3.12", "python3_12": "3.12", "python": "3.9"}, ["3.12"]),
        ({"python": "3.9"}, []),
    ],
)
def test_the_newest_suitable_python_comes_first(fake_pythons, versions, expected):
    fake_pythons(**versions)
    assert found() == expected


def test_the_oldest_python_of_a_version_is_found(fake_pythons):
    """Such as Debian's, which lacks what later ones have."""
    fake_pythons(python3="3.11.2", python3_11="3.11.10", python="3.11.9")
    [path] = found(1)
    assert path.endswith("/python3")


def test_python_asks_for_one_version(fake_pythons, monkeypatch):
    fake_pythons(python3_13="3.13", mine="3.14", old="3.10")
    monkeypatch.setenv("PYTHON", "mine")
    assert found() == ["3.14"]
    monkeypatch.setenv("PYTHON", "old")
    assert found() == []


@pytest.mark.parametrize(
    ("installed", "wanted", "installs"),
    [("dev", "", False), ("dev", "dev", False), ("", "", False), ("", "dev", True)],
)
def test_setup_installs_only_what_is_missing(tmp_path, installed, wanted, installs):
    for name in ("scripts/setup.sh", "constraints.txt", *(f"requirements{kind}.txt" for kind in KINDS)):
        target = tmp_path / name
        target.parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, target)
    python = tmp_path / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\n[ "$1" != -c ] || exec {sys.executable} "$@"\n')  # pip does nothing
    python.chmod(0o755)
    setup = [tmp_path / "scripts/setup.sh"]

    first = subprocess.run([*setup, *filter(None, [installed])], capture_output=True, text=True, check=True)
    again = subprocess.run([*setup, *filter(None, [wanted])], capture_output=True, text=True, check=True)

    assert "Installing" in first.stdout
    assert ("Installing" in again.stdout) == installs


def test_hooks_run_what_exists():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    pinned = re.findall(r"^[\w-]+", (ROOT / "requirements-dev.txt").read_text(), re.MULTILINE)
    checks = {check.name for check in CHECKS}
    for repo in config["repos"]:
        assert repo["repo"] == "local"
        for hook in repo["hooks"]:
            python, _m, module, *arguments = hook["entry"].split()
            assert (python, _m, hook["language"]) == (".venv/bin/python", "-m", "system")
            assert module in pinned or (ROOT / f"{module.replace('.', '/')}.py").exists()
            assert module != "scripts.check" or set(arguments) <= checks


@pytest.mark.parametrize("kind", KINDS)
def test_every_requirement_is_pinned_the_same_in_the_constraints(kind):
    constraints = {
        line.lower().replace("_", "-") for line in (ROOT / "constraints.txt").read_text().splitlines()
    }
    for line in (ROOT / f"requirements{kind}.txt").read_text().splitlines()[1:]:
        assert re.sub(r"\[.*?\]", "", line).lower().replace("_", "-") in constraints


def test_lock_that_lacks_or_changes_a_package_is_reported():
    for name in lock.NAMES:
        locked = lock.lock_path(name).read_text()
        assert lock.find_errors(name, locked) == []
        assert "://" not in locked, "it names no index"
    locked = lock.lock_path("requirements").read_text()

    changed = re.sub("^celery==.*? ", "celery==1.0 ", locked, flags=re.MULTILINE)
    without = re.sub(r"^vine==[^\n]*\n(    .*\n)+", "", changed, flags=re.MULTILINE)
    errors = lock.find_errors("requirements", without)
    assert [error.split()[0] for error in errors] == ["vine", "celery"]


RELEASES = tomllib.loads((ROOT / "docs/releases.toml").read_text()).get("release", [])


def test_version_is_the_same_everywhere():
    version = PYPROJECT["project"]["version"]
    assert settings.SPECTACULAR_SETTINGS["VERSION"] == version
    assert [release["version"] for release in RELEASES][-1:] in ([version], [])


def test_release_that_a_shallow_clone_lacks_is_named(tmp_path, monkeypatch):
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    monkeypatch.setattr("scripts.releases.ROOT", tmp_path)
    monkeypatch.setattr("scripts.releases.FOLDER", tmp_path / "var")

    with pytest.raises(CommitMissing, match="release 9.0.*unshallow"):
        unpack(Release("9.0", "0" * 40))

    assert not (tmp_path / "var").exists()


def test_each_release_is_a_commit_of_that_version_with_a_dated_changelog():
    """Where git and its history are at hand, as in a clone."""
    changelog = (ROOT / "CHANGELOG.md").read_text()
    for release in RELEASES:
        assert f"## {release['version']} - {release['date']}" in changelog.replace("[", "").replace("]", "")
        shown = subprocess.run(
            [shutil.which("git") or "false", "show", f"{release['commit']}:pyproject.toml"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert re.fullmatch("[0-9a-f]{40}", release["commit"])
        assert shown.returncode or f'version = "{release["version"]}"' in shown.stdout
