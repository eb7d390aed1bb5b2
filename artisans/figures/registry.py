"""The one definition of each figure. Dashboard, API and docs/metrics-definitions.md are made from it.

A changed definition is a new name: a figure that was written down must not mean something else later.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from artisans.core.metrics import StrOrPromise
from artisans.figures.models import REFUND_AGES
from payments.methods import CARD_METHODS
from payments.providers.round_trips import RequestOutcome


class Unit(StrEnum):
    SHARE = "share"
    PER_THOUSAND = "per_thousand"
    MONEY = "money"  # the mean amount, one for each currency
    COUNT = "count"
    SECONDS = "seconds"  # percentiles of durations


@dataclass(frozen=True, slots=True)
class Total:
    """The sum of measures, or of times, of a family's cells over a period. `only`: dimensions with the values that
    count."""

    family: str
    measures: tuple[str, ...]
    only: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Metric:
    """`sentence`: what is divided by what, of which time, and what is left out. `basis`: whose day it is.

    `denominator`: None for counts and durations; not divided by dimensions that its family does not have. `also`: what
    is shown beside it, by name. `is_per_currency`: money is never added across currencies. `mix_of`: a dimension by
    which the denominator is not divided, so that its values have shares of the whole. `percentiles`: of durations.
    `age`: days after which a day's figure is final; younger days are left out. `better`: "up", "down" or "". `limits`:
    from where on the figure needs attention, and from where on it is too high.
    """

    name: str
    title: StrOrPromise
    sentence: StrOrPromise
    numerator: Total
    denominator: Total | None
    unit: Unit
    basis: StrOrPromise
    dimensions: tuple[str, ...]
    better: str = ""
    is_per_currency: bool = False
    mix_of: str = ""
    percentiles: tuple[int, ...] = ()
    age: int = 0
    limits: tuple[Decimal, Decimal] | None = None
    also: dict[str, Total] = field(default_factory=dict, hash=False)


def payments(*measures: str) -> Total:
    return Total("payments", measures)


def settled(*measures: str, only: tuple[tuple[str, tuple[str, ...]], ...] = ()) -> Total:
    return Total("settled", measures, only)


def attempts(*measures: str) -> Total:
    return Total("attempts", measures)


def messages(*measures: str) -> Total:
    return Total("messages", measures)


CARDS = (("method", tuple(method.value for method in CARD_METHODS)),)
OF_PAYMENTS = ("method", "provider", "currency")
OF_JOURNEYS = ("channel", "device", "currency")
UNKNOWN = (("outcome", (RequestOutcome.UNKNOWN.value,)),)
DECIDED, TRIED, RECEIVED, SENT = (
    _("day on which it was decided"),
    _("day on which it was tried"),
    _("day on which it was received"),
    _("day on which it was sent"),
)
STARTED, PLACED, COMPLETED = (
    _("day on which it was started"),
    _("day on which it was placed"),
    _("day on which it was completed"),
)
PAID, OPENED, OWN_DAY = (
    _("day on which it was paid"),
    _("day on which it was opened"),
    _("day on which each of them happened"),
)
STEPS = ("started", "cart", "details", "delivery", "payment", "check_step", "placed")
STEP_TITLES = {
    "cart": _("Carts viewed"),
    "details": _("Delivery details shown"),
    "delivery": _("Delivery shown"),
    "payment": _("Payment shown"),
    "check_step": _("Review shown"),
    "placed": _("Placed"),
}

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            "payment_success_rate",
            _("Payments that succeeded"),
            _(
                "Payments that were paid, divided by those that were paid or lost. Lost: cancelled, or of a closed "
                "order, without ever being paid. Excludes: open payments, and those that the buyer replaced by another."
            ),
            payments("paid"),
            payments("paid", "lost"),
            Unit.SHARE,
            STARTED,
            OF_PAYMENTS,
            "up",
            also={"open": payments("open"), "switched": payments("switched")},
        ),
        Metric(
            "payment_failure_rate",
            _("Payments that were lost"),
            _(
                "Payments that were lost, divided by those that were paid or lost: 100 % minus payments that succeeded."
            ),
            payments("lost"),
            payments("paid", "lost"),
            Unit.SHARE,
            STARTED,
            OF_PAYMENTS,
            "down",
            also={"open": payments("open"), "switched": payments("switched")},
        ),
        Metric(
            "order_paid_rate",
            _("Orders that were paid"),
            _(
                "Orders that were ever paid in full, divided by those and the orders that were closed unpaid. "
                "Excludes: orders that wait for money."
            ),
            Total("orders", ("paid",)),
            Total("orders", ("paid", "closed")),
            Unit.SHARE,
            PLACED,
            ("currency",),
            "up",
            also={"open": Total("orders", ("open",))},
        ),
        Metric(
            "attempt_success_rate",
            _("Attempts that succeeded"),
            _(
                "Attempts to pay at a provider that succeeded, divided by those that succeeded or were declined. "
                "Excludes: abandoned attempts, and what a provider declines on its own pages."
            ),
            attempts("succeeded"),
            attempts("succeeded", "declined"),
            Unit.SHARE,
            DECIDED,
            OF_PAYMENTS,
            "up",
        ),
        Metric(
            "first_attempt_success_rate",
            _("First attempts that succeeded"),
            _(
                "Payments at a provider whose first decided attempt succeeded, divided by those with a decided "
                "attempt."
            ),
            attempts("first_succeeded"),
            attempts("first_succeeded", "first_declined"),
            Unit.SHARE,
            _("day on which the first attempt was decided"),
            OF_PAYMENTS,
            "up",
        ),
        Metric(
            "recovered_rate",
            _("Payments recovered after a decline"),
            _(
                "Payments that were paid although an attempt was declined, divided by those with a declined attempt "
                "that were paid or lost. Excludes: open payments, those replaced by another, and offline payments."
            ),
            payments("recovered"),
            payments("recovered", "unrecovered"),
            Unit.SHARE,
            STARTED,
            OF_PAYMENTS,
            "up",
        ),
        Metric(
            "failure_reasons",
            _("Declined attempts"),
            _(
                "Attempts to pay that the provider or the bank declined, by reason and the provider's code. Excludes: "
                "what a provider declines on its own pages."
            ),
            attempts("declined"),
            None,
            Unit.COUNT,
            DECIDED,
            (*OF_PAYMENTS, "decline_group", "decline_code"),
            "down",
        ),
        Metric(
            "lost_payments",
            _("Lost payments"),
            _(
                "Payments that were lost, by cause: amounts that differed from the provider’s, else the outcome of "
                "their last attempt if that failed, else a provider that did not respond, otherwise what closed them."
            ),
            payments("lost"),
            None,
            Unit.COUNT,
            STARTED,
            (*OF_PAYMENTS, "cause"),
            "down",
        ),
        Metric(
            "decision_time",
            _("Time to a decision"),
            _(
                "From the start of an offline payment until money for it first arrived or staff rejected it. "
                "Percentiles are at most 2 % off."
            ),
            attempts("decision_times"),
            None,
            Unit.SECONDS,
            DECIDED,
            ("method", "currency"),
            "down",
            percentiles=(50, 95),
        ),
        *(
            Metric(name, title, sentence, above, below, Unit.SHARE, TRIED, OF_PAYMENTS, better)
            for name, title, sentence, above, below, better in (
                (
                    "three_d_secure_rate",
                    _("Cards with 3-D Secure"),
                    _(
                        "Attempts to pay by card for which 3-D Secure was used, divided by all attempts by card."
                    ),
                    attempts("asked"),
                    attempts("cards"),
                    "",
                ),
                (
                    "challenge_rate",
                    _("3-D Secure with a challenge"),
                    _(
                        "Attempts in which the bank asked the buyer to authenticate, divided by those with 3-D Secure."
                    ),
                    attempts("challenges"),
                    attempts("asked"),
                    "down",
                ),
                (
                    "three_d_secure_pass_rate",
                    _("3-D Secure that succeeded"),
                    _(
                        "Attempts in which the bank authenticated the buyer or acknowledged the attempt, divided by "
                        "decided attempts with 3-D Secure. Excludes: exemptions, and banks without 3-D Secure."
                    ),
                    attempts("authenticated"),
                    attempts("finished"),
                    "up",
                ),
                (
                    "three_d_secure_left_rate",
                    _("Abandoned challenges"),
                    _(
                        "Challenges that were open for an hour or until the payment ended, divided by all challenges."
                    ),
                    attempts("abandoned"),
                    attempts("challenges"),
                    "down",
                ),
            )
        ),
        Metric(
            "provider_latency",
            _("Response time of providers"),
            _(
                "How long requests to a provider took, also those without an answer. Percentiles are at most "
                "2 % off."
            ),
            Total("requests", ("durations",)),
            None,
            Unit.SECONDS,
            SENT,
            ("provider", "operation"),
            "down",
            percentiles=(50, 95, 99),
        ),
        Metric(
            "provider_error_rate",
            _("Failed requests to providers"),
            _(
                "Requests to a provider without a usable answer, divided by all. Declined payments and refused "
                "requests have an answer."
            ),
            Total("requests", ("requests",), UNKNOWN),
            Total("requests", ("requests",)),
            Unit.SHARE,
            SENT,
            ("provider", "operation", "hour"),
            "down",
        ),
        Metric(
            "provider_errors",
            _("Failed requests by code"),
            _("Requests to a provider without a usable answer."),
            Total("requests", ("requests",), UNKNOWN),
            None,
            Unit.COUNT,
            SENT,
            ("provider", "operation", "hour", "error_code"),
            "down",
        ),
        Metric(
            "webhook_delay",
            _("Delay of webhook events"),
            _(
                "From when a provider made an event until the shop received it. Percentiles are at most 2 % "
                "off. Negative delays count as 0. Excludes: events without a time."
            ),
            messages("delays"),
            None,
            Unit.SECONDS,
            RECEIVED,
            ("provider",),
            "down",
            percentiles=(50, 95, 99),
            also={"clock_skew": messages("early")},
        ),
        Metric(
            "webhook_lag",
            _("Time to process webhook events"),
            _(
                "From when the shop received an event until it was first processed. Percentiles are at most 2 % "
                "off. Excludes: events that were not processed yet."
            ),
            messages("lags"),
            None,
            Unit.SECONDS,
            RECEIVED,
            ("provider",),
            "down",
            percentiles=(50, 95, 99),
        ),
        Metric(
            "webhook_failure_rate",
            _("Webhook events that failed"),
            _("Events that were given up or wait for staff, divided by all that were received."),
            messages("failed"),
            messages("events"),
            Unit.SHARE,
            RECEIVED,
            ("provider", "hour"),
            "down",
        ),
        Metric(
            "webhook_copies",
            _("Repeated webhook events"),
            _("Deliveries of events that the shop had already, divided by all deliveries."),
            messages("copies"),
            messages("deliveries"),
            Unit.SHARE,
            _("day on which the first copy was received"),
            ("provider", "hour"),
            "down",
        ),
        Metric(
            "webhook_refused",
            _("Refused webhook requests"),
            _(
                "Requests to the webhook addresses that were not sent by the provider, or could not be read, by "
                "reason. Excludes: what exceeded the limit of a network."
            ),
            Total("refusals", ("refused",)),
            None,
            Unit.COUNT,
            RECEIVED,
            ("provider", "hour", "reason"),
            "down",
        ),
        Metric(
            "average_transaction_value",
            _("Average payment"),
            _(
                "The amounts of payments that were paid, divided by their number. Later refunds are not deducted."
            ),
            settled("payments_minor"),
            settled("payments"),
            Unit.MONEY,
            COMPLETED,
            OF_PAYMENTS,
            "up",
            is_per_currency=True,
        ),
        Metric(
            "average_order_value",
            _("Average order"),
            _("The totals of orders that were paid in full, with tax and shipping, divided by their number."),
            settled("orders_minor"),
            settled("orders"),
            Unit.MONEY,
            PAID,
            OF_PAYMENTS,
            "up",
            is_per_currency=True,
        ),
        Metric(
            "refund_rate",
            _("Money refunded"),
            _(
                "Refunds that were completed, divided by captures and receipts of the same time, by amount. Excludes: "
                "refunds that failed later, receipts that were reversed, disputes."
            ),
            Total("refunds", ("refunds_minor",)),
            settled("captures_minor", "receipts_minor"),
            Unit.SHARE,
            OWN_DAY,
            OF_PAYMENTS,
            "down",
            is_per_currency=True,
        ),
        *(
            Metric(
                f"refund_rate_cohort_{age}",
                format_lazy(_("Refunded within {days} days"), days=age),
                _(
                    "Refunds of payments within this number of days after they were paid, divided by their amounts. "
                    "Excludes: payments that are not that old yet."
                ),
                settled(f"refunded_{age}_minor"),
                settled("payments_minor"),
                Unit.SHARE,
                COMPLETED,
                OF_PAYMENTS,
                "down",
                is_per_currency=True,
                age=age,
            )
            for age in REFUND_AGES
        ),
        Metric(
            "refunded_payments_rate",
            _("Payments with a refund"),
            _("Payments with at least one completed refund, whenever it was, divided by all that were paid."),
            settled("refunded_payments"),
            settled("payments"),
            Unit.SHARE,
            COMPLETED,
            OF_PAYMENTS,
            "down",
        ),
        *(
            Metric(
                name,
                title,
                sentence,
                above,
                above,
                Unit.SHARE,
                basis,
                OF_PAYMENTS,
                is_per_currency=name.endswith("_amount"),
                mix_of="method",
            )
            for name, title, sentence, above, basis in (
                (
                    "method_mix",
                    _("Methods of paid payments"),
                    _("Payments of this method that were paid, divided by all that were paid."),
                    settled("payments"),
                    COMPLETED,
                ),
                (
                    "method_mix_amount",
                    _("Money by method"),
                    _("The amounts of payments of this method that were paid, divided by those of all."),
                    settled("payments_minor"),
                    COMPLETED,
                ),
                (
                    "method_mix_started",
                    _("Methods that were chosen"),
                    _("Payments of this method that were started, divided by all that were started."),
                    payments("paid", "lost", "open", "switched"),
                    STARTED,
                ),
                (
                    "method_mix_started_amount",
                    _("Money by chosen method"),
                    _("The amounts of payments of this method that were started, divided by those of all."),
                    payments("started_minor"),
                    STARTED,
                ),
            )
        ),
        Metric(
            "processing_time",
            _("Time to a completed payment"),
            _(
                "From the start of a payment at a provider until it was paid. Percentiles are at most 2 % off. "
                "Excludes: offline payments."
            ),
            settled("processing_times"),
            None,
            Unit.SECONDS,
            COMPLETED,
            OF_PAYMENTS,
            "down",
            percentiles=(50, 95, 99),
        ),
        Metric(
            "time_to_paid",
            _("Time to a paid order"),
            _(
                "From the placing of an order until it was first paid in full. Percentiles are at most 2 % off."
            ),
            settled("order_times"),
            None,
            Unit.SECONDS,
            PAID,
            OF_PAYMENTS,
            "down",
            percentiles=(50, 95),
        ),
        Metric(
            "refund_time",
            _("Time to a refund"),
            _(
                "From the request of a refund until it was completed. Percentiles are at most 2 % off. Excludes: "
                "offline refunds, and those made at the provider."
            ),
            Total("refunds", ("refund_times",)),
            None,
            Unit.SECONDS,
            COMPLETED,
            OF_PAYMENTS,
            "down",
            percentiles=(50, 95),
        ),
        Metric(
            "dispute_rate",
            _("Disputes"),
            _(
                "Disputes that were opened, divided by the captures of card payments of the same time, by number. "
                "Excludes: disputes of other methods."
            ),
            Total("disputes", ("opened",), CARDS),
            settled("captures", only=CARDS),
            Unit.SHARE,
            OPENED,
            ("provider", "currency"),
            "down",
        ),
        Metric(
            "network_ratio",
            _("Disputes and fraud warnings"),
            _(
                "Early fraud warnings and disputes, divided by the captures of card payments of the same time, by "
                "number: an estimate of the ratio by which card networks judge a shop each month. From 0.5 % on it "
                "needs attention; from about 1 % on they may charge the shop. A payment with a warning and a dispute "
                "counts twice."
            ),
            Total("disputes", ("opened", "warnings"), CARDS),
            settled("captures", only=CARDS),
            Unit.SHARE,
            OPENED,
            ("provider", "currency"),
            "down",
            limits=(Decimal("0.005"), Decimal("0.01")),
        ),
        Metric(
            "dispute_amount_rate",
            _("Money disputed"),
            _(
                "The amounts of disputes of card payments, divided by the captures of card payments of the same time."
            ),
            Total("disputes", ("opened_minor",), CARDS),
            settled("captures_minor", only=CARDS),
            Unit.SHARE,
            OPENED,
            ("provider", "currency"),
            "down",
            is_per_currency=True,
        ),
        Metric(
            "dispute_won_rate",
            _("Disputes won"),
            _("Disputes that were won, divided by those that were won or lost. Excludes: open ones."),
            Total("disputes", ("won",)),
            Total("disputes", ("won", "lost")),
            Unit.SHARE,
            OPENED,
            OF_PAYMENTS,
            "up",
        ),
        *(
            Metric(
                f"step_rate_{later.removesuffix('_step')}",
                STEP_TITLES[later],
                _(
                    "Checkouts that reached this step, whenever it was, divided by those that reached the one before. "
                    "Excludes: checkouts of staff."
                ),
                Total("journeys", (later,)),
                Total("journeys", (earlier,)),
                Unit.SHARE,
                STARTED,
                OF_JOURNEYS,
                "up",
            )
            for earlier, later in pairwise(STEPS)
        ),
        Metric(
            "checkout_rate",
            _("Checkouts that became orders"),
            _(
                "Checkouts whose order was placed, whenever it was, divided by all with an item in the cart. "
                "Excludes: checkouts of staff, and orders that were placed before checkouts were recorded."
            ),
            Total("journeys", ("placed",)),
            Total("journeys", ("started",)),
            Unit.SHARE,
            STARTED,
            OF_JOURNEYS,
            "up",
        ),
        Metric(
            "abandoned_carts",
            _("Abandoned checkouts"),
            _(
                "Checkouts with an item in the cart that became no order and in which nothing has happened for an "
                "hour. Excludes: checkouts of staff."
            ),
            Total("journeys", ("abandoned",)),
            None,
            Unit.COUNT,
            STARTED,
            OF_JOURNEYS,
            "down",
        ),
        Metric(
            "abandoned_value",
            _("Value of an abandoned checkout"),
            _(
                "What was in the carts of abandoned checkouts, at the prices that the buyers saw last and without tax "
                "and delivery, divided by their number. Excludes: checkouts of staff, and those of which this is not "
                "known."
            ),
            Total("journeys", ("abandoned_minor",)),
            Total("journeys", ("abandoned_valued",)),
            Unit.MONEY,
            STARTED,
            OF_JOURNEYS,
            "down",
            is_per_currency=True,
        ),
        Metric(
            "recovered_carts",
            _("Recovered checkouts"),
            _(
                "Checkouts that became orders although nothing had happened in them for an hour before. Excludes: "
                "checkouts of staff."
            ),
            Total("journeys", ("recovered",)),
            None,
            Unit.COUNT,
            STARTED,
            OF_JOURNEYS,
            "up",
        ),
        Metric(
            "problems",
            _("Problems of checkouts"),
            _("How often something kept a buyer from going on. Excludes: what happened to staff."),
            Total("problems", ("problems",)),
            None,
            Unit.COUNT,
            _("day on which it happened"),
            ("channel", "step", "kind", "code"),
            "down",
        ),
        Metric(
            "problems_rate",
            _("Problems per 1,000 checkouts"),
            _(
                "How often something kept a buyer from going on, for each 1,000 checkouts that were started in the "
                "same time, whatever step, kind or code the problems are divided by. Excludes: what happened to staff."
            ),
            Total("problems", ("problems",)),
            Total("journeys", ("started",)),
            Unit.PER_THOUSAND,
            OWN_DAY,
            ("channel", "step", "kind", "code"),
            "down",
        ),
    )
}
