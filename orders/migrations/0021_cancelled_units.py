"""Units of order lines that an artisan cannot deliver."""

import django.db.models.deletion
import django.db.models.expressions
import uuid
from django.conf import settings
from django.db import migrations, models

from artisans.core.index_operations import AddCheck


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0018_artisan_team'),
        ('orders', '0020_order_paid'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='LineCancellation',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(auto_now_add=True, db_index=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('quantity', models.PositiveIntegerField()),
                ('currency', models.CharField(max_length=3)),
                ('amount_minor', models.BigIntegerField()),
                ('refunded_quantity', models.PositiveIntegerField(default=0)),
                ('refunded_minor', models.BigIntegerField(default=0)),
                ('restocked', models.BooleanField()),
                ('reason', models.CharField(max_length=250)),
                ('actor_name', models.CharField(max_length=150)),
            ],
            options={
                'ordering': ('created_at', 'id'),
                'default_permissions': ('view',),
            },
        ),
        migrations.AddField(
            model_name='orderline',
            name='cancelled_minor',
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='orderline',
            name='cancelled_quantity',
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='orderline',
            name='cancelled_refunded_minor',
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='orderline',
            name='cancelled_refunded_quantity',
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='orderline',
            name='lost_quantity',
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='parcel',
            name='cancelled_minor',
            field=models.BigIntegerField(db_default=0, default=0, help_text='Amount of units that will not be delivered, of the total.'),
        ),
        AddCheck(
            model_name='orderline',
            constraint=models.CheckConstraint(condition=models.Q(('cancelled_minor__gte', 0), ('cancelled_minor__lte', django.db.models.expressions.CombinedExpression(models.F('line_total_minor'), '+', models.F('tax_minor'))), ('cancelled_quantity__lte', models.F('quantity')), ('lost_quantity__lte', models.F('cancelled_quantity'))), name='order_line_cancelled_at_most_ordered'),
        ),
        AddCheck(
            model_name='orderline',
            constraint=models.CheckConstraint(condition=models.Q(('cancelled_refunded_minor__gte', 0), ('cancelled_refunded_minor__lte', models.F('cancelled_minor')), ('cancelled_refunded_quantity__lte', models.F('cancelled_quantity'))), name='order_line_cancelled_refunded_within_cancelled'),
        ),
        AddCheck(
            model_name='orderline',
            constraint=models.CheckConstraint(condition=models.Q(('quantity__gte', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('refunded_quantity'), '+', models.F('cancelled_quantity')), '-', models.F('cancelled_refunded_quantity')))), name='order_line_unit_given_back_once'),
        ),
        AddCheck(
            model_name='parcel',
            constraint=models.CheckConstraint(condition=models.Q(('cancelled_minor__gte', 0), ('cancelled_minor__lte', models.F('total_minor'))), name='parcel_cancelled_within_total'),
        ),
        migrations.AddField(
            model_name='linecancellation',
            name='actor',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='linecancellation',
            name='line',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='cancellations', to='orders.orderline'),
        ),
        migrations.AddConstraint(
            model_name='linecancellation',
            constraint=models.CheckConstraint(condition=models.Q(('quantity__gte', 1)), name='line_cancellation_quantity_positive'),
        ),
        migrations.AddConstraint(
            model_name='linecancellation',
            constraint=models.CheckConstraint(condition=models.Q(('refunded_minor__gte', 0), ('refunded_minor__lte', models.F('amount_minor')), ('refunded_quantity__lte', models.F('quantity'))), name='line_cancellation_refunded_within_it'),
        ),
        migrations.AddConstraint(
            model_name='linecancellation',
            constraint=models.CheckConstraint(condition=models.Q(('currency__regex', '^[A-Z]{3}$')), name='line_cancellation_currency_iso'),
        ),
    ]
