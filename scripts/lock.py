"""requirements.lock: the packages that a shop in production needs, with the hashes of all their files; and those of
optional packages, such as requirements-sentry.lock.

python -m scripts.lock          write them, from requirements*.txt and constraints.txt; needs the network
python -m scripts.lock check    compare them with both and with the installed packages
"""

import re
import subprocess
import sys
import tempfile
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
NAMES = (
    "requirements",
    "requirements-sentry",
    "requirements-otel",
    "requirements-s3",
)  # of .txt and .lock files
UV = "uv==0.13.9"
TESTS_ONLY = {"pytest-django", "factory-boy"}  # in requirements.txt, but no shop needs them
HEADER = """\
# Written by `make lock`. The packages of {name}.txt for Python 3.11 and later on all systems, without those for tests:
#     pip install --require-hashes -r {name}.lock
"""
OPTIONS = (
    *("-c", "constraints.txt", "--universal", "--python-version", "3.11", "--generate-hashes"),
    *("--no-header", "--no-annotate", "--quiet"),
)
LOCKED = re.compile(
    r"^([^#\s].*?) \\\n    --hash=sha256:[0-9a-f]{64}", re.MULTILINE
)  # a requirement with a hash


def main(*arguments: str) -> int:
    if arguments != ("check",):
        write()
        return 0
    errors = [error for name in NAMES for error in find_errors(name, lock_path(name).read_text())]
    print("\n".join(errors) or "The locks agree with the requirements and constraints.txt.")
    return int(bool(errors))


def lock_path(name: str) -> Path:
    return ROOT / f"{name}.lock"


def write() -> None:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([f"{folder}/bin/python", "-m", "pip", "install", "--quiet", UV], check=True)
        for name in NAMES:
            wanted, written = Path(folder, f"{name}.in"), Path(folder, f"{name}.lock")
            wanted.write_text("\n".join(map(str, runtime_requirements(name))))
            argv = [f"{folder}/bin/uv", "pip", "compile", str(wanted), "-o", str(written), *OPTIONS]
            subprocess.run(argv, check=True, cwd=ROOT)
            lock_path(name).write_text(HEADER.format(name=name) + written.read_text())


def runtime_requirements(name: str) -> list[Requirement]:
    lines = (ROOT / f"{name}.txt").read_text().splitlines()
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return [requirement for requirement in found if requirement.name not in TESTS_ONLY]


def find_errors(name: str, text: str) -> list[str]:
    """`text` is the lock of that name."""
    locked = {canonicalize_name(r.name): r for r in map(Requirement, LOCKED.findall(text))}
    used = {name for name, r in locked.items() if r.marker is None or r.marker.evaluate()}
    pinned = dict(re.findall(r"^([^#\s=]+)(==.+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
    versions = {canonicalize_name(name): version for name, version in pinned.items()}
    needed = closure(runtime_requirements(name))
    return [
        *(f"{name} is needed, but not locked: run `make lock`." for name in sorted(needed - used)),
        *(f"{name} is locked, but not needed: run `make lock`." for name in sorted(used - needed)),
        *(
            f"{name} is locked as {locked[name].specifier}, but constraints.txt has {versions.get(name)}."
            for name in sorted(used)
            if str(locked[name].specifier) != versions.get(name)
        ),
    ]


def closure(wanted: list[Requirement]) -> set[str]:
    """The names of these packages and of all that they need in this environment, as the installed ones say."""
    found: set[str] = set()
    waiting, seen = [(r.name, extra) for r in wanted for extra in ("", *r.extras)], set()
    while waiting:
        name, extra = one = waiting.pop()
        if one in seen:
            continue
        seen.add(one)
        found.add(canonicalize_name(name))
        for r in map(Requirement, requires(name) or ()):
            if r.marker is None or r.marker.evaluate({"extra": extra}):
                waiting += [(r.name, inner) for inner in ("", *r.extras)]
    return found


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
