"""Discounts, tax per line and in prices, shipping tax, and steps of a currency, for orders, lines and parcels."""

import django.db.models.expressions
from django.conf import settings
from django.db import migrations, models

from artisans.core.index_operations import AddCheck


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0025_applications_and_names'),
        ('orders', '0023_figures_by_day'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='order',
            name='order_total_is_sum_of_parts',
        ),
        migrations.RemoveConstraint(
            model_name='orderline',
            name='order_line_total_is_product',
        ),
        migrations.RemoveConstraint(
            model_name='orderline',
            name='order_line_cancelled_at_most_ordered',
        ),
        migrations.RemoveConstraint(
            model_name='parcel',
            name='parcel_total_is_sum_of_parts',
        ),
        migrations.AddField(
            model_name='order',
            name='credit_held_minor',
            field=models.BigIntegerField(db_default=0, default=0, help_text='The part of the total that is held of gift cards and credit.'),
        ),
        migrations.AddField(
            model_name='order',
            name='discount_minor',
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='order',
            name='is_reverse_charge',
            field=models.BooleanField(db_default=False, default=False, help_text='The buyer owes the tax.'),
        ),
        migrations.AddField(
            model_name='order',
            name='origin',
            field=models.CharField(choices=[('shop', 'The shop'), ('renewal', 'The renewal of a subscription'), ('change', 'The change of a subscription')], db_default='shop', default='shop', max_length=7),
        ),
        migrations.AddField(
            model_name='order',
            name='prices_include_tax',
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name='order',
            name='shipping_discount_minor',
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='order',
            name='step_minor',
            field=models.BigIntegerField(db_default=1, default=1, help_text='What the order costs and refunds are multiples of it.'),
        ),
        migrations.AddField(
            model_name='orderline',
            name='discount_minor',
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='orderline',
            name='prices_include_tax',
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name='orderline',
            name='step_minor',
            field=models.BigIntegerField(db_default=1, default=1),
        ),
        migrations.AddField(
            model_name='orderline',
            name='subsidy_minor',
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='orderline',
            name='tax_name',
            field=models.CharField(blank=True, db_default='', default='', max_length=40),
        ),
        migrations.AddField(
            model_name='orderline',
            name='tax_rate_ppm',
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.AddField(
            model_name='parcel',
            name='discount_minor',
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='parcel',
            name='prices_include_tax',
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name='parcel',
            name='shipping_discount_minor',
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='parcel',
            name='shipping_tax_minor',
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='parcel',
            name='subsidy_minor',
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='storerules',
            name='gross_fixed',
            field=models.BooleanField(db_default=True, default=True, help_text='If prices include tax. Otherwise they change with the rate of the buyer’s country.', verbose_name='prices with tax are the same everywhere'),
        ),
        migrations.AddField(
            model_name='storerules',
            name='prices_include_tax',
            field=models.BooleanField(db_default=False, default=False, help_text='Prices of products and shipping. Applies to new orders only.', verbose_name='prices include tax'),
        ),
        migrations.AddField(
            model_name='storerules',
            name='shipping_tax',
            field=models.CharField(choices=[('none', 'Not taxed'), ('goods', 'At the rates of the goods that are shipped')], db_default='none', default='none', max_length=5, verbose_name='tax on shipping'),
        ),
        migrations.AddField(
            model_name='storerules',
            name='subsidy_is_taxed',
            field=models.BooleanField(db_default=False, default=False, help_text='Tax is then charged on the price that the artisan gets. Ask your accountant.', verbose_name='tax discounts that the shop pays for'),
        ),
        migrations.AddField(
            model_name='storerules',
            name='tax_by',
            field=models.CharField(choices=[('destination', 'Where the order is delivered'), ('origin', 'The shop’s own country')], db_default='destination', default='destination', max_length=11, verbose_name='place that decides the tax rate'),
        ),
        migrations.AlterField(
            model_name='order',
            name='tax_rate_ppm',
            field=models.PositiveIntegerField(help_text='Empty if items have several rates.', null=True),
        ),
        AddCheck(
            model_name='order',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('prices_include_tax', True), ('total_minor', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('subtotal_minor'), '-', models.F('discount_minor')), '+', models.F('shipping_minor')), '-', models.F('shipping_discount_minor')))), models.Q(('prices_include_tax', False), ('total_minor', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('subtotal_minor'), '-', models.F('discount_minor')), '+', models.F('shipping_minor')), '-', models.F('shipping_discount_minor')), '+', models.F('tax_minor')))), _connector='OR'), name='order_total_is_sum_of_parts'),
        ),
        AddCheck(
            model_name='order',
            constraint=models.CheckConstraint(condition=models.Q(('discount_minor__gte', 0), ('discount_minor__lte', models.F('subtotal_minor')), ('shipping_discount_minor__gte', 0), ('shipping_discount_minor__lte', models.F('shipping_minor'))), name='order_discount_within_subtotal'),
        ),
        AddCheck(
            model_name='order',
            constraint=models.CheckConstraint(condition=models.Q(('is_reverse_charge', False), models.Q(('prices_include_tax', False), ('tax_minor', 0)), _connector='OR'), name='order_reverse_charge_has_no_tax'),
        ),
        AddCheck(
            model_name='order',
            constraint=models.CheckConstraint(condition=models.Q(('credit_held_minor__gte', 0), ('credit_held_minor__lte', models.F('total_minor'))), name='order_credit_held_within_total'),
        ),
        AddCheck(
            model_name='order',
            constraint=models.CheckConstraint(condition=models.Q(('step_minor__gt', 0)), name='order_step_positive'),
        ),
        AddCheck(
            model_name='order',
            constraint=models.CheckConstraint(condition=models.Q(('origin__in', ['shop', 'renewal', 'change'])), name='order_origin_known'),
        ),
        AddCheck(
            model_name='orderline',
            constraint=models.CheckConstraint(condition=models.Q(('line_total_minor', django.db.models.expressions.CombinedExpression(models.F('unit_price_minor'), '*', models.F('quantity'))), models.Q(('line_total_minor__gte', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('unit_price_minor'), '*', models.F('quantity')), '-', django.db.models.expressions.CombinedExpression(models.F('quantity'), '/', models.Value(2)))), ('line_total_minor__lte', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('unit_price_minor'), '*', models.F('quantity')), '+', django.db.models.expressions.CombinedExpression(models.F('quantity'), '/', models.Value(2)))), ('tax_minor', 0)), _connector='OR'), name='order_line_total_is_product'),
        ),
        AddCheck(
            model_name='orderline',
            constraint=models.CheckConstraint(condition=models.Q(('discount_minor__gte', 0), ('discount_minor__lte', models.F('line_total_minor'))), name='order_line_discount_within_total'),
        ),
        AddCheck(
            model_name='orderline',
            constraint=models.CheckConstraint(condition=models.Q(('subsidy_minor__gte', 0), ('subsidy_minor__lte', models.F('discount_minor'))), name='order_line_subsidy_within_discount'),
        ),
        AddCheck(
            model_name='orderline',
            constraint=models.CheckConstraint(condition=models.Q(('step_minor__gt', 0)), name='order_line_step_positive'),
        ),
        AddCheck(
            model_name='orderline',
            constraint=models.CheckConstraint(condition=models.Q(('cancelled_minor__gte', 0), ('cancelled_quantity__lte', models.F('quantity')), ('lost_quantity__lte', models.F('cancelled_quantity')), models.Q(models.Q(('cancelled_minor__lte', django.db.models.expressions.CombinedExpression(models.F('line_total_minor'), '-', models.F('discount_minor'))), ('prices_include_tax', True)), models.Q(('cancelled_minor__lte', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('line_total_minor'), '-', models.F('discount_minor')), '+', models.F('tax_minor'))), ('prices_include_tax', False)), _connector='OR')), name='order_line_cancelled_at_most_ordered'),
        ),
        AddCheck(
            model_name='parcel',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('prices_include_tax', True), ('total_minor', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('subtotal_minor'), '-', models.F('discount_minor')), '+', models.F('shipping_minor')), '-', models.F('shipping_discount_minor')))), models.Q(('prices_include_tax', False), ('total_minor', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('subtotal_minor'), '-', models.F('discount_minor')), '+', models.F('shipping_minor')), '-', models.F('shipping_discount_minor')), '+', models.F('tax_minor')))), _connector='OR'), name='parcel_total_is_sum_of_parts'),
        ),
        AddCheck(
            model_name='parcel',
            constraint=models.CheckConstraint(condition=models.Q(('discount_minor__gte', 0), ('discount_minor__lte', models.F('subtotal_minor')), ('shipping_discount_minor__gte', 0), ('shipping_discount_minor__lte', models.F('shipping_minor'))), name='parcel_discount_within_subtotal'),
        ),
        AddCheck(
            model_name='parcel',
            constraint=models.CheckConstraint(condition=models.Q(('subsidy_minor__gte', 0), ('subsidy_minor__lte', models.F('discount_minor'))), name='parcel_subsidy_within_discount'),
        ),
        AddCheck(
            model_name='parcel',
            constraint=models.CheckConstraint(condition=models.Q(('shipping_tax_minor__gte', 0), ('shipping_tax_minor__lte', models.F('tax_minor'))), name='parcel_shipping_tax_within_tax'),
        ),
        migrations.AddConstraint(
            model_name='storerules',
            constraint=models.CheckConstraint(condition=models.Q(('shipping_tax__in', ['none', 'goods'])), name='store_shipping_tax_known'),
        ),
        migrations.AddConstraint(
            model_name='storerules',
            constraint=models.CheckConstraint(condition=models.Q(('tax_by__in', ['destination', 'origin'])), name='store_tax_by_known'),
        ),
    ]
