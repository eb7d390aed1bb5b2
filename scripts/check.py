"""All checks of `make check`: each prints one line, errors follow at the end.

python -m scripts.check types layers      runs only these
"""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "scripts/sample_production.env"
THROW_AWAY = {"SECRET_KEY": "only-for-checks" * 4, "DATABASE_URL": "sqlite://:memory:"}


@dataclass(frozen=True)
class Check:
    name: str
    argv: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)


def sample_production() -> dict[str, str]:
    lines = (line.strip() for line in SAMPLE.read_text().splitlines())
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


CHECKS = (
    Check("types", ("-m", "mypy", ".")),
    Check("format", ("-m", "ruff", "format", "--check", ".")),
    Check("lint", ("-m", "ruff", "check", ".")),
    Check(
        "layers", ("-c", "from importlinter.cli import lint_imports_command as lint; lint()", "--no-cache")
    ),
    Check("migrations", ("manage.py", "makemigrations", "--check", "--dry-run"), THROW_AWAY),
    Check("safe migrations", ("-m", "scripts.migrations")),
    Check(
        "production settings",
        ("manage.py", "check", "--deploy", "--fail-level", "WARNING"),
        sample_production(),
    ),
    Check("API description", ("-m", "scripts.openapi", "check")),
    Check("API compatibility", ("-m", "scripts.openapi", "compare")),
    Check("locked packages", ("-m", "scripts.lock", "check")),
    Check("templates", ("-m", "djlint", "--lint", "--quiet", "templates")),
    Check("translations", ("-m", "scripts.messages", "check")),
    Check("documentation", ("-m", "scripts.docs")),
    Check("no foreign scripts", ("-m", "scripts.external_hosts")),
)


def run(check: Check) -> str:
    """Run one check and print its line; returns its output if it failed, else an empty string."""
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, *check.argv],
        env=os.environ | check.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    verdict = "FAILED" if done.returncode else "ok"
    print(f"{check.name:20} {verdict:6} {time.monotonic() - started:5.1f} s", flush=True)
    return f"\n=== {check.name} ===\n{done.stdout.strip()}" if done.returncode else ""


def main(*names: str) -> int:
    os.chdir(ROOT)
    chosen = [check for check in CHECKS if not names or check.name in names]
    with ThreadPoolExecutor(max_workers=2) as pool:
        complaints = [complaint for complaint in pool.map(run, chosen) if complaint]
    print("\n".join(complaints) or "All checks passed.")
    return int(bool(complaints))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
