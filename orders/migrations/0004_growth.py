"""Indexes for the lists and searches of the admin, so that they cost the same however many orders there are."""

import django.db.models.expressions
import django.db.models.functions.comparison
import django.db.models.functions.text
import django.db.models.lookups
from django.conf import settings
from django.db import migrations, models

from artisans.core.index_operations import AddIndex, AddPostgresIndex


def joined(first, *rest):
    """As Django's Concat."""
    return f"(COALESCE({first}, '') || COALESCE({joined(*rest) if rest[1:] else rest[0]}, ''))"


ORDER_TEXT = joined("email", "' '", "shipping_address ->> 'name'", "' '", "billing_address ->> 'name'")


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('catalog', '0002_search'),
        ('orders', '0003_paid_at'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        AddIndex(
            model_name='order',
            index=models.Index(fields=['status', 'created_at'], name='order_status'),
        ),
        AddIndex(
            model_name='order',
            index=models.Index(fields=['total_minor'], name='order_total'),
        ),
        AddIndex(
            model_name='order',
            index=models.Index(condition=models.Q(django.db.models.lookups.GreaterThan(django.db.models.functions.comparison.Greatest(models.Value(0), django.db.models.functions.comparison.Least(django.db.models.expressions.CombinedExpression(models.F('received_minor'), '-', models.F('refunded_minor')), django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('received_minor'), '-', models.F('refunded_minor')), '+', models.F('goodwill_minor')), '-', models.Case(models.When(status__in=('CANCELLED', 'EXPIRED'), then=models.Value(0)), default=django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('total_minor'), '-', models.F('cancelled_minor')), '-', models.F('goods_refunded_minor')))))), 0)), fields=['updated_at'], name='order_refund_due'),
        ),
        AddIndex(
            model_name='parcel',
            index=models.Index(django.db.models.functions.text.Upper('tracking'), condition=models.Q(('tracking', ''), _negated=True), name='parcel_tracking'),
        ),
        AddIndex(
            model_name='parcel',
            index=models.Index(condition=models.Q(('instruction', 'hold')), fields=['order'], name='parcel_on_hold'),
        ),
        AddPostgresIndex("order_text", f"orders_order USING gin (UPPER({ORDER_TEXT}) gin_trgm_ops)"),
        AddPostgresIndex("order_phone_end", "orders_order USING gin ((phone::text) gin_trgm_ops)"),
        AddPostgresIndex("order_postal_code", "orders_order ((UPPER(shipping_address ->> 'postal_code')))"),
        AddPostgresIndex(
            "order_line_product_name", "orders_orderline USING gin (UPPER(product_name::text) gin_trgm_ops)"
        ),
    ]
