from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _
from rest_framework import status, viewsets
from rest_framework.decorators import action
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from artisans.accounts.permissions import IsUserOrGuest
from artisans.accounts.principals import Principal
from artisans.core.api.fields import (
    UUID_PATTERN,
    StrictCharField,
    StrictSerializer,
    validated,
    validated_list,
)
from artisans.core.api.openapi import CART_TOKEN, example, operation
from artisans.core.api.views import ApiView, limited
from artisans.core.errors import InvalidInput, LinkRevoked, NotFound
from artisans.core.idempotency.api import idempotent
from artisans.core.idempotency.keys import effect_id
from artisans.core.models import get_or_none
from artisans.core.requests import api_request
from artisans.core.security.client_ip import network_hash
from artisans.core.security.rate_limits import RateLimited
from artisans.journeys.models import Step
from artisans.regions.errors import CurrencyNotOffered
from carts import journeys
from carts.checkout import Checkout, cart_checkout, checkout_of, order_create
from carts.errors import (
    CartClosed,
    ChoiceNeeded,
    NotEnoughStock,
    NotSoldInCurrency,
    OnHoliday,
    QuantityTooLarge,
    TooManyItems,
    UnknownProduct,
)
from carts.models import Cart, CartStatus
from carts.schemas import (
    CartInCurrencyShape,
    CartShape,
    CheckoutShape,
    OrderInOneCallShape,
    ShippingMethodsShape,
    SummaryShape,
    ValidationShape,
    VatIdShape,
)
from carts.selectors import CartSummary, carts_visible_to, items_of, summarize
from carts.serializers import (
    AssertionsIn,
    CartIn,
    CheckoutIn,
    CurrencyIn,
    DestinationIn,
    ItemIn,
    OrderIn,
    QuantityIn,
    ShippingIn,
    SummaryIn,
    VatIdIn,
    cart_out,
    shipping_out,
    summary_out,
    vat_id_out,
)
from carts.services import MAX_ITEMS, FilledCart, cart_currency_set, cart_item_set, cart_items_add, cart_open
from carts.vat_ids import vat_id_use
from orders.api import OrderViewSet
from orders.errors import (
    AmountTooLarge,
    CheckoutBlocked,
    EmptyOrder,
    NotCancellable,
    QuoteChanged,
    ShippingMethodNotOffered,
    ShopNotOpen,
)
from orders.holds import TooManyOpenOrders, TooManyUnitsHeld
from orders.models import Order, StoreRules
from orders.problems import LineRequest
from orders.schemas import OrderShape
from orders.selectors import store_rules
from orders.serializers import order_out, with_country
from orders.services.placing import Buyer
from payments.api.serializers import payment_out
from payments.errors import (
    AmountTooSmall,
    CurrencyNotTaken,
    MethodNotOffered,
    NoPermission,
    PaymentInProgress,
    ProviderUnavailable,
)
from payments.gateway.payments import payment_action, payment_ensure_at_provider
from payments.lifecycle.cancel_and_expire import order_cancel
from payments.lifecycle.offer import parse_method
from payments.models import Payment

REFUSE_ORDER = (
    ShopNotOpen,
    MethodNotOffered,
    AmountTooSmall,
    CurrencyNotTaken,
    EmptyOrder,
    AmountTooLarge,
    InvalidInput,
    CheckoutBlocked,
    QuoteChanged,
    ShippingMethodNotOffered,
    TooManyOpenOrders,
    TooManyUnitsHeld,
    LinkRevoked,
)
SET_ITEM: dict[str, Any] = {
    "request": QuantityIn,
    "responses": CartShape,
    "problems": (NotSoldInCurrency, OnHoliday, NotEnoughStock, CartClosed),
}
ITEM = rf"items/(?P<item_id>{UUID_PATTERN})"


def line_requests_from(rows: list[dict[str, Any]]) -> dict[UUID, int]:
    """Quantities by product; those of repeated products add up."""
    found: dict[UUID, int] = {}
    for row in rows:
        found[row["product_id"]] = found.get(row["product_id"], 0) + row["quantity"]
    return found


def cart_replay(request: Request, reference: str) -> Response | None:
    """None for a new guest, who never received the cart's token and so gets another cart."""
    cart = get_or_none(carts_visible_to(Principal.from_api(request)).filter(pk=effect_id(reference)))
    return Response(cart_out(cart, items_of(cart)), status=status.HTTP_201_CREATED) if cart else None


def replayed_order(order_id: UUID | str) -> Order:
    """The order of a repeated request. Errors: LinkRevoked if staff have revoked the links of a guest's order since."""
    order = Order.objects.get(pk=order_id)
    if order.user_id is None and order.token_version > 1:
        raise LinkRevoked(_("The links of this order were replaced by newer ones."))
    return order


def checkout_replay(request: Request, reference: str) -> Response:
    done = checkout_of(replayed_order(effect_id(reference)))
    return Response(order_body(done, store_rules()), status=status.HTTP_201_CREATED)


def order_replay(request: Request, reference: str) -> Response:
    return created_order(checkout_of(replayed_order(effect_id(reference))), store_rules())


def order_secrets(request: Request, body: dict[str, Any]) -> dict[str, Any]:
    """Secrets that are left out of stored responses: the link's token, unless staff have revoked the order's links
    since, and the payment's client secret. Errors: LinkRevoked.
    """
    order = replayed_order(body.get("order", body)["id"])
    found = {"access_token": order.access_token} if order.token_version == 1 else {}
    payment = (body.get("payment") or {}).get("id")
    with suppress(ProviderUnavailable):  # client_secret is then null; GET …?expand=next_action returns it
        action = payment_action(Payment.objects.get(pk=payment)) if payment else None
        found |= {"client_secret": action.client_secret} if action else {}
    return found


class CartViewSet(ApiView, viewsets.ViewSet):
    permission_classes = (IsUserOrGuest,)
    guest_schemes = (CART_TOKEN,)

    def get_permissions(self) -> Sequence[Any]:
        return [AllowAny()] if self.action == "create" else super().get_permissions()

    @operation(
        "cart_open",
        "Open a cart",
        request=CartIn,
        responses={200: CartShape, 201: CartShape},
        problems=(
            UnknownProduct,
            ChoiceNeeded,
            QuantityTooLarge,
            TooManyItems,
            NotSoldInCurrency,
            OnHoliday,
            NotEnoughStock,
        ),
    )
    @limited("carts")
    @idempotent(replay=cart_replay)
    def create(self, request: Request) -> Response:
        """Create a cart (201) or return the one already open (200); a new guest also gets `token`."""
        data = validated(CartIn, request.data)
        principal = Principal.from_api(request)
        adds = line_requests_from(data.get("items", []))
        try:
            filled, token, is_new = self.open_with(principal, adds)
        except CartClosed:  # ordered in this moment
            filled, token, is_new = self.open_with(principal, adds)
        journeys.start(filled, journeys.api_visit(principal))
        body = cart_out(filled.cart, filled.items, token=token)
        return Response(body, status=status.HTTP_201_CREATED if is_new else status.HTTP_200_OK)

    def open_with(self, principal: Principal, adds: dict[UUID, int]) -> tuple[FilledCart, str, bool]:
        """The open cart, or a new one, with these items added; the token of a new guest cart; whether it is new.

        Errors: CartClosed if it is ordered at the same time, and those of cart_items_add.
        """
        with transaction.atomic() if adds else nullcontext():  # a refused item must not create a cart
            cart, token, is_new = cart_open(principal)
            if adds:
                owner = Principal(user=cart.user, cart_hash=cart.token_hash or "")
                filled = cart_items_add(principal=owner, cart_id=cart.pk, adds=adds)
            else:
                filled = FilledCart(cart, [] if is_new else items_of(cart))
        return filled, token, is_new

    @operation("cart_get", "Show a cart", responses=CartShape)
    def retrieve(self, request: Request, pk: str) -> Response:
        """The cart at current prices; `problems` lists what prevents an order. Stock does not affect this."""
        cart = self.cart(request, pk)
        return Response(cart_out(cart, items_of(cart)))

    @operation(
        "cart_item_add",
        "Add items to a cart",
        request=(ItemIn, ItemIn(many=True)),
        responses={201: CartShape},
        problems=(
            UnknownProduct,
            ChoiceNeeded,
            QuantityTooLarge,
            TooManyItems,
            InvalidInput,
            NotSoldInCurrency,
            OnHoliday,
            NotEnoughStock,
            CartClosed,
        ),
    )
    @idempotent(replay=cart_replay)
    @action(detail=True, methods=["post"])
    def items(self, request: Request, pk: str) -> Response:
        """Add one item or a list of items; a product already in the cart gets the sum. All or nothing."""
        if not isinstance(request.data, list):
            rows = [validated(ItemIn, request.data)]
        elif 0 < len(request.data) <= MAX_ITEMS:
            rows = validated_list(ItemIn, request.data)
        else:
            raise InvalidInput(
                _("Send one item, or a list of 1 to %(maximum)s items.") % {"maximum": MAX_ITEMS}
            )
        adds = line_requests_from(rows)
        principal = Principal.from_api(request)
        filled = cart_items_add(principal=principal, cart_id=UUID(pk), adds=adds)
        journeys.start(filled, journeys.api_visit(principal))
        return Response(cart_out(filled.cart, filled.items), status=status.HTTP_201_CREATED)

    @operation(
        "cart_currency_set",
        "Change a cart's currency",
        request=CurrencyIn,
        responses=CartInCurrencyShape,
        problems=(CurrencyNotOffered, CartClosed),
    )
    @action(detail=True, methods=["post"])
    def currency(self, request: Request, pk: str) -> Response:
        """All items get their prices in it; one that is not sold in it is one of the `problems`. Safe to repeat."""
        code = validated(CurrencyIn, request.data)["currency"]
        principal = Principal.from_api(request)
        cart = cart_currency_set(principal=principal, cart_id=UUID(pk), currency=code)
        return Response(cart_out(cart, items_of(cart)) | {"notices": []})

    @operation("cart_item_put", "Set an item's quantity", **SET_ITEM, methods=["PUT"])
    @operation("cart_item_set", "Change an item's quantity", **SET_ITEM, methods=["PATCH"])
    @operation(
        "cart_item_remove",
        "Remove an item",
        responses=CartShape,
        problems=(CartClosed,),
        methods=["DELETE"],
    )
    @action(detail=True, methods=["put", "patch", "delete"], url_path=ITEM, url_name="item")
    def item(self, request: Request, pk: str, item_id: str) -> Response:
        """Set the quantity of an item; 0 removes it. Returns the whole cart."""
        quantity = 0 if request.method == "DELETE" else validated(QuantityIn, request.data)["quantity"]
        cart = cart_item_set(
            principal=Principal.from_api(request), cart_id=UUID(pk), item_id=UUID(item_id), quantity=quantity
        )
        return Response(cart_out(cart, items_of(cart)))

    @operation(
        "cart_checkout",
        "Order a cart",
        request=CheckoutIn,
        responses={200: CheckoutShape, 201: CheckoutShape},
        problems=(*REFUSE_ORDER, CartClosed),
    )
    @limited("checkout")
    @idempotent(replay=checkout_replay, secrets=order_secrets)
    @action(detail=True, methods=["post"])
    def checkout(self, request: Request, pk: str) -> Response:
        """Order the cart (201). If it was ordered before, the same order is returned (200)."""
        principal, store = Principal.from_api(request), store_rules()
        visit, cart_id = journeys.api_visit(principal), UUID(pk)
        with journeys.problems_recorded(Step.CHECK, visit, cart_id=cart_id):
            data = validated(CheckoutIn, request.data)
            done = cart_checkout(
                principal=principal,
                cart_id=cart_id,
                buyer=buyer_of(request, principal, data, store),
                method=parse_method(data["payment_method"], data.get("payment_provider")),
                provider=data.get("payment_provider", ""),
                assertions=AssertionsIn.of(data),
                store=store,
                shipping=ShippingIn.wanted(data),
            )
        journeys.placed(done, visit, cart_id=cart_id)
        code = status.HTTP_201_CREATED if done.is_new else status.HTTP_200_OK
        return Response(order_body(done, store), status=code)

    @operation(
        "cart_summary",
        "Quote tax, shipping and total",
        query=SummaryIn,
        responses=SummaryShape,
        problems=(ShopNotOpen, QuoteChanged, ShippingMethodNotOffered),
    )
    @action(detail=True, methods=["get"], url_path="checkout/summary")
    def checkout_summary(self, request: Request, pk: str) -> Response:
        """The amounts of an order placed now, by parcel; also the shipping quote.

        With `country`, those of an order there; else those of the shop's own country, as an estimate.
        Figures sent along are compared with the shop's; a difference is 409 `quote_changed`.
        """
        data = validated(SummaryIn, request.query_params.dict())
        summary = self.summary(request, pk, data)
        AssertionsIn.of(data).check(summary.offer)
        if summary.offer.refused:
            raise ShippingMethodNotOffered
        return Response(summary_out(summary))

    @operation(
        "cart_validate",
        "Check whether a cart can be ordered",
        responses=ValidationShape,
        problems=(ShopNotOpen,),
    )
    @action(detail=True, methods=["get"], url_path="checkout/validate")
    def checkout_validate(self, request: Request, pk: str) -> Response:
        """Whether a checkout would succeed now, and what would have to change. Nothing is reserved."""
        summary = self.summary(request, pk)
        problems = [problem.as_dict() for problem in summary.problems]
        return Response({"valid": summary.can_checkout, "problems": problems})

    @operation(
        "cart_vat_id_check",
        "Check a VAT ID",
        request=VatIdIn,
        responses=VatIdShape,
        problems=(RateLimited,),
    )
    @action(detail=True, methods=["post"])
    def vat_id(self, request: Request, pk: str) -> Response:
        """Begin the check of a business's VAT ID, or return what is known of it. Safe to repeat, to look again.

        `vat_id` of the summary then says whether an order is without tax. Nothing is stored in the cart.
        """
        vat_id = validated(VatIdIn, request.data)["vat_id"]
        self.cart(request, pk)
        return Response(vat_id_out(vat_id_use(api_request(request), vat_id=vat_id)))

    @operation(
        "cart_shipping_methods",
        "List shipping methods",
        query=DestinationIn,
        responses=ShippingMethodsShape,
        problems=(ShopNotOpen,),
    )
    @action(detail=True, methods=["get"])
    def shipping_methods(self, request: Request, pk: str) -> Response:
        """The shipping methods of the cart with their prices, by artisans whose parcels share them.

        Artisans with methods of their own ship by these alone.
        """
        data = validated(DestinationIn, request.query_params.dict())
        return Response(shipping_out(self.summary(request, pk, data)))

    def cart(self, request: Request, pk: str) -> Cart:
        cart = get_or_none(carts_visible_to(Principal.from_api(request)).filter(pk=pk))
        if cart is None:
            raise NotFound(_("Cart not found."))
        return cart

    def summary(self, request: Request, pk: str, data: Mapping[str, Any] | None = None) -> CartSummary:
        """`data`: the destination, if the client names one."""
        cart, store = self.cart(request, pk), store_rules()
        if not store.is_open:
            raise ShopNotOpen
        destination = DestinationIn.destination(data or {}, store)
        summary = summarize(cart, items_of(cart), store, destination)
        if cart.status == CartStatus.OPEN and not summary.is_empty:
            journeys.reach(cart, Step.CHECK, journeys.api_visit(Principal.from_api(request)))
        return summary


@example({"reason": "Ordered twice"})
class CancelIn(StrictSerializer):
    reason = StrictCharField(max_length=300, required=False, allow_blank=True, default="")


class PlacingOrderViewSet(OrderViewSet):
    """The `/orders/` endpoints: listing and reading from `orders.api`, with placing and cancelling added."""

    def get_permissions(self) -> Sequence[Any]:
        return [AllowAny()] if self.action == "create" else super().get_permissions()

    @operation(
        "order_place",
        "Order in one call",
        request=OrderIn,
        responses={201: OrderInOneCallShape},
        problems=(*REFUSE_ORDER, UnknownProduct),
    )
    @limited("checkout")
    @idempotent(replay=order_replay, secrets=order_secrets)
    def create(self, request: Request) -> Response:
        """Order products in one call; with `payment_method`, the payment is started too."""
        principal, store = Principal.from_api(request), store_rules()
        visit = journeys.api_visit(principal)
        with journeys.problems_recorded(Step.CHECK, visit):
            data = validated(OrderIn, request.data)
            named = data.get("payment_method")
            line_requests = [
                LineRequest(product_id, product_id, quantity, None)
                for product_id, quantity in line_requests_from(data["order_items"]).items()
            ]
            done = order_create(
                line_requests=line_requests,
                buyer=buyer_of(request, principal, data, store),
                method=parse_method(named, data.get("payment_provider")) if named else None,
                provider=data.get("payment_provider", ""),
                assertions=AssertionsIn.of(data),
                store=store,
                shipping=ShippingIn.wanted(data),
            )
        journeys.placed(done, visit)
        return created_order(done, store)

    @operation(
        "order_cancel",
        "Cancel an order",
        request=CancelIn,
        responses=OrderShape,
        problems=(NotCancellable, NoPermission, PaymentInProgress, NotFound),
    )
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Cancel an order before an artisan has started it: items are restocked, payments refunded. Safe to repeat."""
        data = validated(CancelIn, request.data)
        user = Principal.from_api(request).user
        order = self.get_object()
        if user is None:
            raise NotFound(_("An order link cannot cancel the order. Sign in to cancel it."))
        order = order_cancel(order_id=order.pk, reason=data["reason"], actor=user)
        return Response(order_out(order, list(order.lines.all()), list(order.parcels.all())))


def buyer_of(request: Request, principal: Principal, data: dict[str, Any], store: StoreRules) -> Buyer:
    """A VAT ID is checked from now on. Errors: InvalidInput if a guest gives no email address, RateLimited."""
    email = data.get("customer_email") or (principal.user.email if principal.user else "")
    if not email:
        raise InvalidInput(
            _("customer_email is required; the order link and payment instructions are sent there.")
        )
    if data["vat_id"]:
        vat_id_use(api_request(request), vat_id=data["vat_id"], email=email.lower())
    shipping = with_country(data["shipping_address"], store)
    billing = data.get("billing_address")
    return Buyer(
        email=email.lower(),
        shipping_address=shipping,
        billing_address=with_country(billing, store) if billing else shipping,
        user=principal.user,
        note=data["note"],
        network=network_hash(api_request(request)),
        company=data["company"],
        vat_id=data["vat_id"],
    )


def created_order(done: Checkout, store: StoreRules) -> Response:
    """The order's fields at the top level; with a payment also `order` and `payment`."""
    body = order_body(done, store)
    whole = body["order"] if done.payment is None else body | body["order"]
    return Response(whole, status=status.HTTP_201_CREATED)


def order_body(done: Checkout, store: StoreRules) -> dict[str, Any]:
    """The response to a checkout. The provider is called here, after the order has been committed."""
    order, payment = done.placed.order, None
    if done.payment is not None:
        result = payment_ensure_at_provider(done.payment)
        order = result.payment.order
        payment = payment_out(result.payment, order, store, result.action)
    body = order_out(order, done.placed.lines, done.placed.parcels) | {"access_token": order.access_token}
    if not order.total:
        body["payment_method"] = "none"
    return {"order": body, "payment": payment}
