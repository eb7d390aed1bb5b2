"""Storms against real processes: ROUNDS (100) rounds from SEED (1) on; further arguments go to pytest."""

import os
import subprocess
import sys

from scripts.services import Missing, postgres


def main() -> int:
    env = os.environ | {
        "STORM_ROUNDS": os.environ.get("ROUNDS", "100"),
        "STORM_SEED": os.environ.get("SEED", "1"),
        "SECRET_KEY": os.environ.get("SECRET_KEY", "only-for-storms-" + "x" * 50),
    }
    argv = [sys.executable, "-m", "pytest", "-q", "-m", "storm", "tests/storm", *sys.argv[1:]]
    try:
        with postgres() as url:
            return subprocess.call(argv, env=env | {"DATABASE_URL": url})
    except Missing as problem:
        print(problem)
        return 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("Stopped.")
