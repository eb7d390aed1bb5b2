"""The code of the project, for tests that read it."""

from collections.abc import Collection
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHOP = ("artisans", "orders", "payments", "carts")


def sources(
    folders: Collection[str] = SHOP, *, without: Collection[str] = ("tests", "migrations")
) -> list[Path]:
    """The modules in these folders of the project, but for those in folders named in `without`. The folder of the
    project itself may have any name."""
    found = (path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))
    return [path for path in found if not {*without} & set(path.relative_to(ROOT).parts)]
