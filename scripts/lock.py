"""requirements.lock: the packages that a shop in production needs, with the hashes of all their files.

python -m scripts.lock          write it, from requirements.txt and constraints.txt; needs the network
python -m scripts.lock check    compare it with both and with the installed packages
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
LOCK = ROOT / "requirements.lock"
UV = "uv==0.13.9"
TESTS_ONLY = {"pytest-django", "factory-boy"}  # in requirements.txt, but no shop needs them
HEADER = """\
# Written by `make lock`. The runtime packages for Python 3.11 and later on all systems, without those of the tests:
#     pip install --require-hashes -r requirements.lock
"""
LOCKED = re.compile(
    r"^([^#\s].*?) \\\n    --hash=sha256:[0-9a-f]{64}", re.MULTILINE
)  # a requirement with a hash


def main(*arguments: str) -> int:
    if arguments != ("check",):
        write()
        return 0
    errors = find_errors(LOCK.read_text())
    print("\n".join(errors) or "requirements.lock agrees with requirements.txt and constraints.txt.")
    return int(bool(errors))


def write() -> None:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([f"{folder}/bin/python", "-m", "pip", "install", "--quiet", UV], check=True)
        wanted, locked = Path(folder, "requirements.in"), Path(folder, "requirements.lock")
        wanted.write_text("\n".join(map(str, runtime_requirements())))
        argv = [f"{folder}/bin/uv", "pip", "compile", str(wanted), "-c", "constraints.txt", "-o", str(locked)]
        options = [
            "--universal",
            "--python-version",
            "3.11",
            "--generate-hashes",
            "--no-header",
            "--no-annotate",
        ]
        subprocess.run([*argv, *options, "--quiet"], check=True, cwd=ROOT)
        LOCK.write_text(HEADER + locked.read_text())


def runtime_requirements() -> list[Requirement]:
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return [requirement for requirement in found if requirement.name not in TESTS_ONLY]


def find_errors(text: str) -> list[str]:
    locked = {canonicalize_name(r.name): r for r in map(Requirement, LOCKED.findall(text))}
    used = {name for name, r in locked.items() if r.marker is None or r.marker.evaluate()}
    pinned = dict(re.findall(r"^([^#\s=]+)(==.+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
    versions = {canonicalize_name(name): version for name, version in pinned.items()}
    needed = closure(runtime_requirements())
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
