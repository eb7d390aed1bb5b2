"""Stress tests against real processes: ROUNDS (100) rounds starting at SEED (1); other arguments go to pytest.

First 20 times as many random orders, whose balances are recomputed (tests/order_simulation.py), on SQLite and
PostgreSQL.
Then a shop of the release before is migrated up, down and up again, on both: about five minutes.
Then every provider endpoint fails in every way, once, regardless of ROUNDS: about five minutes.
"""

import os
import subprocess
import sys

from scripts.services import ProgramMissing, postgres

SIMULATIONS_PER_ROUND = 20


def main() -> int:
    rounds = int(os.environ.get("ROUNDS", "100"))
    env = os.environ | {
        "STORM_ROUNDS": str(rounds),
        "STORM_LIVES": str(rounds * SIMULATIONS_PER_ROUND),
        "STORM_SEED": os.environ.get("SEED", "1"),
        "SECRET_KEY": os.environ.get("SECRET_KEY", "only-for-storms-" + "x" * 50),
    }
    pytest = [sys.executable, "-m", "pytest", "-q"]
    lives = [*pytest, "tests/test_owed_simulated.py", *sys.argv[1:]]
    verbose = [sys.executable, "-m", "pytest", "-v"]
    upgrade = [*verbose, "-n", "0", "tests/storm/migrations_reversed.py", *sys.argv[1:]]
    faults = [*verbose, "tests/storm/test_endpoint_faults.py", *sys.argv[1:]]
    storms = [*pytest, "-m", "storm", "tests/storm/test_card_storm.py", *sys.argv[1:]]
    try:
        with postgres() as url:
            for database in ("sqlite://:memory:", url):
                print(f"{env['STORM_LIVES']} random orders on {database.split(':')[0]}:", flush=True)
                if failed := subprocess.call(lives, env=env | {"DATABASE_URL": database}):
                    return failed
            print("Migrations from the release before and back:", flush=True)
            if failed := subprocess.call(upgrade, env=env | {"DATABASE_URL": "sqlite://:memory:"}):
                return failed
            print("Failing provider endpoints:", flush=True)
            if failed := subprocess.call(faults, env=env | {"DATABASE_URL": url}):
                return failed
            print(f"{rounds} rounds of faults and process kills:", flush=True)
            return subprocess.call(storms, env=env | {"DATABASE_URL": url})
    except ProgramMissing as problem:
        print(problem)
        return 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("Stopped.")
