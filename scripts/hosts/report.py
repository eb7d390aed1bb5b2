"""The table and the picture of a run."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from scripts.hosts.buyers import Purchase

MARGIN = 8.0  # seconds before and after a failure that are compared with it
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 960, 360, 40, 150, 30


@dataclass(frozen=True)
class Event:
    """Times of the monotonic clock: when it failed, and when it was back."""

    title: str
    began: float
    ended: float


def rate(purchases: Sequence[Purchase], begin: float, end: float) -> float:
    return sum(begin <= purchase.ended < end for purchase in purchases) / (end - begin)


def longest_gap(purchases: Sequence[Purchase], begin: float, end: float) -> float:
    """Seconds without a purchase that was completed."""
    times = sorted(purchase.ended for purchase in purchases if begin <= purchase.ended < end)
    return max(later - earlier for earlier, later in zip([begin, *times], [*times, end], strict=True))


def table(events: Sequence[Event], purchases: Sequence[Purchase]) -> list[str]:
    lines = [
        "| what fails | seconds | before | meanwhile | after | longest gap, s | slowest, s | repeated requests |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for event in events:
        affected = [one for one in purchases if event.began <= one.ended and one.started < event.ended]
        rates = (
            rate(purchases, event.began - MARGIN, event.began),
            rate(purchases, event.began, event.ended),
            rate(purchases, event.ended, event.ended + MARGIN),
        )
        cells = [
            event.title,
            f"{event.ended - event.began:.0f}",
            *(f"{one:.1f}" for one in rates),
            f"{longest_gap(purchases, event.began, event.ended + MARGIN):.1f}",
            f"{max((one.ended - one.started for one in affected), default=0):.1f}",
            str(sum(one.failures for one in affected)),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    usual = statistics.median(one.ended - one.started for one in purchases)
    return [*lines, "", f"A purchase usually took {usual:.2f} s."]


def draw(events: Sequence[Event], purchases: Sequence[Purchase]) -> str:
    """Purchases per second over time, with the failures."""
    start, end = min(one.started for one in purchases), max(one.ended for one in purchases)
    seconds = [rate(purchases, start + n, start + n + 2) for n in range(int(end - start) - 1)]
    most = max(seconds) * 1.1
    bottom = HEIGHT - BOTTOM

    def x_of(moment: float) -> float:
        return LEFT + (moment - start) / (end - start) * (WIDTH - 2 * LEFT)

    def y_of(value: float) -> float:
        return bottom - value / most * (bottom - TOP)

    shapes = []
    for event in events:
        x, width = x_of(event.began), x_of(event.ended) - x_of(event.began)
        place = f"translate({x + width / 2:.0f} {TOP - 6}) rotate(-28)"
        shapes += [
            f'<rect x="{x:.0f}" y="{TOP}" width="{max(2, width):.0f}" height="{bottom - TOP}" fill="#f3c9c9"/>',
            f'<text transform="{place}" font-size="10">{event.title.partition(",")[0]}</text>',
        ]
    line = " ".join(f"{x_of(start + n + 1):.0f},{y_of(value):.0f}" for n, value in enumerate(seconds))
    marks = [
        f'<text x="{x_of(start + n):.0f}" y="{HEIGHT - 10}" text-anchor="middle">{n // 60} min</text>'
        for n in range(0, int(end - start), 60)
    ]
    scale = [
        f'<text x="{LEFT - 6}" y="{y_of(value) + 4:.0f}" text-anchor="end">{value}</text>'
        f'<path d="M{LEFT} {y_of(value):.0f}H{WIDTH - LEFT}" stroke="#ddd"/>'
        for value in range(0, int(most) + 1, max(1, int(most) // 4))
    ]
    font = 'font-family="sans-serif" font-size="12"'
    title = f'<text x="{LEFT}" y="20" font-weight="bold">Purchases completed per second</text>'
    curve = f'<polyline points="{line}" fill="none" stroke="#246" stroke-width="1.5"/>'
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" {font}>'
    background = '<rect width="100%" height="100%" fill="#fff"/>'
    return "\n".join([opening, background, title, *shapes, *scale, curve, *marks, "</svg>\n"])
