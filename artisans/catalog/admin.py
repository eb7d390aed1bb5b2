from collections.abc import Callable
from typing import Any, NamedTuple

from django import forms
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from artisans.accounts.models import User
from artisans.accounts.principals import require_user
from artisans.accounts.setting_admin import AuditedAdmin
from artisans.catalog.categories import TREE_ORDER, CategoryField, categories_lock, parent_refusal
from artisans.catalog.models import (
    Artisan,
    ArtisanInvitation,
    ArtisanMember,
    Category,
    CommissionRate,
    PictureState,
    Product,
    StockImport,
    StockMove,
)
from artisans.catalog.pictures import HINT, check_size, picture_add
from artisans.catalog.portraits import portrait_remove, portrait_set
from artisans.catalog.price_admin import ProductPriceAdmin  # noqa: F401  # registers itself
from artisans.catalog.product_rows import price_follow, variants_follow
from artisans.catalog.products import MAX_REASON, product_allow_sale, product_take_off_sale
from artisans.catalog.search import MAX_LENGTH, search
from artisans.catalog.selectors import in_state
from artisans.catalog.services import StockSnapshot, products_lock, stock_adjust, stock_snapshot
from artisans.catalog.statuses import ArtisanState
from artisans.core.admin.filters import DayRangeFilter
from artisans.core.admin.forms import FiguresForm, amount_text
from artisans.core.admin.pages import (
    BAD,
    GOOD,
    PLAIN,
    WAIT,
    WARN,
    EditAdmin,
    ReadOnlyAdmin,
    StrOrPromise,
    admin_list_url,
    admin_page_url,
    button_to,
    column,
    money,
    posted,
    when,
)
from artisans.core.admin.seen_forms import STALE, SeenForm
from artisans.core.errors import Conflict, InvalidInput
from artisans.core.forms import LineField
from artisans.core.templatetags.money import show
from artisans.regions.currencies import check_steps

RARE = 1000  # movements


class ArtisanPage(NamedTuple):
    """A page about an artisan, which theirs links for staff with its permission."""

    label: StrOrPromise
    permission: str
    address: Callable[[Artisan], str]


STATE_TONES = {
    ArtisanState.PENDING: WAIT,
    ArtisanState.ACTIVE: GOOD,
    ArtisanState.SUSPENDED: BAD,
    ArtisanState.CLOSING: WARN,
    ArtisanState.CLOSED: PLAIN,
}
ARTISAN_PAGES: list[ArtisanPage] = []  # apps above register theirs in `apps.py`


def count_field(label: StrOrPromise, **options: Any) -> forms.IntegerField:
    return forms.IntegerField(
        label=label, min_value=0, max_value=1_000_000, widget=UnfoldAdminIntegerFieldWidget, **options
    )


class ProductForm(FiguresForm):
    amounts = {"price": "price_minor"}

    price = amount_text(_("Price"), help_text=_("Before tax, such as 85.45."))
    category = CategoryField(Category.objects.all(), label=_("Category"), widget=UnfoldAdminSelectWidget)

    class Meta:
        model = Product
        # every other field is on the form
        exclude = ("price_minor", "stock", "picture", "picture_alt")

    def clean_price(self) -> str:
        price: str = self.cleaned_data["price"]
        if not price.strip("0. "):
            raise forms.ValidationError(gettext("Enter a price above zero."))
        return price

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        if "price" in self.changed_data and "price" not in self.errors:
            try:
                check_steps([self.instance.price])
            except InvalidInput as error:
                self.add_error("price", error.detail)
        return data


class NewProductForm(ProductForm):
    in_stock = count_field(
        _("In stock"),
        initial=0,
        help_text=_("Opening stock. To change it later, use “Count stock”."),
    )


class PictureForm(forms.Form):
    picture = forms.FileField(
        label=_("Picture"),
        help_text=HINT,
        widget=UnfoldAdminFileFieldWidget,
    )
    alt = LineField(
        label=_("What the picture shows"), max_length=200, required=False, widget=UnfoldAdminTextInputWidget
    )


class OffSaleForm(forms.Form):
    reason = LineField(
        label=_("Reason"),
        max_length=MAX_REASON,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("The artisan reads it."),
    )


class PortraitForm(forms.Form):
    portrait = forms.FileField(
        label=_("Portrait"),
        required=False,
        allow_empty_file=True,
        help_text=HINT,
        widget=UnfoldAdminFileFieldWidget,
    )


class CountForm(forms.Form):
    counted = count_field(
        _("Counted"),
        help_text=_("Items available for sale; items reserved by orders are already subtracted."),
    )
    reason = LineField(label=_("Reason"), max_length=200, widget=UnfoldAdminTextInputWidget)
    seen_stock = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    last_count_shown = forms.IntegerField(min_value=0, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if {"seen_stock", "last_count_shown"} & self.errors.keys():
            raise forms.ValidationError(STALE)
        return data

    def show_again(self, seen: StockSnapshot) -> None:
        """Keep the input and update what the page has shown."""
        self.data = dict(self.data.items()) | {"seen_stock": seen.stock, "last_count_shown": seen.last_count}


def count_message(product: Product, *, number: int, seen: StockSnapshot) -> str:
    """The result of a count, and other stock changes made while the page was open."""
    moved = product.stock - number  # the count itself changed `seen` to `number`
    result = ngettext(
        "%(stock)d unit of %(product)s is now available.",
        "%(stock)d units of %(product)s are now available.",
        product.stock,
    ) % {"stock": product.stock, "product": product.name}
    if not moved:
        return result
    happened = (
        ngettext(
            "%(n)d unit was sold after you opened this page.",
            "%(n)d units were sold after you opened this page.",
            -moved,
        )
        if moved < 0
        else ngettext(
            "%(n)d unit was restocked after you opened this page.",
            "%(n)d units were restocked after you opened this page.",
            moved,
        )
    ) % {"n": abs(moved)}
    applied = gettext("Your count of %(number)d was compared with the %(seen)d shown to you.")
    return f"{happened} {applied % {'number': number, 'seen': seen.stock}} {result}"


def thumbnail(picture: Any, css: str) -> SafeString | str:
    return format_html('<img src="{}" alt="" class="{}">', picture.url, css) if picture else "–"


def pages_for(user: User) -> list[ArtisanPage]:
    return [page for page in ARTISAN_PAGES if user.has_perm(page.permission)]


class StateFilter(admin.SimpleListFilter):
    title = _("status")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(ArtisanState.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Artisan]) -> QuerySet[Artisan]:
        asked = self.value() or ""
        return in_state(queryset, ArtisanState(asked)) if asked in ArtisanState.values else queryset


@admin.register(Artisan)
class ArtisanAdmin(AuditedAdmin):
    pages = {"portrait": "catalog.change_artisan"}
    everyday_pages = frozenset({"portrait"})
    saving_needs_fresh_sign_in = True
    list_display = ("name", "craft", "town", "email", "state_shown")
    list_filter = (StateFilter,)
    search_fields = ("name", "email")
    prepopulated_fields = {"slug": ("name",)}
    autocomplete_fields = ("user",)
    readonly_fields = ("state_shown", "portrait_shown", "pages_shown")
    fieldsets: Any = (
        (None, {"fields": ("name", "slug", "user", "email", "state_shown", "fee_tax_treatment")}),
        (_("Shop page"), {"fields": ("craft", "town", "story", "portrait_shown")}),
    )

    def get_fieldsets(self, request: HttpRequest, obj: Artisan | None = None) -> Any:
        if obj is None or not pages_for(require_user(request)):
            return self.fieldsets
        return (*self.fieldsets, (_("More about this artisan"), {"fields": ("pages_shown",)}))

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """With the `pages` about this artisan that the user may open."""
        artisan: Any = super().get_object(request, object_id, from_field)
        if artisan is not None:
            artisan.pages = pages_for(require_user(request))
        return artisan

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A new artisan's email address receives orders."""
        may_grant = request.user.has_perm("catalog.change_artisan_access")
        return may_grant and bool(super().has_add_permission(request))

    def has_delete_permission(self, request: HttpRequest, obj: Artisan | None = None) -> bool:
        return False  # orders refer to them; close them instead

    @column(_("Status"), label=STATE_TONES)
    def state_shown(self, artisan: Artisan) -> tuple[str, str]:
        return artisan.state, str(artisan.state.label)

    @column(_("Rates"))
    def rates(self, artisan: Artisan) -> SafeString | str:
        if artisan._state.adding:
            return gettext("Those of the store apply until you add some for this artisan.")
        rates = admin_list_url(CommissionRate, f"artisan__id__exact={artisan.pk}")
        return format_html('<a class="aa-link" href="{}">{}</a>', rates, gettext("Commission rates"))

    @column(_("Pages"))
    def pages_shown(self, artisan: Artisan) -> SafeString:
        buttons = ((button_to(page.address(artisan), str(page.label)),) for page in artisan.pages)  # type: ignore[attr-defined]  # of get_object
        return format_html_join(" ", "{}", buttons)

    @column(_("Portrait"))
    def portrait_shown(self, artisan: Artisan) -> SafeString | str:
        if artisan._state.adding:
            return gettext("Save the artisan first.")
        button = button_to(admin_page_url(artisan, "portrait"), gettext("Change the portrait"))
        return format_html("{} {}", thumbnail(artisan.portrait, "aa-picture"), button)

    def portrait_page(self, request: HttpRequest, artisan: Artisan) -> HttpResponse:
        shown = artisan.portrait
        form = PortraitForm(posted(request), request.FILES or None, initial={"portrait": shown})

        def change(data: dict[str, Any]) -> str:
            upload, actor = data["portrait"], require_user(request)
            if upload is False:
                portrait_remove(artisan=artisan, actor=actor)
                return gettext("The portrait was removed.")
            if upload is shown or not upload:
                raise InvalidInput(gettext("Choose a file first."))
            portrait_set(artisan=artisan, file=upload, actor=actor)
            return gettext("The portrait was changed.")

        return self.run_action(request, "admin/catalog/artisan/portrait.html", artisan, form, change)


@admin.register(ArtisanMember)
class ArtisanMemberAdmin(ReadOnlyAdmin):
    """Who acts for workshops beside their first owners."""

    list_display = ("artisan", "user", "role", "time")
    list_filter = ("role", ("created_at", DayRangeFilter))
    list_filter_submit = True
    list_select_related = ("artisan", "user")
    search_fields = ("artisan__name", "user__email")
    search_help_text = _("Artisan or email address")

    @column(_("Date"), ordering="created_at", file="created_at")
    def time(self, member: ArtisanMember) -> str:
        return when(member.created_at)


@admin.register(ArtisanInvitation)
class ArtisanInvitationAdmin(ReadOnlyAdmin):
    """Invitations that are neither accepted nor withdrawn."""

    list_display = ("artisan", "email", "role", "time")
    list_filter = ("role", ("sent_at", DayRangeFilter))
    list_filter_submit = True
    list_select_related = ("artisan",)
    search_fields = ("artisan__name", "email")
    search_help_text = _("Artisan or email address")

    @column(_("Date"), ordering="sent_at", file="sent_at")
    def time(self, invitation: ArtisanInvitation) -> str:
        return when(invitation.sent_at)


class CategoryForm(SeenForm):
    parent = CategoryField(
        Category.objects.all(),
        label=_("Part of"),
        required=False,
        empty_label=_("None: it is a main category"),
        widget=UnfoldAdminSelectWidget,
        help_text=_("The page of that category then shows the products of this one too."),
    )

    class Meta:
        model = Category
        fields = ("name", "slug", "parent", "position")

    def clean(self) -> dict[str, Any]:
        """Within the transaction that saves, so that two changes together make no circle."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if parent := data.get("parent"):
            refusal = parent_refusal(categories_lock(), self.instance, parent)
            if refusal:
                self.add_error("parent", refusal)
        return data


@admin.register(Category)
class CategoryAdmin(EditAdmin):
    form = CategoryForm
    list_display = ("path_shown", "slug", "position")
    list_select_related = ("parent__parent",)
    search_fields = ("name", "slug")
    search_help_text = _("Name or slug")
    prepopulated_fields = {"slug": ("name",)}

    def get_ordering(self, request: HttpRequest) -> Any:
        return TREE_ORDER

    @column(_("Category"))
    def path_shown(self, category: Category) -> str:
        return category.path


@admin.register(Product)
class ProductAdmin(AuditedAdmin):
    pages = dict.fromkeys(("count", "pictures", "off-sale", "allow-sale"), "catalog.change_product")
    everyday_pages = frozenset({"count", "pictures", "off-sale", "allow-sale"})
    form = ProductForm
    list_display = ("thumb", "name", "artisan", "category", "price_shown", "stock", "is_active")
    list_display_links = ("name",)
    list_filter = ("is_active", "category", ("artisan", RelatedDropdownFilter))
    list_select_related = ("artisan", "category")
    search_fields = ("name", "slug")  # shows the box; `get_search_results` searches
    search_help_text = _(
        "Words of the name, materials, category, artisan or description; or the start of the slug"
    )
    prepopulated_fields = {"slug": ("name",)}
    autocomplete_fields = ("artisan",)
    readonly_fields = ("pictures_shown", "price_shown", "stock_shown", "variants_shown", "sale_shown")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Product], search_term: str
    ) -> tuple[QuerySet[Product], bool]:
        """The shop's search, also of products that are not on sale; the list keeps its own order."""
        term = search_term.strip()
        if not term:
            return queryset, False
        result = search(queryset, term)
        if len(term) > MAX_LENGTH:
            text = gettext("Only the first %(count)d characters were searched.") % {"count": MAX_LENGTH}
            self.message_user(request, text, messages.WARNING)
        found = Q(pk__in=result.products.order_by().values("pk")) | Q(slug__startswith=term)
        return queryset.filter(found), False

    def get_form(self, request: HttpRequest, obj: Product | None = None, **kwargs: Any) -> Any:
        return super().get_form(request, obj, **kwargs | ({} if obj else {"form": NewProductForm}))

    def get_fieldsets(self, request: HttpRequest, obj: Product | None = None) -> Any:
        return (
            (
                None,
                {
                    "fields": (
                        *("name", "slug", "artisan", "category", "is_active"),
                        *(("sale_shown",) if obj and not obj.parent_id else ()),
                    )
                },
            ),
            (
                _("Price and stock"),
                {
                    "fields": (
                        "price_shown" if obj and obj.needs_choice else "price",
                        "currency",
                        "sku",
                        "lead_days",
                        "weight_g",
                        "tax_class",
                        "stock_shown" if obj else "in_stock",
                    )
                },
            ),
            *([(_("Variants"), {"fields": ("variants_shown",)})] if obj and obj.option_1 else ()),
            (_("Description"), {"fields": ("description", "materials", "dimensions", "care")}),
            (_("Pictures"), {"fields": ("pictures_shown",)}),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Product | None = None) -> Any:
        """A variant has most from its product, whose price is the lowest of its variants. Their prices are in the
        product's currency: it stays, or 20.00 dollars would become 2000 yen. Only its artisan puts an archived
        product on sale again."""
        fixed: tuple[str, ...] = ()
        if obj and obj.parent_id:
            fixed = (
                "name",
                "artisan",
                "category",
                "currency",
                "lead_days",
                "weight_g",
                "tax_class",
                "is_active",
            )
        elif obj and obj.option_1:
            fixed = ("artisan", "price", "currency")
        if obj and (obj.archived_at or obj.off_sale_reason) and "is_active" not in fixed:
            fixed = (*fixed, "is_active")
        return (*super().get_readonly_fields(request, obj), *fixed)

    def get_prepopulated_fields(self, request: HttpRequest, obj: Product | None = None) -> Any:
        return {} if obj and obj.parent_id else super().get_prepopulated_fields(request, obj)

    def save_model(self, request: HttpRequest, obj: Product, form: Any, change: bool) -> None:  # noqa: FBT001  # Django's signature
        super().save_model(request, obj, form, change)
        if obj.needs_choice:
            variants_follow(obj, obj.variants.all())
        if obj.parent:
            price_follow(obj.parent, obj.parent.variants.all())
        if not change and form.cleaned_data["in_stock"]:
            counted = form.cleaned_data["in_stock"]
            stock_adjust(
                product_id=obj.pk, counted=counted, reason="first stock", actor=require_user(request)
            )

    def lock(self, obj: Product) -> None:
        """Take the same lock as orders do, of the whole product with its variants."""
        whole = obj.parent_id or obj.pk
        family = Product.objects.filter(Q(pk=whole) | Q(parent=whole))
        products_lock(family.values_list("pk", flat=True))
        obj.refresh_from_db()

    def has_delete_permission(self, request: HttpRequest, obj: Product | None = None) -> bool:
        return False  # orders refer to it; deactivate it instead

    @column("", file=())
    def thumb(self, product: Product) -> SafeString | str:
        return thumbnail(product.picture, "aa-thumb")

    @column(_("Pictures"))
    def pictures_shown(self, product: Product) -> SafeString | str:
        if product._state.adding:
            return gettext("Save the product first.")
        ready = product.pictures.filter(state=PictureState.READY)
        thumbs = ((thumbnail(picture.small, "aa-thumb"),) for picture in ready)
        button = button_to(admin_page_url(product, "pictures"), gettext("Add a picture"))
        return format_html("{} {}", format_html_join(" ", "{}", thumbs), button)

    @column(_("Pages"))
    def variants_shown(self, product: Product) -> SafeString:
        rows = [product.parent] if product.parent else product.variants.all()
        links = ((admin_page_url(row), row.name) for row in rows)
        return format_html_join(", ", '<a class="aa-link" href="{}">{}</a>', links)

    @column(_("Sale"))
    def sale_shown(self, product: Product) -> SafeString:
        if product.off_sale_reason:
            allow = button_to(admin_page_url(product, "allow-sale"), gettext("Allow the sale again"))
            text = gettext("Taken off sale by the shop: %(reason)s") % {"reason": product.off_sale_reason}
            return format_html("{} {}", text, allow)
        return button_to(admin_page_url(product, "off-sale"), gettext("Take off sale"))

    def off_sale_page(self, request: HttpRequest, product: Product) -> HttpResponse:
        form = OffSaleForm(posted(request), initial={"reason": product.off_sale_reason})

        def take_off(data: dict[str, Any]) -> str:
            actor = require_user(request)
            product_take_off_sale(artisan=product.artisan, product_id=product.pk, actor=actor, **data)
            return gettext("Taken off sale. The artisan reads the reason on the product’s page.")

        return self.run_action(request, "admin/catalog/product/off_sale.html", product, form, take_off)

    def allow_sale_page(self, request: HttpRequest, product: Product) -> HttpResponse:
        def allow(data: dict[str, Any]) -> str:
            product_allow_sale(artisan=product.artisan, product_id=product.pk, actor=require_user(request))
            return gettext("The artisan can publish it again.")

        form = forms.Form(posted(request))
        return self.run_action(request, "admin/catalog/product/allow_sale.html", product, form, allow)

    @column(_("Price"), ordering="price_minor", file=money("price"))
    def price_shown(self, product: Product) -> str:
        return show(product.price)

    @column(_("In stock"), file="stock")
    def stock_shown(self, product: Product) -> SafeString:
        count = admin_page_url(product, "count")
        return format_html("{} {}", product.stock, button_to(count, gettext("Count stock")))

    def count_page(self, request: HttpRequest, product: Product) -> HttpResponse:
        seen = stock_snapshot(product.pk)
        form = CountForm(
            posted(request),
            initial={"counted": seen.stock, "seen_stock": seen.stock, "last_count_shown": seen.last_count},
        )

        def count(data: dict[str, Any]) -> str:
            shown = StockSnapshot(data.pop("seen_stock"), data.pop("last_count_shown"))
            try:
                counted = stock_adjust(product_id=product.pk, seen=shown, actor=require_user(request), **data)
            except Conflict:
                form.show_again(seen)
                raise
            return count_message(counted, number=data["counted"], seen=shown)

        moves = product.stock_moves.all()[:10]
        context = {"product": product, "stock": seen.stock, "moves": moves}
        return self.run_action(request, "admin/catalog/product/count.html", product, form, count, **context)

    def pictures_page(self, request: HttpRequest, product: Product) -> HttpResponse:
        form = PictureForm(posted(request), request.FILES or None)

        def add(data: dict[str, Any]) -> str:
            upload, actor = data["picture"], require_user(request)
            check_size(upload.size)
            picture_add(
                product_id=product.pk, content=upload.read(), name=upload.name, alt=data["alt"], actor=actor
            )
            return gettext("The picture was uploaded. It is shown once it has been prepared, in a moment.")

        context = {"product": product, "pictures": product.pictures.order_by("position")}
        return self.run_action(request, "admin/catalog/product/pictures.html", product, form, add, **context)


@admin.register(StockMove)
class StockMoveAdmin(ReadOnlyAdmin):
    list_display = ("time", "product", "quantity_shown", "kind", "reason")
    list_filter = ("kind", ("at", DayRangeFilter))
    list_filter_submit = True
    list_select_related = ("product",)
    search_fields = ("reason",)  # shows the box; `get_search_results` searches
    search_help_text = _("Part of the product name, or start of the reason")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[StockMove], search_term: str
    ) -> tuple[QuerySet[StockMove], bool]:
        """Products are few, so that their names need no index; their movements have one. Rare reasons are looked up by
        the index of reasons, and common ones are met soon from the newest movement on."""
        term = search_term.strip()
        if not term:
            return queryset, False
        products = list(Product.objects.filter(name__icontains=term).values_list("pk", flat=True))
        by_reason = Q(reason__istartswith=term)
        rare = list(StockMove.objects.filter(by_reason).order_by().values_list("pk", flat=True)[: RARE + 1])
        if len(rare) <= RARE:
            by_reason = Q(pk__in=rare)
        return queryset.filter(Q(product__in=products) | by_reason), False

    @column(_("Date"), ordering="at", file="at")
    def time(self, move: StockMove) -> str:
        return when(move.at)

    @column(_("Quantity"), ordering="quantity", file="quantity")
    def quantity_shown(self, move: StockMove) -> str:
        return f"{move.quantity:+d}"


@admin.register(StockImport)
class StockImportAdmin(ReadOnlyAdmin):
    """Files of counts that artisans uploaded."""

    list_display = ("time", "artisan", "file_name", "cause", "made_by", "started_at", "finished_at")
    list_filter = ("cause", ("created_at", DayRangeFilter))
    list_filter_submit = True
    list_select_related = ("artisan", "made_by")
    search_fields = ("artisan__name",)
    search_help_text = _("Artisan")

    @column(_("Date"), ordering="created_at", file="created_at")
    def time(self, made: StockImport) -> str:
        return when(made.created_at)
