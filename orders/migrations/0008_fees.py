"""What the shop takes of each line and parcel, and the rules of the store about it and about artisans' earnings."""

import django.db.models.expressions
from django.db import migrations, models

from artisans.core.index_operations import AddCheck


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0006_fee_tax_treatment'),
        ('orders', '0007_confirmed_of_guest'),
    ]

    operations = [
        migrations.AddField(
            model_name='orderline',
            name='commission_minor',
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name='orderline',
            name='commission_ppm',
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.AddField(
            model_name='orderline',
            name='commission_tax_minor',
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name='orderline',
            name='remitted_tax_minor',
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name='parcel',
            name='commission_tax_minor',
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='parcel',
            name='commission_tax_ppm',
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='parcel',
            name='fee_tax_treatment',
            field=models.CharField(blank=True, choices=[('domestic', 'Domestic: the shop adds its tax'), ('reverse_charge', 'Reverse charge: the artisan owes the tax'), ('outside', 'Outside the scope of the tax')], db_default='', default='', max_length=14),
        ),
        migrations.AddField(
            model_name='parcel',
            name='shipping_commission_minor',
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='parcel',
            name='shipping_commission_tax_minor',
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='parcel',
            name='tax_remitter',
            field=models.CharField(choices=[('artisan', 'The artisan'), ('shop', 'The shop')], db_default='artisan', default='artisan', max_length=7),
        ),
        migrations.AddField(
            model_name='storerules',
            name='cash_holder',
            field=models.CharField(choices=[('artisan', 'The artisan'), ('shop', 'The shop'), ('courier', 'The courier')], db_default='shop', default='shop', max_length=7, verbose_name='who holds cash on delivery'),
        ),
        migrations.AddField(
            model_name='storerules',
            name='commission_on_refund',
            field=models.CharField(choices=[('returned', 'Given back to the artisan'), ('kept', 'Kept by the shop')], db_default='returned', default='returned', max_length=8, verbose_name='commission on refunded goods'),
        ),
        migrations.AddField(
            model_name='storerules',
            name='commission_tax_ppm',
            field=models.PositiveIntegerField(db_default=0, default=0, help_text='In millionths: 200000 is 20%. For artisans with domestic tax on commission.', verbose_name='tax rate on commission'),
        ),
        migrations.AddField(
            model_name='storerules',
            name='hold_days',
            field=models.PositiveSmallIntegerField(db_default=14, default=14, help_text='After delivery. At least the days for returns.', verbose_name='days until earnings are released'),
        ),
        migrations.AddField(
            model_name='storerules',
            name='longest_hold_days',
            field=models.PositiveSmallIntegerField(db_default=30, default=30, help_text='After shipping, if nobody reports the delivery.', verbose_name='days until earnings are released without a report of delivery'),
        ),
        migrations.AddField(
            model_name='storerules',
            name='reserve_days',
            field=models.PositiveSmallIntegerField(db_default=0, default=0, help_text='How long the reserve is held back.', verbose_name='days of the reserve'),
        ),
        migrations.AddField(
            model_name='storerules',
            name='reserve_ppm',
            field=models.PositiveIntegerField(db_default=0, default=0, help_text='The part of each release that is held back, in millionths: 100000 is 10%.', verbose_name='reserve'),
        ),
        migrations.AddField(
            model_name='storerules',
            name='return_days',
            field=models.PositiveSmallIntegerField(db_default=14, default=14, help_text='After delivery, in which buyers may return what they bought.', verbose_name='days for returns'),
        ),
        migrations.AddField(
            model_name='storerules',
            name='tax_remitter',
            field=models.CharField(choices=[('artisan', 'The artisan'), ('shop', 'The shop')], db_default='artisan', default='artisan', help_text='If the shop does, artisans do not receive the tax. Applies to new orders only.', max_length=7, verbose_name='who pays the tax on goods to the tax office'),
        ),
        AddCheck(
            model_name='orderline',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('commission_minor__isnull', True), ('commission_ppm__isnull', True), ('commission_tax_minor__isnull', True), ('remitted_tax_minor__isnull', True)), models.Q(('commission_minor__isnull', False), ('commission_ppm__isnull', False), ('commission_tax_minor__isnull', False), ('remitted_tax_minor__isnull', False)), _connector='OR'), name='order_line_fees_frozen_together'),
        ),
        AddCheck(
            model_name='orderline',
            constraint=models.CheckConstraint(condition=models.Q(('commission_minor__gte', 0), ('commission_minor__lte', django.db.models.expressions.CombinedExpression(models.F('line_total_minor'), '-', models.F('commission_tax_minor'))), ('commission_tax_minor__gte', 0), ('remitted_tax_minor__gte', 0), ('remitted_tax_minor__lte', models.F('tax_minor'))), name='order_line_fees_within_total'),
        ),
        AddCheck(
            model_name='parcel',
            constraint=models.CheckConstraint(condition=models.Q(('commission_tax_minor__gte', 0), ('commission_tax_minor__lte', django.db.models.expressions.CombinedExpression(models.F('subtotal_minor'), '-', models.F('commission_minor'))), ('commission_tax_ppm__lte', 1000000)), name='parcel_commission_tax_within_subtotal'),
        ),
        AddCheck(
            model_name='parcel',
            constraint=models.CheckConstraint(condition=models.Q(('shipping_commission_minor__gte', 0), ('shipping_commission_minor__lte', models.F('commission_minor')), ('shipping_commission_tax_minor__gte', 0), ('shipping_commission_tax_minor__lte', models.F('commission_tax_minor')), ('shipping_minor__gte', django.db.models.expressions.CombinedExpression(models.F('shipping_commission_minor'), '+', models.F('shipping_commission_tax_minor')))), name='parcel_shipping_commission_within_shipping'),
        ),
        AddCheck(
            model_name='parcel',
            constraint=models.CheckConstraint(condition=models.Q(('fee_tax_treatment__in', ['', 'domestic', 'reverse_charge', 'outside'])), name='parcel_fee_tax_treatment_known'),
        ),
        AddCheck(
            model_name='parcel',
            constraint=models.CheckConstraint(condition=models.Q(('tax_remitter__in', ['artisan', 'shop'])), name='parcel_tax_remitter_known'),
        ),
        migrations.AddConstraint(
            model_name='storerules',
            constraint=models.CheckConstraint(condition=models.Q(('hold_days__gte', models.F('return_days'))), name='store_hold_covers_returns'),
        ),
        migrations.AddConstraint(
            model_name='storerules',
            constraint=models.CheckConstraint(condition=models.Q(('longest_hold_days__gte', models.F('hold_days'))), name='store_longest_hold_is_longest'),
        ),
        migrations.AddConstraint(
            model_name='storerules',
            constraint=models.CheckConstraint(condition=models.Q(('reserve_ppm__lte', 1000000)), name='store_reserve_at_most_all'),
        ),
        migrations.AddConstraint(
            model_name='storerules',
            constraint=models.CheckConstraint(condition=models.Q(('commission_tax_ppm__lte', 1000000)), name='store_commission_tax_at_most_all'),
        ),
        migrations.AddConstraint(
            model_name='storerules',
            constraint=models.CheckConstraint(condition=models.Q(('commission_on_refund__in', ['returned', 'kept'])), name='store_commission_on_refund_known'),
        ),
        migrations.AddConstraint(
            model_name='storerules',
            constraint=models.CheckConstraint(condition=models.Q(('tax_remitter__in', ['artisan', 'shop'])), name='store_tax_remitter_known'),
        ),
        migrations.AddConstraint(
            model_name='storerules',
            constraint=models.CheckConstraint(condition=models.Q(('cash_holder__in', ['artisan', 'shop', 'courier'])), name='store_cash_holder_known'),
        ),
    ]
