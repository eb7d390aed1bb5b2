"""How sure a share is (Wilson's score interval), without numpy or scipy."""

from decimal import ROUND_HALF_EVEN, Decimal
from math import sqrt
from statistics import NormalDist

Z = NormalDist().inv_cdf(0.975)
THIN = 20
PLACES = Decimal("0.0001")


def share(numerator: int, denominator: int) -> Decimal | None:
    """None without a denominator: neither 0 % nor 100 %."""
    return places(numerator / Decimal(denominator)) if denominator else None


def wilson(successes: int, trials: int) -> tuple[Decimal, Decimal] | None:
    """The interval that holds the true share in 95 of 100 cases; None for what is no share of `trials`."""
    if not 0 <= successes <= trials or trials == 0:
        return None
    p, square = successes / trials, Z * Z
    middle = (p + square / (2 * trials)) / (1 + square / trials)
    half = Z * sqrt(p * (1 - p) / trials + square / (4 * trials * trials)) / (1 + square / trials)
    return places(Decimal(max(0.0, middle - half))), places(Decimal(min(1.0, middle + half)))


def places(number: Decimal) -> Decimal:
    return number.quantize(PLACES, rounding=ROUND_HALF_EVEN)
