"""Durations in logarithmic buckets, from which percentiles follow to within 2 %.

Bucket n has durations above 1.04 ** (n - 1) and up to 1.04 ** n milliseconds; "0" those up to one millisecond.
"""

from collections import Counter
from datetime import timedelta
from decimal import Decimal
from math import ceil, log

RATIO = 1.04
MILLISECOND = timedelta(milliseconds=1)
PLACES = Decimal("0.000001")

Buckets = Counter[str]  # how many durations are in each; text, because keys of JSON are


def bucket_of(milliseconds: int) -> str:
    """Negative durations, of clocks that differ, count as none."""
    return str(max(0, ceil(log(milliseconds, RATIO)))) if milliseconds > 1 else "0"


def bucket_of_time(duration: timedelta) -> str:
    return bucket_of(duration // MILLISECOND)


def seconds_of(bucket: str) -> Decimal:
    """The middle of a bucket."""
    milliseconds = RATIO ** (int(bucket) - 0.5) if bucket != "0" else 0
    return (Decimal(milliseconds) / 1000).quantize(PLACES)


def percentile(buckets: Buckets, percent: int) -> Decimal | None:
    """By nearest rank, in seconds; None without a duration."""
    rank = -(-buckets.total() * percent // 100)
    for bucket in sorted(buckets, key=int):
        rank -= buckets[bucket]
        if rank <= 0:
            return seconds_of(bucket)
    return None
