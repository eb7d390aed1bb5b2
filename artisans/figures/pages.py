"""Which page of the admin shows which figures, each on one page, and how."""

from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _

from artisans.core.metrics import StrOrPromise
from artisans.figures.models import REFUND_AGES
from artisans.figures.registry import METRICS, STEPS, Metric

STEP_RATES = tuple(f"step_rate_{step.removesuffix('_step')}" for step in STEPS[1:])
TODAY = (  # the tiles of the start page
    "payment_success_rate",
    "order_paid_rate",
    "average_order_value",
    "checkout_rate",
    "problems",
    "refund_rate",
)
# A figure of these is divided by a dimension instead of by time.
DIVIDED = {
    "problems": "code",
    "failure_reasons": "decline_code",
    "lost_payments": "cause",
    "provider_errors": "error_code",
    "webhook_refused": "reason",
}
# The fact that the cells of a family are counted from, where it was not always recorded (artisans/core/known_since.py).
RECORDED = {
    "attempts": "payment_attempts",
    "journeys": "journeys",
    "messages": "webhook_times",
    "problems": "journeys",
    "refusals": "webhook_refusals",
    "requests": "provider_requests",
}


@dataclass(frozen=True, slots=True)
class Page:
    name: str
    title: StrOrPromise
    icon: str
    metrics: tuple[str, ...]
    has_funnel: bool = False

    def all_metrics(self) -> list[Metric]:
        return [METRICS[name] for name in self.metrics]


PAGES = {
    page.name: page
    for page in (
        Page(
            "payments",
            _("Payments"),
            "monitoring",
            (
                "payment_success_rate",
                "payment_failure_rate",
                "order_paid_rate",
                "lost_payments",
                "attempt_success_rate",
                "first_attempt_success_rate",
                "recovered_rate",
                "failure_reasons",
                "three_d_secure_rate",
                "challenge_rate",
                "three_d_secure_pass_rate",
                "three_d_secure_left_rate",
                "average_transaction_value",
                "average_order_value",
                "time_to_paid",
                "processing_time",
                "decision_time",
                "method_mix",
                "method_mix_amount",
                "method_mix_started",
                "method_mix_started_amount",
            ),
        ),
        Page(
            "checkout",
            _("Checkout"),
            "filter_alt",
            (
                "checkout_rate",
                "abandoned_carts",
                "abandoned_value",
                "recovered_carts",
                "problems",
                "problems_rate",
                *STEP_RATES,
            ),
            has_funnel=True,
        ),
        Page(
            "refunds",
            _("Refunds and disputes"),
            "currency_exchange",
            (
                "refund_rate",
                "refunded_payments_rate",
                "refund_time",
                *(f"refund_rate_cohort_{age}" for age in REFUND_AGES),
                "network_ratio",
                "dispute_rate",
                "dispute_amount_rate",
                "dispute_won_rate",
            ),
        ),
        Page(
            "providers",
            _("Providers and webhooks"),
            "cloud_sync",
            (
                "provider_error_rate",
                "provider_latency",
                "provider_errors",
                "webhook_failure_rate",
                "webhook_lag",
                "webhook_delay",
                "webhook_copies",
                "webhook_refused",
            ),
        ),
    )
}


def find_page(metric: Metric) -> Page:
    return next(page for page in PAGES.values() if metric.name in page.metrics)


def division_of(metric: Metric) -> str:
    """The dimension that the figure is divided by; "" for time."""
    return metric.mix_of or DIVIDED.get(metric.name, "")
