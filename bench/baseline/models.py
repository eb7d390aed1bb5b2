"""The shop's tables without what the baseline does not write. Amounts in minor units."""

import uuid

from django.db import models
from django.db.models import Q


class Row(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True


class User(Row):
    email = models.EmailField(unique=True)
    is_active = models.BooleanField(default=True)
    is_authenticated = True


class Token(models.Model):
    digest = models.CharField(max_length=128, primary_key=True)
    user = models.ForeignKey(User, models.CASCADE)
    expiry = models.DateTimeField()


class Artisan(Row):
    name = models.CharField(max_length=100)


class Product(Row):
    artisan = models.ForeignKey(Artisan, models.PROTECT)
    name = models.CharField(max_length=120)
    price = models.BigIntegerField()
    stock = models.IntegerField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(stock__gte=0), name="baseline_stock_not_negative")]


class Cart(Row):
    user = models.ForeignKey(User, models.PROTECT)
    status = models.CharField(max_length=7, default="OPEN")


class CartItem(Row):
    cart = models.ForeignKey(Cart, models.CASCADE, related_name="items")
    product = models.ForeignKey(Product, models.PROTECT)
    quantity = models.IntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["cart", "product"], name="baseline_item_once")]


class Order(Row):
    number = models.CharField(max_length=32, unique=True)
    user = models.ForeignKey(User, models.PROTECT)
    email = models.EmailField()
    address = models.JSONField()
    total = models.BigIntegerField()
    status = models.CharField(max_length=10, default="PENDING")


class Parcel(Row):
    order = models.ForeignKey(Order, models.PROTECT)
    artisan = models.ForeignKey(Artisan, models.PROTECT)
    number = models.PositiveSmallIntegerField()
    subtotal = models.BigIntegerField()


class OrderLine(Row):
    order = models.ForeignKey(Order, models.PROTECT)
    parcel = models.ForeignKey(Parcel, models.PROTECT)
    product = models.ForeignKey(Product, models.PROTECT)
    name = models.CharField(max_length=120)
    quantity = models.IntegerField()
    unit_price = models.BigIntegerField()
    line_total = models.BigIntegerField()


class StockMove(models.Model):
    product = models.ForeignKey(Product, models.PROTECT)
    order_line = models.UUIDField(unique=True)
    quantity = models.IntegerField()
    at = models.DateTimeField(auto_now_add=True)


class Payment(Row):
    order = models.ForeignKey(Order, models.PROTECT)
    method = models.CharField(max_length=20)
    amount = models.BigIntegerField()
    status = models.CharField(max_length=10, default="PENDING")


class History(models.Model):
    status = models.CharField(max_length=10)
    actor = models.CharField(max_length=150)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True


class OrderHistory(History):
    order = models.ForeignKey(Order, models.PROTECT)


class PaymentHistory(History):
    payment = models.ForeignKey(Payment, models.PROTECT)


class Mail(Row):
    key = models.CharField(max_length=120, unique=True)
    recipient = models.EmailField()
    context = models.JSONField()
    state = models.CharField(max_length=7, default="waiting")
