"""Money in integer minor units with its currency; the only money type of the project."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Self

# ISO 4217 (list one, 2026): every active currency that does not have two decimals.
NO_DECIMALS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
THREE_DECIMALS = "BHD IQD JOD KWD LYD OMR TND"
EXPONENTS = dict.fromkeys(NO_DECIMALS.split(" "), 0) | dict.fromkeys(THREE_DECIMALS.split(" "), 3)

# ISO 4217 (list one, 2026): every active currency of a country or union, without funds codes, metals and test codes.
IN_USE = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD "
    "CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP "
    "GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD "
    "KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN "
    "NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP "
    "SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES "
    "VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG "
)
CURRENCIES = frozenset(IN_USE.split())
NO_CURRENCY = "XXX"  # ISO 4217 code for "no currency"

MAX_MINOR = 10**15
CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
AMOUNT = re.compile(r"[0-9]{1,16}(?:\.[0-9]{1,8})?", re.ASCII)
PERCENT = re.compile(r"(?:100(?:\.0{1,4})?|[0-9]{1,2}(?:\.[0-9]{1,4})?)", re.ASCII)
PPM = 1_000_000


def exponent_of(currency: str) -> int:
    """Decimals of a currency: USD 2, JPY 0, KWD 3."""
    return EXPONENTS.get(currency, 2)


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount: `Money(8545, "USD")` is 85.45 USD. Amounts of two currencies never mix (ValueError)."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if not CURRENCY.fullmatch(self.currency):
            raise ValueError(f"{self.currency!r} is not a currency code.")

    @classmethod
    def stored(cls, minor: int, currency: str) -> Self:
        """The amount of a row. Never raises: an invalid currency code becomes XXX."""
        return cls(minor, currency if CURRENCY.fullmatch(currency) else NO_CURRENCY)

    @classmethod
    def parse(cls, text: str | int | Decimal, currency: str) -> Self:
        """Parse plain decimal digits exactly.

        Errors: ValueError for signs, exponents, separators, digits other than 0-9, too many decimals.
        """
        plain = str(text)
        if not AMOUNT.fullmatch(plain):
            raise ValueError(f"{plain[:40]!r} is not a plain decimal amount such as 12.34.")
        whole, _, fraction = plain.partition(".")
        decimals = exponent_of(currency)
        if len(fraction) > decimals:
            raise ValueError(f"{currency} has {decimals} decimals, not {len(fraction)}.")
        minor = int(whole + fraction.ljust(decimals, "0"))
        if minor > MAX_MINOR:
            raise ValueError("The amount is too large.")
        return cls(minor, currency)

    @classmethod
    def total(cls, parts: Iterable[Self], currency: str) -> Self:
        return sum(parts, start=cls(0, currency))

    def __add__(self, other: Self) -> Self:
        return type(self)(self.minor + self._same(other), self.currency)

    def __sub__(self, other: Self) -> Self:
        return type(self)(self.minor - self._same(other), self.currency)

    def __mul__(self, count: int) -> Self:
        return type(self)(self.minor * count, self.currency)

    def __lt__(self, other: Self) -> bool:
        return self.minor < self._same(other)

    def __le__(self, other: Self) -> bool:
        return self.minor <= self._same(other)

    def __gt__(self, other: Self) -> bool:
        return self.minor > self._same(other)

    def __ge__(self, other: Self) -> bool:
        return self.minor >= self._same(other)

    def __bool__(self) -> bool:
        return self.minor != 0

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"

    @property
    def amount(self) -> str:
        """The amount as in the API: "85.45", "500" (JPY), "-1.00"."""
        return format(self.as_decimal(), "f")

    def as_decimal(self) -> Decimal:
        return Decimal(self.minor).scaleb(-exponent_of(self.currency))

    def share(self, rate_ppm: int) -> Self:
        """This part of the amount (millionths), rounded half up: 10% of 85.45 is 8.55."""
        return type(self)(half_up(self.minor * rate_ppm, PPM), self.currency)

    def allocate(self, weights: Sequence[int]) -> list[Self]:
        """Split by weights so that the parts add up exactly (largest remainder, earlier parts first)."""
        return [type(self)(minor, self.currency) for minor in allocate(self.minor, weights)]

    def _same(self, other: Self) -> int:
        if other.currency != self.currency:
            raise ValueError(f"{self.currency} and {other.currency} do not mix.")
        return other.minor


def rate_text(rate_ppm: int) -> str:
    """A rate as in the API, as a fraction: "0.1" for 10%."""
    return format((Decimal(rate_ppm) / PPM).normalize(), "f")


def percent_text(rate_ppm: int) -> str:
    """100000 → "10", 88750 → "8.875"."""
    whole, rest = divmod(rate_ppm, 10_000)
    return f"{whole}.{rest:04d}".rstrip("0").rstrip(".")


def percent_read(text: str) -> int:
    """In millionths; the inverse of percent_text. Errors: ValueError."""
    if not PERCENT.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is not a rate in percent from 0 to 100, such as 8.875.")
    return int(Decimal(text) * PPM / 100)


def half_up(numerator: int, denominator: int, step: int = 1) -> int:
    """Divide non-negative integers and round to a multiple of `step`, halves away from zero."""
    denominator *= step
    return (2 * numerator + denominator) // (2 * denominator) * step


def allocate(minor: int, weights: Sequence[int], step: int = 1) -> list[int]:
    """Largest remainder over non-negative weights; all-zero weights count as equal. The parts sum to `minor`, and are
    multiples of `step` if it is one."""
    if not weights:
        raise ValueError("Nothing to split the amount over.")
    if step > 1 and minor % step == 0:
        return [part * step for part in allocate(minor // step, weights)]
    weights = weights if any(weights) else [1] * len(weights)
    whole = sum(weights)
    parts = [minor * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(minor * weights[i] % whole), i))
    for i in by_remainder[: minor - sum(parts)]:
        parts[i] += 1
    return parts
