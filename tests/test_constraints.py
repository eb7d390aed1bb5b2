"""The database keeps the rules, whoever writes: every named constraint is broken once by hand and refused."""

from typing import Any

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, transaction
from django.db.models import CheckConstraint, F
from django.utils import timezone

from artisans.accounts.principals import Principal
from artisans.catalog.models import Product
from carts.models import Cart
from carts.services import cart_items_add, cart_open
from orders.models import Order
from payments.methods import PaymentMethod
from payments.models import Payment
from payments.services.payments import payment_choose
from payments.tests.factories import give_back, record, start
from tests.dump import LABELS

pytestmark = pytest.mark.django_db

# What to write into all rows of a model. Two rows of each exist, so that the same value twice breaks uniqueness.
BAD: dict[str, tuple[str, dict[str, Any]]] = {
    "user_email_unique_in_any_case": ("accounts.User", {"email": F("name")}),
    "user_role_known": ("accounts.User", {"role": "king"}),
    "cart_status_known": ("carts.Cart", {"status": "GONE", "order": None}),
    "cart_currency_iso": ("carts.Cart", {"currency": "usd"}),
    "cart_has_one_kind_of_owner": ("carts.Cart", {"user": None}),
    "cart_ordered_has_order": ("carts.Cart", {"status": "ORDERED"}),
    "cart_one_open_per_user": ("carts.Cart", {"status": "OPEN", "order": None}),
    "cart_item_once_per_product": ("carts.CartItem", {"product": "first"}),
    "cart_item_quantity_in_range": ("carts.CartItem", {"quantity": 100}),
    "cart_item_seen_price_positive": ("carts.CartItem", {"seen_price_minor": 0}),
    "artisan_commission_at_most_all": ("catalog.Artisan", {"commission_ppm": 1_000_001}),
    "product_stock_not_negative": ("catalog.Product", {"stock": F("stock") - 1000}),
    "product_price_positive": ("catalog.Product", {"price_minor": 0}),
    "product_currency_iso": ("catalog.Product", {"currency": "U$D"}),
    "stock_move_kind_known": ("catalog.StockMove", {"kind": "lost"}),
    "stock_move_once_per_line_and_kind": ("catalog.StockMove", {"order_line": "first"}),
    "stock_move_moves_something": ("catalog.StockMove", {"quantity": 0}),
    "mail_state_known": ("notifications.Notification", {"state": "x"}),
    "mail_sent_has_time": ("notifications.Notification", {"state": "sent"}),
    "store_rules_one_row": ("orders.StoreRules", {"id": 2}),
    "store_tax_rate_at_most_all": ("orders.StoreRules", {"tax_rate_ppm": 1_000_001}),
    "store_shipping_not_negative": ("orders.StoreRules", {"shipping_minor": -1}),
    "store_cash_limit_not_negative": ("orders.StoreRules", {"cash_limit_minor": -1}),
    "store_currency_iso": ("orders.StoreRules", {"currency": "US"}),
    "order_status_known": ("orders.Order", {"status": "LOST"}),
    "order_payment_status_known": ("orders.Order", {"payment_status": "MAYBE"}),
    "order_currency_iso": ("orders.Order", {"currency": ""}),
    "order_total_is_sum_of_parts": ("orders.Order", {"total_minor": F("total_minor") - 1}),
    "order_amounts_not_negative": (
        "orders.Order",
        {"tax_minor": -1, "shipping_minor": F("shipping_minor") + F("tax_minor") + 1},
    ),
    "order_cancelled_at_most_total": ("orders.Order", {"cancelled_minor": F("total_minor") + 1}),
    "order_refunded_at_most_received": ("orders.Order", {"refunded_minor": F("received_minor") + 1}),
    "order_released_only_when_confirmed": (
        "orders.Order",
        {"status": "PENDING", "released_at": timezone.now()},
    ),
    "parcel_status_known": ("orders.Parcel", {"status": "LOST"}),
    "parcel_one_per_order_and_artisan": ("orders.Parcel", {"artisan": "first"}),
    "parcel_number_unique_in_order": ("orders.Parcel", {"number": 1}),
    "parcel_total_is_sum_of_parts": ("orders.Parcel", {"shipping_minor": F("shipping_minor") + 1}),
    "parcel_commission_within_subtotal": ("orders.Parcel", {"commission_minor": F("subtotal_minor") + 1}),
    "order_line_position_unique": ("orders.OrderLine", {"position": 0}),
    "order_line_quantity_positive": ("orders.OrderLine", {"quantity": 0, "line_total_minor": 0}),
    "order_line_total_is_product": ("orders.OrderLine", {"quantity": F("quantity") + 1}),
    "order_line_tax_not_negative": ("orders.OrderLine", {"tax_minor": -1}),
    "payment_status_known": ("payments.Payment", {"status": "MAYBE"}),
    "payment_currency_iso": ("payments.Payment", {"currency": "dollar"[:3]}),
    "payment_method_fits_provider": ("payments.Payment", {"payment_provider": "stripe"}),
    "payment_amount_positive": ("payments.Payment", {"amount_minor": 0}),
    "payment_sums_not_negative": ("payments.Payment", {"refund_reserved_minor": -1}),
    "payment_refunds_at_most_received": (
        "payments.Payment",
        {"refund_reserved_minor": F("received_minor") + 1},
    ),
    "payment_completed_has_the_money": ("payments.Payment", {"status": "COMPLETED", "amount_minor": 10**9}),
    "payment_one_open_per_order": ("payments.Payment", {"status": "FAILED"}),
    "payment_provider_id_unique": ("payments.Payment", {"provider_payment_id": "pi_1"}),
    "receipt_currency_iso": ("payments.Receipt", {"currency": "Usd"}),
    "receipt_amount_positive": ("payments.Receipt", {"amount_minor": 0}),
    "receipt_once_per_bank_reference": ("payments.Receipt", {"bank_reference": "STMT-1"}),
    "refund_status_known": ("payments.PaymentRefund", {"status": "MAYBE"}),
    "refund_currency_iso": ("payments.PaymentRefund", {"currency": "12"}),
    "refund_amount_positive": ("payments.PaymentRefund", {"amount_minor": -5}),
    "refund_provider_id_unique": ("payments.PaymentRefund", {"provider_refund_id": "re_1"}),
    "refund_once_per_bank_reference": ("payments.PaymentRefund", {"bank_reference": "OUT-1"}),
}


def named() -> dict[str, Any]:
    models = [model for label in LABELS for model in apps.get_app_config(label).get_models()]
    return {c.name: c for model in models for c in model._meta.constraints}


@pytest.fixture
def world(shopper, staff, bowl, scarf, store) -> Order:
    """At least two rows of everything that belongs together."""
    type(shopper).objects.filter(pk=staff.pk).update(name=shopper.email.upper())
    type(shopper).objects.filter(pk=shopper.pk).update(name=shopper.email)
    payment = start(pieces={bowl: 1, scarf: 1}, user=shopper)
    for reference in ("STMT-1", "STMT-2"):
        record(payment, "10.00", actor=staff, reference=reference)
    for reference in ("OUT-1", "OUT-2"):
        give_back(payment, "1.00", actor=staff, reference=reference)
    payment_choose(order_id=payment.order_id, method=PaymentMethod.CHECK, actor=shopper)
    mine = Principal(user=shopper)
    old, *_ = cart_open(mine)
    cart_items_add(principal=mine, cart_id=old.pk, adds={bowl.pk: 1, scarf.pk: 1})
    Cart.objects.filter(pk=old.pk).update(status="ORDERED", order=payment.order)
    cart_open(mine)
    payment.order.refresh_from_db()
    return payment.order


FIRST = {
    "product": Product.objects.first,
    "artisan": lambda: Product.objects.first().artisan,
    "order_line": lambda: Order.objects.get().lines.first().pk,
}


@pytest.mark.parametrize("name", BAD)
def test_constraint_refuses_what_breaks_it(world, name):
    label, changes = BAD[name]
    rows = apps.get_model(label)._base_manager.all()
    assert rows.exists(), "nothing to break"
    changes = {field: FIRST[field]() if value == "first" else value for field, value in changes.items()}

    with pytest.raises(IntegrityError) as refused, transaction.atomic():
        rows.update(**changes)

    tells_its_name = connection.vendor == "postgresql" or isinstance(named()[name], CheckConstraint)
    assert not tells_its_name or name in str(refused.value), refused.value


def test_every_constraint_has_an_entry():
    assert set(BAD) == set(named())


@pytest.mark.parametrize(
    ("model", "label"),
    [(model, label) for label in LABELS for model in apps.get_app_config(label).get_models()],
)
def test_row_that_others_stand_on_is_not_deleted(model, label):
    """Deleting an order, a payment or a person never takes their history along."""
    for field in model._meta.get_fields():
        if field.one_to_many and field.auto_created and field.related_model._meta.app_label in LABELS:
            cascades = field.on_delete.__name__ == "CASCADE"
            allowed = {("Cart", "CartItem"), ("User", "AuthToken")}
            assert not cascades or (model.__name__, field.related_model.__name__) in allowed, field


def test_two_rows_of_what_must_be_unique_exist(world):
    assert Payment.objects.count() == 2
    assert Cart.objects.count() == 2
