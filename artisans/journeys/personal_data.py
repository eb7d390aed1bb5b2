"""Journeys hold times, a kind of device and a country, and are found by the ids of carts and orders only. An erasure
empties those; the journey then leads to nobody, and stays for the figures until its retention ends."""

from django.db.models import Q

from artisans.core.personal_data import Holding, Person, register


def journeys_of(person: Person) -> Q:
    return Q(order_id__in=person.of("orders")) | Q(cart_id__in=person.of("carts"))


HOLDINGS = (
    Holding(
        "journeys.Journey",
        "checkouts",
        journeys_of,
        export=(
            *("cart_id", "order_id", "channel", "device", "delivery_country", "started_at", "cart_at"),
            *("details_at", "delivery_at", "payment_at", "check_at", "placed_at"),
        ),
    ),
)
IMPERSONAL = {
    "journeys.Journey": {"channel", "device", "currency", "delivery_country"},
    "journeys.JourneyProblem": {"channel", "step", "kind", "code"},
}

register(*HOLDINGS, impersonal=IMPERSONAL)
