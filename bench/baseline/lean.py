"""The three-request cart, as lean as the ORM allows: tuples instead of instances, responses without serializers."""

import uuid
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.http import Http404
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from bench.baseline.api import CheckoutIn, ItemIn
from bench.baseline.models import (
    Cart,
    CartItem,
    Mail,
    Order,
    OrderHistory,
    OrderLine,
    Parcel,
    Payment,
    PaymentHistory,
    Product,
    StockMove,
    User,
)
from bench.baseline.placing import OutOfStock, amounts


def cart_out(cart_id: UUID) -> dict[str, Any]:
    columns = ("id", "product_id", "product__name", "quantity", "product__price")
    rows = list(CartItem.objects.filter(cart_id=cart_id).order_by("created_at").values_list(*columns))
    names = ("id", "product_id", "name", "quantity", "unit_price")
    return {
        "id": cart_id,
        "items": [dict(zip(names, row, strict=True)) for row in rows],
        "subtotal": sum(quantity * price for _, _, _, quantity, price in rows),
    }


class CartItems(APIView):
    def post(self, request: Request, cart_id: UUID) -> Response:
        items = ItemIn(data=request.data, many=True)
        items.is_valid(raise_exception=True)
        wanted = {item["product_id"]: item["quantity"] for item in items.validated_data}
        stock = dict(Product.objects.filter(pk__in=wanted).values_list("pk", "stock"))
        if any(stock.get(pk, 0) < quantity for pk, quantity in wanted.items()):
            raise OutOfStock
        mine = Cart.objects.select_for_update().filter(pk=cart_id, user=request.user, status="OPEN")
        with transaction.atomic():
            if not mine.values_list("pk").first():
                raise Http404
            CartItem.objects.bulk_create(
                [CartItem(cart_id=cart_id, product_id=pk, quantity=q) for pk, q in sorted(wanted.items())],
                update_conflicts=True,
                unique_fields=["cart", "product"],
                update_fields=["quantity"],
            )
        return Response(cart_out(cart_id), status=status.HTTP_201_CREATED)


class Checkout(APIView):
    def post(self, request: Request, cart_id: UUID) -> Response:
        checkout = CheckoutIn(data=request.data)
        checkout.is_valid(raise_exception=True)
        return Response(place(request.user, cart_id, checkout.validated_data), status=status.HTTP_201_CREATED)


@transaction.atomic
def place(user: User, cart_id: UUID, checkout: Mapping[str, Any]) -> dict[str, Any]:
    if not Cart.objects.filter(pk=cart_id, user=user, status="OPEN").update(status="ORDERED"):
        raise Http404
    rows = list(
        Product.objects.select_for_update(of=("self",))
        .filter(cartitem__cart_id=cart_id)
        .order_by("pk")
        .values_list("pk", "artisan_id", "name", "price", "stock", "cartitem__quantity")
    )
    if not rows or any(stock < quantity for *_, stock, quantity in rows):
        raise OutOfStock
    wanted = {row[0]: row[5] for row in rows}
    Product.objects.filter(pk__in=wanted).update(stock=F("stock") - amounts(wanted))
    total = sum(price * quantity for _, _, _, price, _, quantity in rows)
    order = Order.objects.create(
        number=uuid.uuid4().hex,
        user_id=user.pk,
        email=user.email,
        address=checkout["shipping_address"],
        total=total,
    )
    parcels: dict[UUID, Parcel] = {}
    for _, artisan_id, _, price, _, quantity in rows:
        number = len(parcels) + 1
        parcel = parcels.setdefault(
            artisan_id, Parcel(order_id=order.pk, artisan_id=artisan_id, number=number, subtotal=0)
        )
        parcel.subtotal += price * quantity
    Parcel.objects.bulk_create(parcels.values())
    lines = OrderLine.objects.bulk_create(
        OrderLine(
            order_id=order.pk,
            parcel_id=parcels[artisan_id].pk,
            product_id=pk,
            name=name,
            quantity=quantity,
            unit_price=price,
            line_total=price * quantity,
        )
        for pk, artisan_id, name, price, _, quantity in rows
    )
    StockMove.objects.bulk_create(
        StockMove(product_id=line.product_id, order_line=line.pk, quantity=-line.quantity) for line in lines
    )
    OrderHistory.objects.create(order_id=order.pk, status="PENDING", actor=user.email)
    payment = Payment.objects.create(order_id=order.pk, method=checkout["payment_method"], amount=total)
    PaymentHistory.objects.create(payment_id=payment.pk, status="PENDING", actor=user.email)
    items = [{"name": line.name, "quantity": line.quantity, "total": line.line_total} for line in lines]
    Mail.objects.create(
        key=f"order_placed:{order.pk}",
        recipient=user.email,
        context={"number": order.number, "total": total, "lines": items},
    )
    return {
        "order": {"id": order.pk, "number": order.number, "total": total, "order_items": items},
        "payment": {"id": payment.pk, "amount": total, "status": "PENDING"},
    }
