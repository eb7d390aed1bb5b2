"""The other Pythons of this machine, each with its own virtual environment in var/python/.

python -m scripts.pythons 3.13 -m pytest …      runs a command on that version; installs the packages first
"""

import os
import subprocess
import sys
from pathlib import Path
from zlib import crc32

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ("requirements.txt", "requirements-test.txt", "constraints.txt")
NOTHING_RUN = 5  # pytest's exit code for this


class NotInstalled(Exception):
    """The packages could not be installed; the message is pip's output."""


def others() -> dict[str, str]:
    """Version and path of every suitable Python except the current one."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHON"}
    answer = subprocess.run(
        [ROOT / "scripts/pythons.sh"], env=env, capture_output=True, text=True, check=True
    )
    found = dict(line.split(" ", 1) for line in answer.stdout.splitlines())
    found.pop(f"{sys.version_info.major}.{sys.version_info.minor}", None)
    return found


def on(version: str) -> tuple[str, ...]:
    """Command prefix to run something on this version."""
    return sys.executable, "-m", "scripts.pythons", version


def install(version: str) -> str:
    """Create or update the version's environment if its packages have changed; returns its interpreter."""
    folder = ROOT / "var/python" / version
    own, stamp = folder / "bin/python", folder / "installed"
    python = others()[version]
    wanted = str(crc32(b"".join([python.encode(), *((ROOT / name).read_bytes() for name in REQUIREMENTS)])))
    if not stamp.exists() or stamp.read_text() != wanted:
        call(python, "-m", "venv", "--clear", "--without-pip", str(folder))
        options = ("--quiet", "--disable-pip-version-check", "--no-compile", "--retries=1")
        *files, constraints = REQUIREMENTS
        listed = [part for file in files for part in ("-r", file)]
        call(
            sys.executable, "-m", "pip", "--python", str(own), "install", *options, *listed, "-c", constraints
        )
        stamp.write_text(wanted)
    return str(own)


def call(*argv: str) -> None:
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotInstalled("\n".join(done.stderr.strip().splitlines()[-3:]))


def main() -> None:
    version, *command = sys.argv[1:]
    try:
        python = install(version)
    except NotInstalled as problem:
        print(f"The packages for Python {version} could not be installed:\n{problem}")
        sys.exit(1 if os.environ.get("CI") else NOTHING_RUN)
    os.execv(python, [python, *command])  # noqa: S606  # the caller waits for this process, and may end it


if __name__ == "__main__":
    main()
