"""The admin's navigation, with counts of pending work, and its start page."""

from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.db.models import Count, Model, QuerySet, Value
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext_lazy
from django.utils.translation import gettext_lazy as _

from artisans.accounts.principals import require_user
from artisans.approvals.selectors import approvals_to_decide
from artisans.catalog.models import Application
from artisans.catalog.selectors import applications_to_decide
from artisans.core.admin.filters import midnight
from artisans.core.admin.pages import admin_list_url
from artisans.core.templatetags.money import show
from artisans.core.test_mode import is_test_mode
from artisans.figures.admin import page_address
from artisans.figures.board import tiles_today
from artisans.figures.pages import PAGES, Page, find_page
from artisans.figures.roles import VIEW_METRICS
from artisans.notifications.admin import stuck_mails
from artisans.notifications.models import Notification
from artisans.tax_ids.models import TaxId
from artisans.tax_ids.selectors import tax_ids_to_decide
from orders.models import Order
from payments.admin.filters import REFUND_DUE
from payments.models import Payment, PaymentFlag, PaymentRefund, ProviderAlert, WebhookEvent
from payments.selectors import (
    alerts_open,
    amounts_received_since,
    flags_open,
    payments_awaiting_decision,
    reconciliation_runs_to_review,
    refunds_to_decide,
    webhooks_for_staff,
)


@dataclass(frozen=True, slots=True)
class Tile:
    name: str
    figure: str
    text: str
    address: str
    is_urgent: bool = False


def stylesheet(request: HttpRequest) -> str:
    return static("css/admin.css")


def favicon(request: HttpRequest) -> str:
    return static("img/favicon.svg")


def environment(request: HttpRequest) -> list[str] | None:
    if settings.DEMO:
        return [gettext("Demo"), "warning"]
    return [gettext("Debug"), "danger"] if settings.DEBUG else None


def waiting(request: HttpRequest) -> dict[str, int]:
    """Counts of pending work that this user may see, made once per request; for the start page also today's orders."""
    if not hasattr(request, "_waiting"):
        user = request.user
        lists: dict[str, tuple[str, QuerySet[Any]]] = {
            "decision": ("payments.view_payment", payments_awaiting_decision()),
            "review": ("payments.view_paymentflag", flags_open()),
            "decide": ("payments.view_paymentrefund", refunds_to_decide()),
            "message": ("payments.view_webhookevent", webhooks_for_staff()),
            "differ": ("payments.view_reconciliationrun", reconciliation_runs_to_review()),
            "alert": ("payments.view_provideralert", alerts_open()),
            "mail": ("notifications.view_notification", stuck_mails()),
            "approve": ("approvals.view_approvalrequest", approvals_to_decide(require_user(request))),
            "apply": ("catalog.view_application", applications_to_decide()),
            "tax_ids": ("tax_ids.view_taxid", tax_ids_to_decide()),
            "return": ("orders.view_order", Order.objects.filter(REFUND_DUE)),
        }
        if is_at(request, "admin:index"):
            lists["today"] = ("orders.view_order", Order.objects.filter(created_at__gte=midnight()))
        counts = dict.fromkeys(lists, 0)
        counts |= counted({name: rows for name, (right, rows) in lists.items() if user.has_perm(right)})
        request._waiting = counts  # type: ignore[attr-defined]
    return request._waiting  # type: ignore[attr-defined, no-any-return]


def counted(lists: dict[str, QuerySet[Any]]) -> dict[str, int]:
    """The length of each list, in a single query. Each list needs an index of just its rows: every page counts them."""
    ones = [
        rows.order_by()
        .annotate(list=Value(name))
        .values("list")
        .annotate(n=Count("pk"))
        .values_list("list", "n")
        for name, rows in lists.items()
    ]
    return dict(ones[0].union(*ones[1:], all=True)) if ones else {}


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    counts = waiting(request)
    groups = {
        gettext("Payments"): [
            link(
                request,
                gettext("Awaiting approval"),
                "inbox",
                "payments.payment",
                "needs=decision",
                badge=counts["decision"],
            ),
            link(
                request,
                gettext("Approval requests"),
                "how_to_reg",
                "approvals.approvalrequest",
                "status__exact=PENDING",
                badge=counts["approve"],
            ),
            link(
                request,
                gettext("Refunds due"),
                "undo",
                "orders.order",
                "needs=return",
                badge=counts["return"],
            ),
            link(
                request,
                gettext("Needs review"),
                "flag",
                "payments.paymentflag",
                "needs=review",
                badge=counts["review"],
            ),
            link(
                request,
                gettext("External refunds"),
                "gavel",
                "payments.paymentrefund",
                "needs=decision",
                badge=counts["decide"],
            ),
            link(request, gettext("All payments"), "payments", "payments.payment"),
            link(request, gettext("Attempts"), "credit_card", "payments.paymentattempt"),
            link(request, gettext("Disputes"), "report", "payments.dispute"),
            link(request, gettext("Fraud warnings"), "gpp_maybe", "payments.fraudwarning"),
            link(request, gettext("Transactions"), "swap_horiz", "payments.transaction"),
            link(request, gettext("Receipts"), "account_balance", "payments.receipt"),
            link(request, gettext("Cash deposits"), "savings", "payments.cashdeposit"),
            link(request, gettext("Refunds"), "currency_exchange", "payments.paymentrefund"),
            link(request, gettext("Webhooks"), "webhook", "payments.webhookevent", badge=counts["message"]),
            link(request, gettext("Refused webhooks"), "gpp_bad", "payments.webhookrefusal"),
            link(
                request,
                gettext("Reconciliation"),
                "balance",
                "payments.reconciliationrun",
                badge=counts["differ"],
            ),
            link(request, gettext("Provider movements"), "swap_vert", "payments.providermovement"),
            link(request, gettext("Provider requests"), "network_check", "payments.providerrequest"),
            link(
                request,
                gettext("Provider alerts"),
                "warning",
                "payments.provideralert",
                badge=counts["alert"],
            ),
        ],
        gettext("Figures"): [
            *(figures_link(request, page) for page in PAGES.values()),
            link(request, gettext("Checkouts"), "shopping_bag", "journeys.journey"),
            link(request, gettext("Problems of checkouts"), "error", "journeys.journeyproblem"),
        ],
        gettext("Ledger"): [
            link(request, gettext("Entries"), "list_alt", "ledger.ledgerentry"),
            link(request, gettext("Accounts"), "account_balance_wallet", "ledger.ledgeraccount"),
            link(request, gettext("Months"), "calendar_month", "ledger.ledgerperiod"),
            link(request, gettext("Holds"), "pause_circle", "earnings.hold"),
            link(request, gettext("Artisans in debt"), "money_off", "earnings.debt"),
            link(request, gettext("Payments of debts"), "payments", "earnings.settlement"),
        ],
        gettext("Orders"): [
            link(request, gettext("Orders"), "receipt_long", "orders.order"),
            link(request, gettext("Parcels"), "package_2", "orders.parcel"),
            link(request, gettext("Carts"), "shopping_cart", "carts.cart"),
            link(request, gettext("Emails"), "mail", "notifications.notification", badge=counts["mail"]),
        ],
        gettext("Catalog"): [
            link(request, gettext("Products"), "styler", "catalog.product"),
            link(request, gettext("Prices in other currencies"), "price_change", "catalog.productprice"),
            link(request, gettext("Artisans"), "storefront", "catalog.artisan"),
            link(
                request,
                gettext("Applications"),
                "person_add",
                "catalog.application",
                "status__exact=submitted",
                badge=counts["apply"],
            ),
            link(request, gettext("States of workshops"), "toggle_on", "catalog.artisanstatechange"),
            link(request, gettext("Terms for artisans"), "contract", "catalog.terms"),
            link(request, gettext("Acceptances of terms"), "task", "catalog.termsacceptance"),
            link(request, gettext("Categories"), "category", "catalog.category"),
            link(request, gettext("Stock movements"), "inventory_2", "catalog.stockmove"),
            link(request, gettext("Commission rates"), "percent", "catalog.commissionrate"),
        ],
        gettext("Settings"): [
            link(request, gettext("Store rules"), "tune", "orders.storerules"),
            link(request, gettext("Currencies"), "payments", "regions.shopcurrency"),
            link(request, gettext("Exchange rates"), "currency_exchange", "regions.ratesheet"),
            link(request, gettext("Tax zones"), "public", "regions.taxzone"),
            link(request, gettext("Tax rates"), "percent", "regions.taxrate"),
            link(request, gettext("Tax classes"), "label", "regions.taxclass"),
            link(
                request,
                gettext("VAT IDs"),
                "verified",
                "tax_ids.taxid",
                "status__exact=unavailable",
                badge=counts["tax_ids"],
            ),
            link(request, gettext("Shipping zones"), "map", "shipping.shippingzone"),
            link(request, gettext("Shipping methods"), "local_shipping", "shipping.shippingmethod"),
            link(request, gettext("Users"), "group", "accounts.user"),
            link(request, gettext("Staff roles"), "badge", "auth.group"),
            link(request, gettext("Email addresses"), "alternate_email", "account.emailaddress"),
            link(request, gettext("Personal data"), "privacy_tip", "privacy.erasure"),
            link(request, gettext("Locked records"), "lock", "privacy.lockedrecord"),
            link(request, gettext("Audit log"), "history_edu", "audit.auditentry"),
            link(request, gettext("Exports"), "download", "exports.export"),
            link(request, gettext("System"), "monitor_heart", "core.systemcheck"),
        ],
    }
    home = {
        "title": gettext("Home"),
        "icon": "home",
        "link": reverse("admin:index"),
        "active": is_at(request, "admin:index"),
    }
    return [{"items": [home]}] + [{"title": title, "items": items} for title, items in groups.items()]


def link(
    request: HttpRequest, title: str, icon: str, model: str, query: str = "", *, badge: int = 0
) -> dict[str, Any]:
    owner = admin.site.get_model_admin(apps.get_model(model))
    address = admin_list_url(owner.model)
    here = request.path.startswith(address) and request.GET.get("needs") == (query.partition("=")[2] or None)
    return {
        "title": title,
        "icon": icon,
        "link": f"{address}?{query}" if query else address,
        "active": here,
        "badge": str(badge) if badge else "",
        "badge_variant": "warning",
        "permission": lambda asked: owner.has_view_permission(asked),  # noqa: PLW0108  # the theme copies it
    }


def figures_link(request: HttpRequest, page: Page) -> dict[str, Any]:
    address = page_address(page.name)
    return {
        "title": str(page.title),
        "icon": page.icon,
        "link": address,
        "active": request.path == address,
        "permission": lambda request: request.user.has_perm(VIEW_METRICS),
    }


def is_at(request: HttpRequest, name: str) -> bool:
    return request.path == reverse(name)


@dataclass(frozen=True, slots=True)
class Queue:
    """A list of pending work: its name in `waiting`, the permission to see it, and the texts of its tile.

    `some` depends on the number `n` of rows; a tile without a text for `none` is shown only if there are some.
    """

    name: str
    right: str
    title: Promise
    some: Any  # a lazy text with "%"
    none: Promise | str
    model: type[Model]
    query: str


QUEUES = (
    Queue(
        "decision",
        "payments.view_payment",
        _("Awaiting approval"),
        ngettext_lazy("offline payment to approve or reject", "offline payments to approve or reject", "n"),
        _("no payments to approve"),
        Payment,
        "needs=decision",
    ),
    Queue(
        "return",
        "orders.view_order",
        _("Refunds due"),
        ngettext_lazy("order with a refund due", "orders with a refund due", "n"),
        _("no refunds due"),
        Order,
        "needs=return",
    ),
    Queue(
        "review",
        "payments.view_paymentflag",
        _("Needs review"),
        ngettext_lazy("flagged payment", "flagged payments", "n"),
        _("no flagged payments"),
        PaymentFlag,
        "needs=review",
    ),
    Queue(
        "decide",
        "payments.view_paymentrefund",
        _("External refunds"),
        _("made in a provider’s dashboard, to be reviewed"),
        "",
        PaymentRefund,
        "needs=decision",
    ),
    Queue(
        "apply",
        "catalog.view_application",
        _("Applications"),
        ngettext_lazy("application to sell", "applications to sell", "n"),
        "",
        Application,
        "status__exact=submitted",
    ),
    Queue(
        "tax_ids",
        "tax_ids.view_taxid",
        _("VAT IDs"),
        ngettext_lazy("VAT ID to decide on", "VAT IDs to decide on", "n"),
        "",
        TaxId,
        "status__exact=unavailable",
    ),
    Queue(
        "alert",
        "payments.view_provideralert",
        _("Provider alerts"),
        ngettext_lazy("open alert", "open alerts", "n"),
        "",
        ProviderAlert,
        "needs=failing",
    ),
    Queue(
        "mail",
        "notifications.view_notification",
        _("Undelivered emails"),
        _("overdue or failed"),
        _("no emails overdue or failed"),
        Notification,
        "delivery=stuck",
    ),
    Queue(
        "message",
        "payments.view_webhookevent",
        _("Webhooks"),
        ngettext_lazy("event failed, overdue or for staff", "events failed, overdue or for staff", "n"),
        _("no events failed or overdue"),
        WebhookEvent,
        "needs=attention",
    ),
)


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """The tiles of the start page; each links to the list it counts."""
    user, counts = request.user, waiting(request)
    since_today = f"created_at_from={timezone.localdate()}"
    tiles = [
        Tile(
            str(queue.title),
            str(n),
            str(queue.some % {"n": n} if n else queue.none),
            admin_list_url(queue.model, queue.query),
            is_urgent=n > 0,
        )
        for queue in QUEUES
        if user.has_perm(queue.right) and ((n := counts[queue.name]) or queue.none)
    ]
    if user.has_perm("orders.view_order"):
        text = gettext("placed since midnight")
        tiles.append(
            Tile(gettext("Orders today"), str(counts["today"]), text, admin_list_url(Order, since_today))
        )
    if user.has_perm("payments.view_payment"):
        tiles.append(received_tile())
    figures = tiles_today() if user.has_perm(VIEW_METRICS) else []
    return context | {
        "tiles": tiles,
        "figures": [(*tile, page_address(find_page(tile[0]).name)) for tile in figures],
        "is_test_money": is_test_mode(),
        "title": gettext("Home"),
    }


def received_tile() -> Tile:
    """One figure per currency."""
    amounts = amounts_received_since(midnight())
    return Tile(
        gettext("Received today"),
        ", ".join(show(amount) for amount in amounts) or "0",
        gettext("by all payment methods since midnight"),
        admin_list_url(Payment, "received=today"),
    )
