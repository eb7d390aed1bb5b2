"""Print the table of docs/adr/0011 and draw its picture: attackers and crowds under the limits on unpaid orders. Takes
a few minutes.

SEEDS=100: more random days for the crowds. The limits are those of the environment, so that a shop can try its own.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import django

PICTURE = Path(__file__).resolve().parent.parent / "docs/adr/0011-limits-on-unpaid-orders.svg"
# By title: the rows of which the first number, a percentage, is drawn.
PANELS = {
    "Attackers: share of the shop’s units that they reserve without paying": (
        "guests from one network",
        "guests from 20 networks",
        "unverified accounts from one network",
        "3 confirmed mailboxes",
    ),
    "Honest shoppers behind one network: share who are refused": (
        "office, 25 people in an hour",
        "school, 60 pupils in 20 minutes, 6 products",
        "phone carrier, 40 orders an hour",
    ),
}
COLOURS = {"before": "#b3aca0", "now": "#1f6f5c"}
WIDTH, HEIGHT, LEFT, PER_CENT = 760, 420, 300, 4  # pixels
STYLE = "text { font: 13px sans-serif; fill: #222 } .title { font-weight: bold }"


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "artisans.settings_test")
    django.setup()
    from tests import hold_simulation  # noqa: PLC0415  # needs the settings

    hold_simulation.SEEDS = tuple(range(1, int(os.environ.get("SEEDS", "3")) + 1))
    print(hold_simulation.HEADER)
    print(hold_simulation.row("---", "---", "---"))
    rows = []
    for name in hold_simulation.ROWS:
        rows.append(hold_simulation.table_row(name))
        print(rows[-1], flush=True)
    PICTURE.write_text(draw(rows))


def draw(rows: Iterable[str]) -> str:
    """Rows of the table as a picture in SVG."""
    cells = [row.strip("| ").split(" | ") for row in rows]
    drawn = {name for names in PANELS.values() for name in names}
    shares = {name: [int(cell.split(" %")[0]) for cell in rest] for name, *rest in cells if name in drawn}
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" role="img">',
        f"<title>Limits on unpaid orders, simulated</title><style>{STYLE}</style>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
    )
    return "\n".join([*head, *legend(), *panels(shares), "</svg>\n"])


def legend() -> Iterator[str]:
    for place, (name, colour) in enumerate(COLOURS.items()):
        x = LEFT + 90 * place
        yield f'<rect x="{x}" y="14" width="13" height="13" fill="{colour}"/><text x="{x + 20}" y="25">{name}</text>'


def panels(shares: dict[str, list[int]]) -> Iterator[str]:
    y = 60
    for title, names in PANELS.items():
        yield f'<text class="title" x="12" y="{y}">{title}</text>'
        for name in names:
            y += 42
            yield f'<text x="12" y="{y}">{name}</text>'
            for line, (share, colour) in enumerate(zip(shares[name], COLOURS.values(), strict=True)):
                top, end = y - 20 + 17 * line, LEFT + PER_CENT * share
                yield f'<rect x="{LEFT}" y="{top}" width="{PER_CENT * share}" height="14" fill="{colour}"/>'
                yield f'<text x="{end + 6}" y="{top + 12}">{share} %</text>'
        y += 52


if __name__ == "__main__":
    main()
