"""Plain Django REST framework views: the baseline of the one-by-one and one-call journeys."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404
from rest_framework import serializers, status
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from bench.baseline.models import Cart, CartItem, Order, OrderLine, Parcel, Payment, Product
from bench.baseline.placing import OutOfStock, PlacedOrder, place


class ItemIn(serializers.Serializer[Any]):
    product_id = serializers.UUIDField()
    quantity = serializers.IntegerField(min_value=1, max_value=99)


class AddressIn(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=150)
    line1 = serializers.CharField(max_length=150)
    city = serializers.CharField(max_length=100)
    region = serializers.CharField(max_length=100)
    postal_code = serializers.CharField(max_length=20)
    country = serializers.CharField(max_length=2)


class CheckoutIn(serializers.Serializer[Any]):
    shipping_address = AddressIn()
    payment_method = serializers.CharField(max_length=20)


class OrderIn(CheckoutIn):
    order_items = ItemIn(many=True)


class CartItemOut(serializers.ModelSerializer[CartItem]):
    name = serializers.CharField(source="product.name")
    unit_price = serializers.IntegerField(source="product.price")

    class Meta:
        model = CartItem
        fields = ["id", "product_id", "name", "quantity", "unit_price"]


class OrderOut(serializers.ModelSerializer[Order]):
    class Meta:
        model = Order
        fields = ["id", "number", "status", "email", "address", "total", "created_at"]


class ParcelOut(serializers.ModelSerializer[Parcel]):
    class Meta:
        model = Parcel
        fields = ["id", "number", "artisan_id", "subtotal"]


class LineOut(serializers.ModelSerializer[OrderLine]):
    class Meta:
        model = OrderLine
        fields = ["id", "product_id", "name", "quantity", "unit_price", "line_total"]


class PaymentOut(serializers.ModelSerializer[Payment]):
    class Meta:
        model = Payment
        fields = ["id", "order_id", "method", "amount", "status"]


def cart_out(cart_id: UUID) -> dict[str, Any]:
    items = CartItem.objects.filter(cart_id=cart_id).select_related("product").order_by("created_at")
    return {
        "id": str(cart_id),
        "items": CartItemOut(items, many=True).data,
        "subtotal": sum(item.product.price * item.quantity for item in items),
    }


def placed_out(placed: PlacedOrder) -> dict[str, Any]:
    order = {
        **OrderOut(placed.order).data,
        "order_items": LineOut(placed.lines, many=True).data,
        "parcels": ParcelOut(placed.parcels, many=True).data,
    }
    return {"order": order, "payment": PaymentOut(placed.payment).data}


class Carts(APIView):
    def post(self, request: Request) -> Response:
        cart = Cart.objects.create(user=request.user)
        return Response({"id": str(cart.pk), "items": [], "subtotal": 0}, status=status.HTTP_201_CREATED)


class CartItems(APIView):
    def post(self, request: Request, cart_id: UUID) -> Response:
        item = ItemIn(data=request.data)
        item.is_valid(raise_exception=True)
        product_id, quantity = item.validated_data["product_id"], item.validated_data["quantity"]
        if not Cart.objects.filter(pk=cart_id, user=request.user, status="OPEN").exists():
            raise Http404
        if not Product.objects.filter(pk=product_id, stock__gte=quantity).exists():
            raise OutOfStock
        CartItem.objects.bulk_create(
            [CartItem(cart_id=cart_id, product_id=product_id, quantity=quantity)],
            update_conflicts=True,
            unique_fields=["cart", "product"],
            update_fields=["quantity"],
        )
        return Response(cart_out(cart_id), status=status.HTTP_201_CREATED)


class Checkout(APIView):
    @transaction.atomic
    def post(self, request: Request, cart_id: UUID) -> Response:
        checkout = CheckoutIn(data=request.data)
        checkout.is_valid(raise_exception=True)
        carts = Cart.objects.select_for_update().filter(pk=cart_id, user=request.user, status="OPEN")
        if (cart := carts.first()) is None:
            raise Http404
        placed = place(
            request.user,
            dict(cart.items.values_list("product_id", "quantity")),
            address=checkout.validated_data["shipping_address"],
            method=checkout.validated_data["payment_method"],
        )
        cart.status = "ORDERED"
        cart.save(update_fields=["status"])
        return Response(placed_out(placed), status=status.HTTP_201_CREATED)


class Orders(APIView):
    def post(self, request: Request) -> Response:
        checked = OrderIn(data=request.data)
        checked.is_valid(raise_exception=True)
        placed = place(
            request.user,
            {item["product_id"]: item["quantity"] for item in checked.validated_data["order_items"]},
            address=checked.validated_data["shipping_address"],
            method=checked.validated_data["payment_method"],
        )
        return Response(placed_out(placed), status=status.HTTP_201_CREATED)


class Summary(APIView):
    """The cart's totals by artisan, with the shop's 10% tax and 5.99 shipping."""

    def get(self, request: Request, cart_id: UUID) -> Response:
        if not Cart.objects.filter(pk=cart_id, user=request.user, status="OPEN").exists():
            raise Http404
        items = CartItem.objects.filter(cart_id=cart_id).select_related("product__artisan")
        parcels: dict[str, int] = {}
        for item in items:
            name = item.product.artisan.name
            parcels[name] = parcels.get(name, 0) + item.product.price * item.quantity
        subtotal = sum(parcels.values())
        tax = subtotal // 10
        return Response(
            {
                "subtotal": subtotal,
                "tax": tax,
                "shipping": 599,
                "total": subtotal + tax + 599,
                "parcels": [{"artisan": name, "subtotal": amount} for name, amount in parcels.items()],
            }
        )


class Newest(CursorPagination):
    ordering = "-created_at"
    page_size = 25
    page_size_query_param = "limit"


class Payments(ListAPIView[Payment]):
    serializer_class = PaymentOut
    pagination_class = Newest

    def get_queryset(self) -> QuerySet[Payment]:
        return Payment.objects.filter(order__user=self.request.user)


class OnePayment(RetrieveAPIView[Payment]):
    serializer_class = PaymentOut

    def get_queryset(self) -> QuerySet[Payment]:
        return Payment.objects.filter(order__user=self.request.user)
