"""Print the table of docs/adr/0011: attackers and crowds under the limits on unpaid orders. Takes a few minutes.

SEEDS=100: more random days for the crowds. The limits are those of the environment, so that a shop can try its own.
"""

import os

import django


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "artisans.settings_test")
    django.setup()
    from tests import hold_simulation  # noqa: PLC0415  # needs the settings

    hold_simulation.SEEDS = tuple(range(1, int(os.environ.get("SEEDS", "3")) + 1))
    print(hold_simulation.HEADER)
    print(hold_simulation.row("---", "---", "---"))
    for name in hold_simulation.ROWS:
        print(hold_simulation.table_row(name), flush=True)


if __name__ == "__main__":
    main()
