"""How long requests to providers took, and how they ended: facts for figures, on which nothing depends."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from artisans.core.compiled import insert
from payments.models import ProviderRequest
from payments.providers.registry import is_test_money
from payments.providers.round_trips import RoundTrip, collect_round_trips

logger = logging.getLogger(__name__)


@contextmanager
def requests_recorded(provider: str) -> Iterator[None]:
    """Records the requests of the block in one statement after it, whatever it raised."""
    with collect_round_trips() as trips:
        try:
            yield
        finally:
            requests_record(provider, trips)


def requests_record(provider: str, trips: Sequence[RoundTrip]) -> None:
    """Outside transactions, so that it is neither undone with others nor stops them. Never raises."""
    try:
        insert([build_request(provider, trip) for trip in trips])
    except Exception:
        logger.exception("provider_requests_not_recorded", extra={"provider": provider})


def build_request(provider: str, trip: RoundTrip) -> ProviderRequest:
    return ProviderRequest(
        provider=provider,
        operation=trip.operation,
        started_at=trip.started_at,
        duration_ms=trip.milliseconds,
        outcome=trip.outcome.value,
        status_code=trip.status_code,
        error_code=trip.error_code,
        request_id=trip.request_id,
        is_test=is_test_money(provider),
    )
