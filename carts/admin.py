from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery, Sum
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline

from artisans.accounts.admin import USER_TEXT
from artisans.accounts.models import User
from artisans.core.admin.filters import DayRangeFilter
from artisans.core.admin.pages import GOOD, WAIT, FileValue, ReadOnlyAdmin, column, when
from artisans.core.admin.search import containing
from artisans.core.file_columns import Kind
from artisans.core.templatetags.money import show
from carts.models import Cart, CartItem, CartStatus


class ItemInline(TabularInline):
    model = CartItem
    fields = readonly_fields = ("product", "quantity", "price")
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("carts.view_cart")

    def get_queryset(self, request: HttpRequest) -> QuerySet[CartItem]:
        queryset: QuerySet[CartItem] = super().get_queryset(request)
        return queryset.select_related("product")

    @column(_("Last shown price"))
    def price(self, item: CartItem) -> str:
        return show(item.seen_price)


@admin.register(Cart)
class CartAdmin(ReadOnlyAdmin):
    """Carts, for customer support. Checkout data entered so far is personal and not shown."""

    list_display = ("short", "owner", "state", "units", "created", "updated")
    list_filter = ("status", ("updated_at", DayRangeFilter))
    list_filter_submit = True
    list_select_related = ("user",)
    search_fields = ("user__email",)  # shows the box; `get_search_results` searches
    search_help_text = _("Part of the owner’s email address")
    ordering = ("-created_at",)
    fields = ("owner", "status", "currency", "order", "created_at", "updated_at")
    inlines = (ItemInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Cart]:
        queryset: QuerySet[Cart] = super().get_queryset(request)
        items = CartItem.objects.filter(cart=OuterRef("pk")).order_by().values("cart")
        return queryset.annotate(sum=Subquery(items.annotate(sum=Sum("quantity")).values("sum")))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Cart], search_term: str
    ) -> tuple[QuerySet[Cart], bool]:
        if not search_term.strip():
            return queryset, False
        owners = containing(User.objects.order_by(), USER_TEXT, search_term)
        return queryset.filter(user__in=owners.values("pk")), False

    @column(_("Cart"), file=())
    def short(self, cart: Cart) -> str:
        return f"…{str(cart.pk)[-6:]}"

    @column(_("Owner"), ordering="user__email")
    def owner(self, cart: Cart) -> str:
        return cart.user.email if cart.user else gettext("Guest")

    @column(_("Status"), ordering="status", label={CartStatus.OPEN: WAIT, CartStatus.ORDERED: GOOD})
    def state(self, cart: Cart) -> tuple[str, str]:
        return cart.status, cart.get_status_display()

    @column(_("Last updated"), ordering="updated_at", file="updated_at")
    def updated(self, cart: Cart) -> str:
        return when(cart.updated_at)

    @column(_("Items"), file=FileValue(lambda cart: cart.sum or 0, Kind.NUMBER))
    def units(self, cart: Any) -> int:
        return cart.sum or 0
