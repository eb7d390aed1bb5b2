"""What stored responses contain about a person; they are kept for a day."""

from django.db.models import Q

from artisans.core.personal_data import Holding, Person, register

VERSIONS = range(1, 6)  # of an order's link


def responses_to(person: Person) -> Q:
    links = [f"order:{key}-{version}" for key in person.of("orders") for version in VERSIONS]
    effects = [f"order:{key}" for key in person.of("orders")]
    effects += [f"payment:{key}" for key in person.of("payments")]
    return Q(principal__in=[f"user:{person.user_id}", *links]) | Q(effect__in=effects)


HOLDINGS = (Holding("core.IdempotencyKey", "stored_responses", responses_to, is_deleted=True),)
IMPERSONAL = {
    "core.Heartbeat": {"name", "version", "keys"},
    "core.InvariantResult": {"name", "sentences"},  # numbers of orders and payments
    "core.Lease": {"name", "holder"},  # of hosts
    "core.ChangeMark": {"family"},
    "core.Purge": {"name"},
    "core.SystemCheck": {"name", "state", "results"},
}

register(*HOLDINGS, impersonal=IMPERSONAL)
