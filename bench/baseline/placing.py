"""Places an order in one transaction, with ordinary use of the ORM."""

import uuid
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Case, F, IntegerField, Value, When
from rest_framework.exceptions import APIException

from bench.baseline.models import (
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


class OutOfStock(APIException):
    status_code = 409


@dataclass
class PlacedOrder:
    order: Order
    parcels: list[Parcel]
    lines: list[OrderLine]
    payment: Payment


def amounts(wanted: dict[UUID, int]) -> Case:
    whens = [When(pk=pk, then=Value(quantity)) for pk, quantity in wanted.items()]
    return Case(*whens, output_field=IntegerField())


@transaction.atomic
def place(user: User, wanted: dict[UUID, int], *, address: dict[str, Any], method: str) -> PlacedOrder:
    locked = Product.objects.select_for_update(of=("self",)).select_related("artisan")
    products = list(locked.filter(pk__in=wanted).order_by("pk"))
    if len(products) != len(wanted) or any(product.stock < wanted[product.pk] for product in products):
        raise OutOfStock
    Product.objects.filter(pk__in=wanted).update(stock=F("stock") - amounts(wanted))
    total = sum(product.price * wanted[product.pk] for product in products)
    order = Order.objects.create(
        number=uuid.uuid4().hex, user=user, email=user.email, address=address, total=total
    )
    of_artisan: dict[UUID, Parcel] = {}
    for product in products:
        parcel = of_artisan.setdefault(
            product.artisan_id,
            Parcel(order=order, artisan=product.artisan, number=len(of_artisan) + 1, subtotal=0),
        )
        parcel.subtotal += product.price * wanted[product.pk]
    parcels = Parcel.objects.bulk_create(of_artisan.values())
    lines = OrderLine.objects.bulk_create(
        OrderLine(
            order=order,
            parcel=of_artisan[product.artisan_id],
            product=product,
            name=product.name,
            quantity=wanted[product.pk],
            unit_price=product.price,
            line_total=product.price * wanted[product.pk],
        )
        for product in products
    )
    StockMove.objects.bulk_create(
        StockMove(product_id=line.product_id, order_line=line.pk, quantity=-line.quantity) for line in lines
    )
    OrderHistory.objects.create(order=order, status=order.status, actor=user.email)
    payment = Payment.objects.create(order=order, method=method, amount=total)
    PaymentHistory.objects.create(payment=payment, status=payment.status, actor=user.email)
    Mail.objects.create(
        key=f"order_placed:{order.pk}",
        recipient=user.email,
        context={
            "number": order.number,
            "total": total,
            "lines": [
                {"name": line.name, "quantity": line.quantity, "total": line.line_total} for line in lines
            ],
        },
    )
    return PlacedOrder(order, parcels, lines, payment)
