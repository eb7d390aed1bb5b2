"""Time limits that depend on the machine that the tests run on."""

import time
from collections.abc import Callable


def is_quick(work: Callable[[], object], *, loops: int) -> bool:
    """Whether it takes less CPU than so many million steps of a loop; 0.05 s or so a million.

    The machine may get slower meanwhile, so that a loop follows, and a second try.
    """
    for _ in range(2):
        before, taken, after = cpu_seconds(loop), cpu_seconds(work), cpu_seconds(loop)
        if taken < loops * max(before, after):
            return True
    return False


def loop() -> None:
    for _ in (step for step in range(1_000_000)):
        pass


def cpu_seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started
