"""Prices in another currency, by integers only."""

from dataclasses import dataclass

from artisans.core.money import Money, exponent_of, half_up


@dataclass(frozen=True, slots=True)
class PriceSteps:
    """Converted prices are multiples of `step_minor` less `charm_minor`, which is smaller: 100 less 1 is 12.99."""

    currency: str
    step_minor: int = 1
    charm_minor: int = 0
    rounds_up: bool = False


def convert_price(price: Money, steps: PriceSteps, *, rate_from: int, rate_to: int) -> Money:
    """The price in the currency of the steps, of at least one step. `rate_from`, `rate_to`: what one unit of the same
    third currency is worth in each, in the same parts."""
    numerator = price.minor * rate_to * 10 ** exponent_of(steps.currency)
    denominator = rate_from * 10 ** exponent_of(price.currency) * steps.step_minor
    count = -(-numerator // denominator) if steps.rounds_up else half_up(numerator, denominator)
    return Money(max(1, count) * steps.step_minor - steps.charm_minor, steps.currency)
