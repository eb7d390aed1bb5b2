"""Follow docs/deployment.md on an empty server, and use the shop: `make deploy-test`.

python -m scripts.deploy_test            both ways, through Caddy
python -m scripts.deploy_test units      the one with systemd
python -m scripts.deploy_test image      the one with containers, as plain processes
python -m scripts.deploy_test short      systemd without Caddy, upgrade and package downloads; part of `make test`

Needs root and Linux: it runs in namespaces of its own (namespace.sh), changes nothing outside them, and leaves nothing
running.
"""

import os
import subprocess
import sys
from pathlib import Path

from scripts.services import ProgramMissing, debian_program

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = {"psql": "postgresql-client", "curl": "curl", "openssl": "openssl", "ip": "iproute2"}


def main(*names: str) -> int:
    if os.geteuid() != 0 or sys.platform != "linux":
        sys.exit(
            "The deployment test needs root on Linux: it starts its processes as another user, in namespaces."
        )
    chosen = names or ("units", "image")
    programs = PROGRAMS | ({} if chosen == ("short",) else {"caddy": "caddy"})
    try:
        for program, package in programs.items():
            debian_program(program, package)
    except ProgramMissing as problem:
        sys.exit(str(problem))
    return max(run(name) for name in chosen)


def run(name: str) -> int:
    namespace = Path(__file__).parent / "namespace.sh"
    argv = [str(namespace), sys.executable, "-m", "scripts.deploy_test.follow", name]
    return subprocess.run(argv, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
