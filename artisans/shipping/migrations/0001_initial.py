"""Shipping methods and their rates by place."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('catalog', '0027_price_lists'),
    ]

    operations = [
        migrations.CreateModel(
            name='ShippingZone',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=60, unique=True, verbose_name='name')),
            ],
            options={
                'verbose_name': 'shipping zone',
                'verbose_name_plural': 'shipping zones',
                'ordering': ('name',),
                'default_permissions': ('view', 'add', 'change'),
            },
        ),
        migrations.CreateModel(
            name='ShippingMethod',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=60, verbose_name='name')),
                ('kind', models.CharField(choices=[('delivery', 'Delivery'), ('pickup', 'Pickup')], default='delivery', max_length=8, verbose_name='kind')),
                ('charged_per', models.CharField(choices=[('order', 'Per order'), ('parcel', 'Per parcel')], default='order', max_length=6, verbose_name='charged')),
                ('min_days', models.PositiveSmallIntegerField(blank=True, null=True, verbose_name='days, at least')),
                ('max_days', models.PositiveSmallIntegerField(blank=True, null=True, verbose_name='days, at most')),
                ('is_active', models.BooleanField(default=True, verbose_name='offered')),
                ('position', models.PositiveSmallIntegerField(default=0, verbose_name='position')),
                ('artisan', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='shipping_methods', to='catalog.artisan')),
                ('zone', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='methods', to='shipping.shippingzone')),
            ],
            options={
                'verbose_name': 'shipping method',
                'verbose_name_plural': 'shipping methods',
                'ordering': ('position', 'pk'),
                'default_permissions': ('view', 'add', 'change'),
            },
        ),
        migrations.CreateModel(
            name='ShippingZoneArea',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('country', models.CharField(blank=True, default='', help_text='Empty: all countries not listed.', max_length=2, verbose_name='country')),
                ('region', models.CharField(blank=True, default='', max_length=60, verbose_name='region')),
                ('postal_prefix', models.CharField(blank=True, default='', max_length=12, verbose_name='postal codes that start with')),
                ('zone', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='areas', to='shipping.shippingzone')),
            ],
            options={
                'abstract': False,
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='ShippingRate',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('currency', models.CharField(max_length=3, verbose_name='currency')),
                ('min_weight_g', models.PositiveIntegerField(default=0, verbose_name='from a weight of (grams)')),
                ('min_goods_minor', models.BigIntegerField(default=0, verbose_name='from goods worth, in minor units')),
                ('price_minor', models.BigIntegerField(verbose_name='price, in minor units')),
                ('method', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='rates', to='shipping.shippingmethod')),
            ],
            options={
                'verbose_name': 'shipping rate',
                'verbose_name_plural': 'shipping rates',
                'ordering': ('method_id', 'currency', 'min_weight_g', 'min_goods_minor'),
                'default_permissions': (),
                'constraints': [models.CheckConstraint(condition=models.Q(('currency__regex', '^[A-Z]{3}$')), name='shipping_rate_currency_iso'), models.CheckConstraint(condition=models.Q(('min_goods_minor__gte', 0), ('price_minor__gte', 0)), name='shipping_rate_not_negative'), models.UniqueConstraint(fields=('method', 'currency', 'min_weight_g', 'min_goods_minor'), name='shipping_rate_once_per_bounds')],
            },
        ),
        migrations.AddConstraint(
            model_name='shippingmethod',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['delivery', 'pickup'])), name='shipping_method_kind_known'),
        ),
        migrations.AddConstraint(
            model_name='shippingmethod',
            constraint=models.CheckConstraint(condition=models.Q(('charged_per__in', ['order', 'parcel'])), name='shipping_method_charged_per_known'),
        ),
        migrations.AddConstraint(
            model_name='shippingmethod',
            constraint=models.CheckConstraint(condition=models.Q(('artisan__isnull', True), ('charged_per', 'parcel'), _connector='OR'), name='shipping_method_of_artisan_per_parcel'),
        ),
        migrations.AddConstraint(
            model_name='shippingmethod',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('max_days__isnull', True), ('min_days__isnull', True)), ('min_days__lte', models.F('max_days')), _connector='OR'), name='shipping_method_days_in_order'),
        ),
        migrations.AddConstraint(
            model_name='shippingmethod',
            constraint=models.UniqueConstraint(condition=models.Q(('artisan__isnull', True)), fields=('zone', 'name'), name='shipping_method_name_of_shop'),
        ),
        migrations.AddConstraint(
            model_name='shippingmethod',
            constraint=models.UniqueConstraint(fields=('zone', 'artisan', 'name'), name='shipping_method_name_of_artisan'),
        ),
        migrations.AddConstraint(
            model_name='shippingzonearea',
            constraint=models.UniqueConstraint(fields=('country', 'region', 'postal_prefix'), name='shippingzonearea_once'),
        ),
        migrations.AddConstraint(
            model_name='shippingzonearea',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('country', ''), _negated=True), models.Q(('postal_prefix', ''), ('region', '')), _connector='OR'), name='shippingzonearea_has_country'),
        ),
        migrations.AddConstraint(
            model_name='shippingzonearea',
            constraint=models.CheckConstraint(condition=models.Q(('country', ''), ('country__regex', '^[A-Z]{2}$'), _connector='OR'), name='shippingzonearea_country_iso'),
        ),
    ]
