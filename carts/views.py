"""Pages of the cart and the checkout. Every step is a form that works without JavaScript."""

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property, wraps
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from artisans.accounts.principals import Principal
from artisans.accounts.services import country_keep, currency_keep
from artisans.core.errors import DomainError, NotFound
from artisans.core.models import get_or_none
from artisans.core.money import Money
from artisans.core.security.client_ip import client_line, network_hash
from artisans.core.security.rate_limits import RateLimited, consume
from artisans.core.security.tokens import hash_secret, read_order_token
from artisans.core.templatetags.money import show
from artisans.core.validators import is_email
from artisans.journeys.models import ProblemKind, Step
from artisans.journeys.services import journey_problems_add
from artisans.regions.choice import chosen_country, chosen_currency, keep_country, keep_currency
from artisans.regions.currencies import offered_currencies
from artisans.regions.errors import CurrencyNotOffered
from carts import journeys
from carts.checkout import Assertions, Checkout, cart_checkout
from carts.cookies import cookie_hash, keep_token, page_principal
from carts.delivery import group_choices
from carts.errors import CartClosed
from carts.fingerprint import changed_parts, page_fingerprint, quote_fingerprint
from carts.forms import CountryForm, DeliveryForm, DetailsForm, PlaceForm
from carts.models import Cart, CartStatus
from carts.selectors import (
    CartSummary,
    carts_visible_to,
    drafted_methods,
    items_of,
    open_cart,
    problems_of,
    summarize,
)
from carts.services import (
    FilledCart,
    cart_accept,
    cart_currency_set,
    cart_draft_save,
    cart_item_set,
    cart_items_add,
    cart_open,
)
from carts.vat_ids import vat_id_use
from orders.address_rules import address_errors
from orders.addresses import address_lines, address_read
from orders.errors import CheckoutBlocked, QuoteChanged, ShopNotOpen
from orders.holds import TooManyOpenOrders
from orders.models import Order
from orders.quoting import served_countries
from orders.selectors import is_known_account, last_addressed_order, store_rules
from orders.services.placing import Buyer
from payments.lifecycle.offer import MethodChoice, method_choices
from payments.methods import PaymentMethod
from payments.web.csp import may_lead_to_provider
from payments.web.forms import PaymentForm
from payments.web.provider_pages import pay_with_saved, redirect_after_order
from payments.web.saved_choices import preselected, saved_id_of, with_saved

STEPS = (
    ("details", gettext_lazy("Details")),
    ("delivery", gettext_lazy("Delivery")),
    ("payment", gettext_lazy("Payment")),
    ("check", gettext_lazy("Review and pay")),
)
ADDRESS = ("name", "line1", "line2", "city", "region", "postal_code", "country")
CHANGES = {
    "items": gettext_lazy("The items in your cart have changed since this page was shown."),
    "amounts": gettext_lazy("The prices, tax or delivery charge have changed since this page was shown."),
    "names": gettext_lazy("The description of an item has changed since this page was shown."),
    "email": gettext_lazy("The email address has changed since this page was shown."),
    "shipping": gettext_lazy("The delivery address has changed since this page was shown."),
    "billing": gettext_lazy("The billing address has changed since this page was shown."),
    "company": gettext_lazy("The company has changed since this page was shown."),
    "vat_id": gettext_lazy("The VAT ID has changed since this page was shown."),
    "note": gettext_lazy("The note to the artisans has changed since this page was shown."),
    "delivery": gettext_lazy("The delivery method has changed since this page was shown."),
    "method": gettext_lazy("The payment method has changed since this page was shown."),
}


# ---- cart ------------------------------------------------------------------------------------------------------


@require_GET
def cart_detail(request: HttpRequest) -> HttpResponse:
    principal = page_principal(request)
    cart = open_cart(principal)
    summary = summary_of(cart, country=chosen_country(request))
    if cart is not None and not summary.is_empty:
        journeys.reach(cart, Step.CART, journeys.page_visit(request, principal))
    return render(request, "carts/cart_detail.html", {"summary": summary})


@require_POST
def item_add(request: HttpRequest) -> HttpResponse:
    principal = page_principal(request)
    response = redirect("carts:cart")
    try:
        product_id, quantity = (
            UUID(request.POST.get("product_id", "")),
            parse_quantity(request.POST.get("quantity", "1"), least=1),
        )
    except ValueError:
        messages.error(request, _("Choose a quantity of 1 or more."))
        return response
    adds = {product_id: quantity}
    try:
        try:
            filled = add_to_open_cart(request, response, principal, adds)
        except CartClosed:  # ordered in this moment
            filled = add_to_open_cart(request, response, principal, adds)
    except DomainError as error:
        messages.error(request, error.detail)
    else:
        journeys.start(filled, journeys.page_visit(request, principal))
        messages.success(request, _("Added to your cart."))
    return response


def add_to_open_cart(
    request: HttpRequest, response: HttpResponse, principal: Principal, adds: dict[UUID, int]
) -> FilledCart:
    """Add to the open cart or to a new one, whose token the response keeps. Errors: those of cart_items_add."""
    currency = chosen_currency(request)
    cart, token, _is_new = cart_open(principal, currency=currency)
    keep_token(response, token)
    owner = principal if not token else Principal(cart_hash=hash_secret(token))
    return cart_items_add(principal=owner, cart_id=cart.pk, adds=adds, currency=currency)


@require_POST
def item_update(request: HttpRequest, item_id: UUID) -> HttpResponse:
    principal = page_principal(request)
    cart = open_cart(principal)
    item = cart.items.select_related("product").filter(pk=item_id).first() if cart else None
    if cart is None or item is None:
        raise Http404
    try:
        quantity = 0 if "remove" in request.POST else parse_quantity(request.POST.get("quantity", ""))
        cart_item_set(principal=principal, cart_id=cart.pk, item_id=item_id, quantity=quantity)
    except ValueError:
        messages.error(request, _("Enter a whole number, such as 2."))
    except DomainError as error:
        messages.error(request, error.detail)
    else:
        if quantity == 0:
            undo = f"undo:{item.product_id}:{item.quantity}"
            text = _("%(product)s was removed from your cart.") % {"product": item.product.name}
            messages.success(request, text, extra_tags=undo)
    return redirect("carts:cart")


@require_POST
def accept(request: HttpRequest) -> HttpResponse:
    principal = page_principal(request)
    if cart := open_cart(principal):
        try:
            cart_accept(principal=principal, cart_id=cart.pk)
        except CartClosed:  # in this moment, by another tab
            return redirect_to_order(request, principal, cart=cart)
        messages.success(request, _("Your cart now shows current prices and quantities."))
    back = "carts:checkout_check" if request.POST.get("next") == "checkout" else "carts:cart"
    return redirect(back)


@require_POST
def currency_choose(request: HttpRequest) -> HttpResponse:
    """Keep the currency in the browser and on the account, and change an open cart to it."""
    principal, currency = page_principal(request), request.POST.get("currency", "")
    response = redirect(own_address(request, request.POST.get("next", "")))
    if currency not in offered_currencies():
        messages.error(request, CurrencyNotOffered(currency).detail)
        return response
    keep_currency(response, currency)
    if principal.user is not None:
        currency_keep(user=principal.user, currency=currency)
    if cart := open_cart(principal):
        with suppress(NotFound, CartClosed):  # ordered in this moment
            cart = cart_currency_set(principal=principal, cart_id=cart.pk, currency=currency)
            for problem in problems_of(cart, items_of(cart)):
                messages.warning(request, problem.message)
    return response


def country_choose(request: HttpRequest) -> HttpResponse:
    """Keep the country of delivery in the browser and on the account. Carts keep their currency."""
    served, user = served_countries(), page_principal(request).user
    back = own_address(request, request.POST.get("next") or request.GET.get("next", ""))
    if request.method != "POST":
        initial = {"country": chosen_country(request) or store_rules().country}
        return render(
            request, "carts/country.html", {"form": CountryForm(initial=initial, served=served), "next": back}
        )
    form = CountryForm(request.POST, served=served)
    if not form.is_valid():
        return render(request, "carts/country.html", {"form": form, "next": back})
    country = form.cleaned_data["country"]
    if user is not None:
        country_keep(user=user, country=country)
    response = redirect(back)
    keep_country(response, country)
    return response


def own_address(request: HttpRequest, address: str) -> str:
    """The address if it is of this shop; else that of the list of products."""
    hosts = {request.get_host()}
    is_own = url_has_allowed_host_and_scheme(address, hosts, require_https=request.is_secure())
    return address if is_own and address.startswith("/") else reverse("catalog:product_list")


def parse_quantity(text: str, *, least: int = 0) -> int:
    """Parse digits of any script. Errors: ValueError."""
    if not re.fullmatch(r"\d+", text.strip()) or int(text) < least:
        raise ValueError(text)
    return int(text)


def summary_of(cart: Cart | None, *, country: str = "") -> CartSummary:
    """`country`: the one that the visitor chose, which counts before an address is known."""
    return summarize(cart, items_of(cart) if cart else [], store_rules(), country=country)


# ---- checkout --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ShownStep:
    label: str
    url: str
    is_done: bool
    is_current: bool


@dataclass(frozen=True)
class CheckoutSession:
    """The context of a checkout step: principal, open cart, its summary and the answers so far. Read once."""

    principal: Principal
    cart: Cart
    summary: CartSummary

    @property
    def draft(self) -> dict[str, Any]:
        return dict(self.cart.draft) if isinstance(self.cart.draft, dict) else {}

    @cached_property
    def choices(self) -> list[MethodChoice]:
        choices = method_choices(
            total=self.summary.total,
            country=address_read(self.draft.get("shipping")).get("country", ""),
            is_known_buyer=is_known_account(self.principal.user),
            store=store_rules(),
            selected=self.selected,
        )
        return with_saved(choices, self.principal.user, amount=self.summary.total, selected=self.selected)

    @property
    def selected(self) -> str:
        """The chosen payment method, or the choice of a saved one."""
        return str(self.draft.get("method", ""))

    def selected_method(self) -> MethodChoice | None:
        """The chosen way to pay; the only one that is available needs no choice."""
        available = [choice for choice in self.choices if choice.is_available]
        if len(available) == 1:
            return available[0]
        return next((choice for choice in available if choice.is_selected), None)

    def first_open_step(self) -> str:
        if "email" not in self.draft or self.has_invalid_answer():
            return "details"
        if self.has_delivery_choice() and not self.has_delivery():
            return "delivery"
        return "check" if self.selected_method() else "payment"

    def has_invalid_answer(self) -> bool:
        """Whether a saved draft no longer passes the rules; the details form then shows the errors."""
        addresses = [address_read(self.draft.get(name)) for name in ("shipping", "billing")]
        if any("text" in address or address_errors(address) for address in addresses):
            return True
        return not is_email(str(self.draft.get("email", "")))

    def steps(self, current: str) -> list[ShownStep]:
        """The steps to show: payment only where there is a choice."""
        names = [name for name, _ in STEPS]
        first_open = names.index(self.first_open_step())
        return [
            ShownStep(str(label), reverse(f"carts:checkout_{name}"), place < first_open, name == current)
            for place, (name, label) in enumerate(STEPS)
            if self.is_shown(name)
        ]

    def is_shown(self, step: str) -> bool:
        """Whether there is something to choose in the step."""
        if step == "delivery":
            return self.has_delivery_choice()
        return step != "payment" or self.has_choice()

    def has_delivery_choice(self) -> bool:
        return self.summary.offer.delivery.has_choice

    def has_delivery(self) -> bool:
        """Whether the buyer has chosen a method for each parcel that has a choice.

        One that is no longer offered counts, too: the cheapest takes its place, which the last page shows.
        """
        wanted, groups = drafted_methods(self.draft), self.summary.offer.delivery.groups
        choices = [group for group in groups if len(group.options) > 1]
        return all(parcel.artisan_id in wanted for group in choices for parcel in group.parcels)

    def has_choice(self) -> bool:
        return sum(choice.is_available for choice in self.choices) != 1

    def next_step(self) -> HttpResponse:
        return redirect(f"carts:checkout_{self.first_open_step()}")

    def fingerprint(self) -> str:
        chosen = self.selected_method()  # the page shows it, chosen or the only one
        return page_fingerprint(self.summary, self.draft | {"method": chosen.value if chosen else ""})

    def reload(self) -> "CheckoutSession":
        """The same cart as it is in the database now."""
        return CheckoutSession(self.principal, self.cart, summary_of(self.cart))

    def save_draft(self, **answers: object) -> HttpResponse:
        cart = cart_draft_save(principal=self.principal, cart_id=self.cart.pk, answers=answers)
        return CheckoutSession(self.principal, cart, summary_of(cart)).next_step()


StepView = Callable[[HttpRequest, CheckoutSession], HttpResponse]
Page = Callable[[HttpRequest], HttpResponse]


def checkout_step(name: str) -> Callable[[StepView], Page]:
    """Pass a CheckoutSession to the step's view; without a cart redirect to the last order or the cart."""

    def decorate(view: StepView) -> Page:
        @wraps(view)
        def step(request: HttpRequest) -> HttpResponse:
            principal = page_principal(request)
            cart = open_cart(principal)
            summary = summary_of(cart, country=chosen_country(request))
            of_older_cart = cart is not None and request.POST.get("cart", str(cart.pk)) != str(cart.pk)
            if cart is None or summary.is_empty or of_older_cart:
                return redirect_to_order(request, principal)
            if not store_rules().is_open:
                return redirect_shop_closed(request)
            if not summary.groups:
                return redirect_nothing_to_order(request)
            session = CheckoutSession(principal, cart, summary)
            names = [step_name for step_name, _ in STEPS]
            if names.index(name) > names.index(session.first_open_step()):
                if request.method == "POST":
                    messages.error(request, describe_open_step(session))
                return session.next_step()
            return run_step(Step(name), view, request, session)

        return step

    return decorate


def run_step(step: Step, view: StepView, request: HttpRequest, session: CheckoutSession) -> HttpResponse:
    """The view's response; if another tab has closed the cart in this moment, a redirect to what became of it."""
    principal, cart = session.principal, session.cart
    try:
        with journeys.problems_recorded(step, journeys.page_visit(request, principal), cart_id=cart.pk):
            return view(request, session)
    except CartClosed:
        return redirect_to_order(request, principal, cart=cart)


def describe_open_step(session: CheckoutSession) -> str:
    """Why a later step was refused."""
    if session.first_open_step() != "payment" or not session.selected:
        return _("Nothing was ordered. Complete this step first.")
    if saved_id_of(session.selected) and all(choice.value != session.selected for choice in session.choices):
        return _(
            "Nothing was ordered, because the saved payment method you chose was removed. Choose another one."
        )
    return _(
        "Nothing was ordered, because the payment method you chose is no longer available. Choose another one."
    )


def refuses_card_numbers(page: Page) -> Page:
    """Mark a page whose form refuses card numbers next to their field (CardNumberMiddleware)."""
    page.refuses_card_numbers = True  # type: ignore[attr-defined]  # functions take attributes
    return page


def describe_total_change(sent: Decimal, now: Money) -> str:
    try:
        text = show(Money.parse(format(sent, "f"), now.currency))
    except ValueError:  # the hidden field was edited
        text = format(sent, "f")
    return _("The total has changed from %(sent)s to %(now)s.") % {
        "sent": text,
        "now": show(now),
    }


def redirect_to_order(
    request: HttpRequest, principal: Principal, *, cart: Cart | None = None
) -> HttpResponse:
    """After placing, or on a second submit, show the order and never the payment form again.

    `cart`: one that was closed while the page used it; else it is the one that the form names.
    """
    named = cart.pk if cart else parse_uuid(request.POST.get("cart", ""))
    carts = carts_visible_to(principal).filter(status=CartStatus.ORDERED).select_related("order")
    if cart or "cart" in request.POST:
        last = carts.filter(pk=named).first() if named else None
    else:
        last = carts.order_by("-updated_at").first()
    if last is None or last.order is None:
        return redirect_without_cart(request, principal, named)
    return redirect("payments:order", token=last.order.access_token)


def redirect_without_cart(request: HttpRequest, principal: Principal, named: UUID | None) -> HttpResponse:
    """Say why the page cannot be used with the present cart, and lead back to a page that can."""
    cart = get_or_none(Cart.objects.filter(pk=named)) if named else None
    is_signed_out = principal.user is None
    if cart is not None and is_signed_out and cart.user_id and cart.status == CartStatus.OPEN:
        messages.error(
            request,
            _("You have been signed out, so nothing was ordered. Sign in to continue; your cart is saved."),
        )
        return redirect_to_login(reverse("carts:checkout"))
    if cart is not None and cart.status == CartStatus.MERGED and cart.token_hash == cookie_hash(request):
        messages.error(
            request,
            _(
                "You have signed in since that page was shown, and your carts were combined. Nothing was ordered."
            ),
        )
        return redirect("carts:checkout")
    if "cart" in request.POST:
        messages.error(request, _("That page belonged to another cart. Nothing was ordered."))
    elif is_signed_out:
        messages.info(
            request, _("Your cart is empty. If you were signed in before, sign in to see your saved cart.")
        )
    else:
        messages.info(request, _("Your cart is empty."))
    return redirect("carts:cart")


def parse_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def redirect_shop_closed(request: HttpRequest) -> HttpResponse:
    messages.error(request, ShopNotOpen().detail)
    return redirect("carts:cart")


def redirect_nothing_to_order(request: HttpRequest) -> HttpResponse:
    messages.error(request, _("None of your items can be ordered right now. Nothing was charged."))
    return redirect("carts:cart")


def checkout(request: HttpRequest) -> HttpResponse:
    """Redirect to the first incomplete step."""
    principal = page_principal(request)
    cart = open_cart(principal)
    summary = summary_of(cart)
    if cart is None or summary.is_empty:
        return redirect_to_order(request, principal)
    if not store_rules().is_open:
        return redirect_shop_closed(request)
    if not summary.groups:
        return redirect_nothing_to_order(request)
    return CheckoutSession(principal, cart, summary).next_step()


@refuses_card_numbers
@checkout_step("details")
def checkout_details(request: HttpRequest, session: CheckoutSession) -> HttpResponse:
    served = served_countries()
    if request.method != "POST":
        initial = details_initial(request, session)
        needs_correction = "email" in session.draft and session.has_invalid_answer()
        form = DetailsForm(initial if needs_correction else None, initial=initial, served=served)
        is_remembered = (initial.get("line1") or initial.get("company")) and "email" not in session.draft
        return show_step(request, session, "details", form, is_remembered=is_remembered)
    form = DetailsForm(request.POST, served=served)
    changed = form.for_new_countries(served)
    if "change_country" in request.POST:
        values = {name: form.data.get(name, "") for name in form.fields}
        return show_step(request, session, "details", changed or DetailsForm(initial=values, served=served))
    if changed:
        text = _("The form now fits the country that you chose. Check the address, then continue.")
        return show_step(request, session, "details", changed, refusals=[text])
    if not form.is_valid():
        visit = journeys.page_visit(request, session.principal)
        journeys.form_problems_add(form, Step.DETAILS, visit, cart_id=session.cart.pk)
        return show_step(request, session, "details", form)
    data = form.cleaned_data
    email = data["email"].lower()
    if data["vat_id"]:
        try:
            vat_id_use(request, vat_id=data["vat_id"], email=email)
        except RateLimited as limit:
            form.add_error("vat_id", limit.detail)
            return show_step(request, session, "details", form)
    shipping = {name: data.get(name, "") for name in (*ADDRESS, "phone")}
    billing = (
        shipping if data["billing_same"] else {name: data.get(f"billing_{name}", "") for name in ADDRESS}
    )
    same_place = address_read(session.draft.get("shipping")) == address_read(shipping)
    return session.save_draft(
        delivery=session.draft.get("delivery") if same_place else None,
        email=email,
        company=data["company"],
        vat_id=data["vat_id"],
        shipping=shipping,
        billing=billing,
        billing_same=data["billing_same"],
        note=data["note"],
    )


def details_initial(request: HttpRequest, session: CheckoutSession) -> dict[str, Any]:
    draft, store = session.draft, store_rules()
    chosen = chosen_country(request)
    country = chosen or store.country
    initial: dict[str, Any] = {"country": country, "billing_country": country}
    if session.principal.user is not None:
        initial |= {"email": session.principal.user.email, "name": session.principal.user.name}
        last = last_addressed_order(session.principal.user)
        remembered = remembered_addresses(last) if last else {}
        if not chosen or remembered.get("country") == chosen:
            initial |= remembered
        if last:
            initial |= {"company": last.company, "vat_id": last.vat_id}
    if "email" in draft:
        initial |= {name: draft.get(name) for name in ("email", "company", "vat_id", "billing_same", "note")}
        initial |= address_read(draft["shipping"])
        if not draft["billing_same"]:
            initial |= {f"billing_{name}": value for name, value in address_read(draft["billing"]).items()}
    return initial


def remembered_addresses(last: Order) -> dict[str, Any]:
    """The addresses of the buyer's last order as initial values of the form; none if one is a single text."""
    shipping, billing = address_read(last.shipping_address), address_read(last.billing_address)
    if "text" in shipping or "text" in billing:
        return {}
    is_same = all(shipping.get(name, "") == billing.get(name, "") for name in ADDRESS)
    other = {} if is_same else {f"billing_{name}": billing.get(name, "") for name in ADDRESS}
    return {**shipping, **other, "billing_same": is_same}


@checkout_step("delivery")
def checkout_delivery(request: HttpRequest, session: CheckoutSession) -> HttpResponse:
    groups = [group for group in group_choices(session.summary) if len(group.choices) > 1]
    if not groups:
        return session.next_step()
    form = DeliveryForm(request.POST if request.method == "POST" else None, groups=groups)
    if request.method == "POST":
        if form.is_valid():
            return session.save_draft(delivery=form.chosen())
        visit = journeys.page_visit(request, session.principal)
        journeys.form_problems_add(form, Step.DELIVERY, visit, cart_id=session.cart.pk)
    return show_step(request, session, "delivery", form, groups=form.shown())


@checkout_step("payment")
def checkout_payment(request: HttpRequest, session: CheckoutSession) -> HttpResponse:
    choices = preselected(session.choices)
    form = PaymentForm(choices=choices, initial={"payment_method": session.draft.get("method")})
    if request.method == "POST":
        form = PaymentForm(request.POST, choices=choices)
        if form.is_valid():
            return session.save_draft(method=form.cleaned_data["payment_method"])
        visit = journeys.page_visit(request, session.principal)
        journeys.form_problems_add(form, Step.PAYMENT, visit, cart_id=session.cart.pk)
    return show_step(request, session, "payment", form, methods=choices)


@may_lead_to_provider
@checkout_step("check")
def checkout_check(request: HttpRequest, session: CheckoutSession) -> HttpResponse:
    if request.method == "POST":
        return place_order(request, session)
    return show_check(request, session)


def place_order(request: HttpRequest, session: CheckoutSession) -> HttpResponse:
    form = PlaceForm(request.POST)
    if not form.is_valid() or form.cleaned_data["cart"] != session.cart.pk:
        return redirect_to_order(request, session.principal)
    sent = form.cleaned_data["fingerprint"]
    if sent != session.fingerprint():
        return show_changes(request, session, form)
    draft, chosen = session.draft, session.selected_method()
    if chosen is None:
        return session.next_step()
    buyer = Buyer(
        email=draft["email"],
        shipping_address=draft["shipping"],
        billing_address=draft["billing"],
        user=session.principal.user,
        note=draft.get("note", ""),
        network=network_hash(request),
        company=draft.get("company") or "",
        vat_id=draft.get("vat_id") or "",
    )
    assertions = Assertions(
        total=form.cleaned_data["quote"], fingerprint=quote_fingerprint(session.summary.offer)
    )
    visit = journeys.page_visit(request, session.principal)
    try:
        done = cart_checkout(
            principal=session.principal,
            cart_id=session.cart.pk,
            buyer=buyer,
            method=PaymentMethod(chosen.kind),
            assertions=assertions,
            store=store_rules(),
            shipping=session.summary.offer.chosen,
        )
    except CartClosed:
        raise  # run_step leads on
    except DomainError as error:
        journeys.problem_add(error, Step.CHECK, visit, cart_id=session.cart.pk)
        return show_refusal(request, session, form, error)
    journeys.placed(done, visit, cart_id=session.cart.pk)
    return redirect_to_payment(request, done, chosen)


def show_refusal(
    request: HttpRequest, session: CheckoutSession, form: PlaceForm, error: DomainError
) -> HttpResponse:
    """Why the order was refused."""
    if isinstance(error, QuoteChanged):
        return show_changes(request, session.reload(), form)
    if isinstance(error, CheckoutBlocked):
        current = session.reload()
        return show_check(
            request, current, refusals=[accept_changes() if current.summary.problems else error.detail]
        )
    has_open_orders = isinstance(error, TooManyOpenOrders)
    response = show_check(request, session, refusals=[error.detail], has_open_orders=has_open_orders)
    if error.wait:
        response["Retry-After"] = str(error.wait)
    return response


def redirect_to_payment(request: HttpRequest, done: Checkout, chosen: MethodChoice) -> HttpResponse:
    order, saved_id = done.placed.order, saved_id_of(chosen.value)
    token = order.access_token
    if saved_id and done.is_new and done.payment is not None:
        return pay_with_saved(request, done.payment, token, saved_id, shown=order.total)
    return redirect_after_order(done.payment, token)


def show_changes(request: HttpRequest, session: CheckoutSession, form: PlaceForm) -> HttpResponse:
    """What differs from the page whose order button was pressed. The page now shows the current state."""
    summary, sent = session.summary, form.cleaned_data
    parts = changed_parts(sent["fingerprint"], session.fingerprint())
    refusals = []
    if sent["quote"] != summary.total.as_decimal():
        refusals.append(describe_total_change(sent["quote"], summary.total))
        parts -= {"amounts"}
    if summary.problems:  # they are listed on the page, with what accepting them does
        parts -= {"items", "amounts"}
    if "items" in parts:  # other items have other names and prices
        parts -= {"names", "amounts"}
    if "shipping" in parts and session.draft.get("billing_same"):
        parts -= {"billing"}
    refusals += [str(text) for part, text in CHANGES.items() if part in parts]
    if summary.problems:  # with them, the page says that nothing was ordered
        refusals.append(accept_changes())
    else:
        refusals.append(
            _("Nothing was ordered or charged. Review the details below before you place the order.")
        )
    return show_check(request, session, refusals=refusals)


def accept_changes() -> str:
    return _("Accept the changes to your cart, then place the order.")


def show_check(
    request: HttpRequest,
    session: CheckoutSession,
    *,
    refusals: Sequence[str] = (),
    has_open_orders: bool = False,
) -> HttpResponse:
    """`refusals`: sentences that say why nothing was ordered. `has_open_orders`: show where to pay or cancel them."""
    chosen = session.selected_method()
    if chosen is None:
        return session.next_step()
    summary = session.summary
    form = PlaceForm(
        initial={
            "cart": session.cart.pk,
            "quote": summary.total.amount,
            "fingerprint": session.fingerprint(),
        }
    )
    draft = {
        "email": session.draft["email"],
        "shipping": {
            "lines": address_lines(session.draft["shipping"]),
            "phone": session.draft["shipping"].get("phone", ""),
        },
        "billing": None
        if session.draft["billing_same"]
        else {"lines": address_lines(session.draft["billing"])},
        "company": session.draft.get("company", ""),
        "vat_id": session.draft.get("vat_id", ""),
        "note": session.draft.get("note", ""),
        "method": chosen,
    }
    return show_step(
        request,
        session,
        "check",
        form,
        status=409 if refusals else 200,
        draft=draft,
        pay_label=chosen.pay_label,
        has_choice=session.has_choice(),
        has_delivery_choice=session.has_delivery_choice(),
        methods=list(dict.fromkeys(summary.offer.method_names.values())),
        problems=summary.problems,
        refusals=refusals,
        has_open_orders=has_open_orders,
    )


def show_step(
    request: HttpRequest,
    session: CheckoutSession,
    name: str,
    form: object,
    *,
    status: int = 200,
    **extra: object,
) -> HttpResponse:
    journeys.reach(session.cart, Step(name), journeys.page_visit(request, session.principal))
    context = {"form": form, "summary": session.summary, "steps": session.steps(name), **extra}
    return render(request, f"carts/checkout_{name}.html", context, status=status)


BROWSER_PROBLEMS = ("script_blocked", "script_slow", "offline", "element_error")


@require_POST
def browser_problem(request: HttpRequest) -> HttpResponse:
    """What a script of a checkout page could not do; `order`: the token in the address of an order's page."""
    code, order = request.POST.get("code", ""), read_order_token(request.POST.get("order", ""))
    if code not in BROWSER_PROBLEMS:
        return HttpResponse(status=400)
    if consume("journey_problems_network", client_line(request)).is_exceeded:
        return HttpResponse(status=429)
    principal = page_principal(request)
    cart = None if order else open_cart(principal)
    journey_problems_add(
        step=Step.PLACED if order else Step.CHECK,
        kind=ProblemKind.SCRIPT,
        codes=[code],
        visit=journeys.page_visit(request, principal),
        cart_id=cart.pk if cart else None,
        order_id=order[0] if order else None,
    )
    return HttpResponse(status=204)
