from artisans.core.retention import Retention
from artisans.journeys.models import Journey, JourneyProblem

JOURNEY_RULES = (
    Retention(
        "journeys",
        lambda before: Journey.objects.filter(last_at__lt=before),
        clock="last_at",
        minimum_days=35,
        is_personal=False,
    ),
    Retention(
        "journey_problems",
        lambda before: JourneyProblem.objects.filter(at__lt=before),
        clock="at",
        minimum_days=35,
        is_personal=False,
    ),
)
