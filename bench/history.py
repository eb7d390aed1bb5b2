"""The figures of every run, one line of docs/benchmarks.jsonl each, and their picture, docs/benchmarks.svg."""

import json
import os
import subprocess
from datetime import UTC, datetime
from typing import Any, NamedTuple

from bench.servers import ROOT

HISTORY, PICTURE = ROOT / "docs/benchmarks.jsonl", ROOT / "docs/benchmarks.svg"
SHOWN = 30  # runs
WIDTH, HEIGHT, COLUMNS = 300, 130, 3  # of a panel
LEFT, TOP, BOTTOM = 14, 46, 14  # margins inside it


class Panel(NamedTuple):
    """`name`: of the figure in the history; `limit`: drawn as a line."""

    name: str
    title: str
    limit: float
    unit: str = "×"


PANELS = (
    Panel("one_by_one", "CPU, one by one, relative to baseline", 0.9),
    Panel("three_requests", "CPU, three requests, relative to baseline", 1.3),
    Panel("one_call", "CPU, one call, relative to baseline", 1.3),
    Panel("one_by_one_oscar", "Speed, one by one, relative to oscar", 7.5),
    Panel("three_requests_oscar", "Speed, three requests, relative to oscar", 13),
    Panel("one_call_oscar", "Speed, one call, relative to oscar", 20),
    Panel("settling_events", "Events that complete a payment, CPU", 13.3, "ms"),
    Panel("web_memory", "Web process after 5,000 orders", 110, "MiB"),
    Panel("worker_memory", "Worker process after 5,000 orders", 110, "MiB"),
)
ARGV = ["git", "rev-parse", "--short", "HEAD"]
COMMIT = subprocess.run(
    ARGV, cwd=ROOT, capture_output=True, text=True, check=False
).stdout.strip()  # at the start
figures: dict[str, float] = {}


def note(name: str, figure: float) -> None:
    """Keep a figure of this run for `save`; `name` as in PANELS."""
    figures[name] = round(figure, 2)


def save() -> None:
    """Add a line to the history and draw it again; nothing if this run has noted nothing."""
    if not figures:
        return
    now, load = datetime.now(UTC).isoformat(timespec="seconds"), round(os.getloadavg()[1], 1)
    with HISTORY.open("a") as file:
        file.write(json.dumps({"date": now, "commit": COMMIT, "load": load} | figures) + "\n")
    PICTURE.write_text(draw([json.loads(line) for line in HISTORY.read_text().splitlines()]))


def draw(runs: list[dict[str, Any]]) -> str:
    """The picture of these runs, as SVG: a panel for each figure, runs from left to right."""
    panels = [
        f'<g transform="translate({n % COLUMNS * WIDTH} {n // COLUMNS * HEIGHT})">{draw_panel(panel, runs)}</g>'
        for n, panel in enumerate(PANELS)
    ]
    size = f"0 0 {WIDTH * COLUMNS} {HEIGHT * -(-len(PANELS) // COLUMNS)}"
    font = 'font-family="sans-serif" font-size="12"'
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{size}" {font}>'
    return "\n".join([opening, '<rect width="100%" height="100%" fill="#fff"/>', *panels, "</svg>\n"])


def draw_panel(panel: Panel, runs: list[dict[str, Any]]) -> str:
    found = [run[panel.name] for run in runs if panel.name in run][-SHOWN:]
    most = max([*found, panel.limit]) * 1.1
    last = f"{found[-1]:g} {panel.unit}" if found else "not measured yet"
    step = (WIDTH - 3 * LEFT) / max(1, len(found) - 1)
    points = [(LEFT + n * step, height_of(figure, most)) for n, figure in enumerate(found)]
    line = " ".join(f"{x:.0f},{y:.0f}" for x, y in points)
    limit = height_of(panel.limit, most)
    return "".join(
        [
            f'<text x="{LEFT}" y="18">{panel.title}</text>',
            f'<text x="{LEFT}" y="36" font-weight="bold">{last}</text>',
            f'<text x="{WIDTH - LEFT}" y="36" text-anchor="end" fill="#a33">limit {panel.limit:g} {panel.unit}</text>',
            f'<path d="M{LEFT} {limit:.0f}H{WIDTH - LEFT}" stroke="#a33" stroke-dasharray="4 3"/>',
            f'<polyline points="{line}" fill="none" stroke="#246"/>',
            *(f'<circle cx="{x:.0f}" cy="{y:.0f}" r="3" fill="#246"/>' for x, y in points),
        ]
    )


def height_of(figure: float, most: float) -> float:
    return HEIGHT - BOTTOM - figure / most * (HEIGHT - TOP - BOTTOM)
