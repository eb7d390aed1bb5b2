"""The frame of the staff's desk: navigation with what waits, and the start page."""

from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

from django.conf import settings
from django.db.models import Count, Q, QuerySet, Sum, Value
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone

from artisans.core.admin import list_of
from artisans.core.money import Money
from artisans.core.templatetags.money import show
from artisans.notifications.admin import mails_stuck
from artisans.notifications.models import Notification
from orders.models import Order
from payments.admin.filters import TO_RETURN
from payments.models import Payment, Receipt, WebhookEvent
from payments.selectors import awaiting_decision, webhooks_for_people


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
        return ["Demo", "warning"]
    return ["Debug", "danger"] if settings.DEBUG else None


def waiting(request: HttpRequest) -> dict[str, int]:
    """What waits for somebody, counted once per request; only what this person may see."""
    if not hasattr(request, "_waiting"):
        user = request.user
        counts = {"decision": 0, "return": 0, "today": 0, "mail": 0, "message": 0}
        lists: dict[str, QuerySet[Any]] = {}
        if user.has_perm("payments.view_payment"):
            lists["decision"] = awaiting_decision()
        if user.has_perm("payments.view_webhookevent"):
            lists["message"] = webhooks_for_people()
        if user.has_perm("orders.view_order"):
            today = Count("pk", filter=Q(created_at__gte=midnight()))
            counts |= Order.objects.aggregate(**{"return": Count("pk", filter=TO_RETURN), "today": today})
        if user.has_perm("notifications.view_notification"):
            lists["mail"] = mails_stuck()
        counts |= counts_of(lists)
        request._waiting = counts  # type: ignore[attr-defined]
    return request._waiting  # type: ignore[attr-defined, no-any-return]


def counts_of(lists: dict[str, QuerySet[Any]]) -> dict[str, int]:
    """How many rows each has, in one statement."""
    parts = [
        rows.order_by()
        .annotate(what=Value(name))
        .values("what")
        .annotate(n=Count("pk"))
        .values_list("what", "n")
        for name, rows in lists.items()
    ]
    return dict(parts[0].union(*parts[1:], all=True)) if parts else {}


def midnight() -> datetime:
    return timezone.make_aware(datetime.combine(timezone.localdate(), time.min))


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    counts = waiting(request)
    groups = {
        "Money": [
            link(
                request,
                "Needs a decision",
                "inbox",
                "payments.payment",
                "needs=decision",
                badge=counts["decision"],
            ),
            link(request, "Money to return", "undo", "orders.order", "needs=return", badge=counts["return"]),
            link(request, "Payments", "payments", "payments.payment"),
            link(request, "Money received", "account_balance", "payments.receipt"),
            link(request, "Money returned", "currency_exchange", "payments.paymentrefund"),
            link(request, "Webhooks", "webhook", "payments.webhookevent", badge=counts["message"]),
        ],
        "Orders": [
            link(request, "Orders", "receipt_long", "orders.order"),
            link(request, "Parcels", "package_2", "orders.parcel"),
            link(request, "Carts", "shopping_cart", "carts.cart"),
            link(request, "Mails", "mail", "notifications.notification", badge=counts["mail"]),
        ],
        "Catalogue": [
            link(request, "Products", "styler", "catalog.product"),
            link(request, "Artisans", "storefront", "catalog.artisan"),
            link(request, "Categories", "category", "catalog.category"),
            link(request, "Stock moves", "inventory_2", "catalog.stockmove"),
        ],
        "House": [
            link(request, "Store rules", "tune", "orders.storerules"),
            link(request, "People", "group", "accounts.user"),
            link(request, "Jobs", "badge", "auth.group"),
            link(request, "Addresses", "alternate_email", "account.emailaddress"),
            link(request, "Audit trail", "history_edu", "audit.auditentry"),
        ],
    }
    home = {
        "title": "Today",
        "icon": "home",
        "link": reverse("admin:index"),
        "active": is_at(request, "admin:index"),
    }
    return [{"items": [home]}] + [{"title": title, "items": items} for title, items in groups.items()]


def link(
    request: HttpRequest, title: str, icon: str, model: str, query: str = "", *, badge: int = 0
) -> dict[str, Any]:
    app, _, name = model.partition(".")
    address = reverse(f"admin:{app}_{name}_changelist")
    here = request.path.startswith(address) and request.GET.get("needs") == (query.partition("=")[2] or None)
    return {
        "title": title,
        "icon": icon,
        "link": f"{address}?{query}" if query else address,
        "active": here,
        "badge": str(badge) if badge else "",
        "badge_variant": "warning",
        "permission": lambda request: request.user.has_perm(f"{app}.view_{name}"),
    }


def is_at(request: HttpRequest, name: str) -> bool:
    return request.path == reverse(name)


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """The figures of the start page; each leads to the list it counts."""
    user, counts = request.user, waiting(request)
    since_today = f"created_at_from={timezone.localdate()}"
    tiles = []
    if user.has_perm("payments.view_payment"):
        n = counts["decision"]
        text = "payments by hand wait for you" if n else "nobody waits"
        tiles.append(
            Tile("Needs a decision", str(n), text, list_of(Payment, "needs=decision"), is_urgent=n > 0)
        )
    if user.has_perm("orders.view_order"):
        n = counts["return"]
        text = "orders hold money of the buyer" if n else "nothing is owed"
        tiles.append(Tile("Money to return", str(n), text, list_of(Order, "needs=return"), is_urgent=n > 0))
    if user.has_perm("notifications.view_notification"):
        n = counts["mail"]
        text = "should be out by now" if n else "all are on their way"
        tiles.append(
            Tile("Mails not sent", str(n), text, list_of(Notification, "delivery=stuck"), is_urgent=n > 0)
        )
    if user.has_perm("payments.view_webhookevent"):
        n = counts["message"]
        text = "messages of providers need a person" if n else "all are processed"
        address = list_of(WebhookEvent, "state__in=staff,dead")
        tiles.append(Tile("Webhooks", str(n), text, address, is_urgent=n > 0))
    if user.has_perm("orders.view_order"):
        text = "placed since midnight"
        tiles.append(Tile("Orders today", str(counts["today"]), text, list_of(Order, since_today)))
    if user.has_perm("payments.view_receipt"):
        tiles.append(received_tile(since_today))
    return context | {"tiles": tiles, "title": "Today"}


def received_tile(query: str) -> Tile:
    """One figure per currency."""
    sums = Receipt.objects.filter(created_at__gte=midnight()).order_by("currency").values_list("currency")
    amounts = [show(Money(minor, currency)) for currency, minor in sums.annotate(Sum("amount_minor"))]
    figure = ", ".join(amounts) or "0"
    return Tile("Received today", figure, "recorded by hand since midnight", list_of(Receipt, query))
