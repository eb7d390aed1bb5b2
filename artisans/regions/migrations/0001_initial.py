"""Currencies of the shop, exchange rates, and tax by place."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='TaxClass',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.SlugField(max_length=30, unique=True, verbose_name='code')),
                ('name', models.CharField(max_length=60, verbose_name='name')),
            ],
            options={
                'verbose_name': 'tax class',
                'verbose_name_plural': 'tax classes',
                'ordering': ('name',),
                'default_permissions': ('view', 'add', 'change'),
            },
        ),
        migrations.CreateModel(
            name='RateSheet',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('source', models.CharField(choices=[('ecb', 'European Central Bank'), ('manual', 'Entered by staff')], max_length=6)),
                ('base', models.CharField(max_length=3)),
                ('valid_on', models.DateField()),
                ('sha256', models.CharField(max_length=64, unique=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('imported_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'exchange rates of a day',
                'verbose_name_plural': 'exchange rates',
                'ordering': ('-valid_on', '-id'),
                'default_permissions': ('view', 'add'),
            },
        ),
        migrations.CreateModel(
            name='ExchangeRate',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('currency', models.CharField(max_length=3)),
                ('rate_e10', models.BigIntegerField()),
                ('sheet', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='rates', to='regions.ratesheet')),
            ],
            options={
                'ordering': ('sheet_id', 'currency'),
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='ShopCurrency',
            fields=[
                ('code', models.CharField(max_length=3, primary_key=True, serialize=False, verbose_name='code')),
                ('is_active', models.BooleanField(default=True, verbose_name='offered to shoppers')),
                ('position', models.PositiveSmallIntegerField(default=0, verbose_name='position')),
                ('step_minor', models.BigIntegerField(default=1, verbose_name='smallest step of amounts, in minor units')),
                ('price_step_minor', models.BigIntegerField(default=1, verbose_name='step of converted prices, in minor units')),
                ('price_charm_minor', models.BigIntegerField(default=0, help_text='1 with a step of 100: 12.99.', verbose_name='taken off converted prices, in minor units')),
                ('rounding', models.CharField(choices=[('nearest', 'To the nearest'), ('up', 'Up')], default='nearest', max_length=7, verbose_name='rounding of converted prices')),
                ('cash_limit_minor', models.BigIntegerField(blank=True, help_text='Empty: not offered in this currency.', null=True, verbose_name='cash on delivery up to, in minor units')),
            ],
            options={
                'verbose_name': 'currency',
                'verbose_name_plural': 'currencies',
                'ordering': ('position', 'code'),
                'default_permissions': ('view', 'add', 'change'),
                'constraints': [models.CheckConstraint(condition=models.Q(('code__regex', '^[A-Z]{3}$')), name='shop_currency_iso'), models.CheckConstraint(condition=models.Q(('rounding__in', ['nearest', 'up'])), name='shop_currency_rounding_known'), models.CheckConstraint(condition=models.Q(('price_step_minor__gt', 0), ('step_minor__gt', 0)), name='shop_currency_steps_positive'), models.CheckConstraint(condition=models.Q(('price_charm_minor__gte', 0), ('price_charm_minor__lt', models.F('price_step_minor'))), name='shop_currency_charm_below_step'), models.CheckConstraint(condition=models.Q(('cash_limit_minor__isnull', True), ('cash_limit_minor__gte', 0), _connector='OR'), name='shop_currency_cash_limit_not_negative')],
            },
        ),
        migrations.CreateModel(
            name='TaxZone',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=60, unique=True, verbose_name='name')),
                ('rounding', models.CharField(choices=[('line', 'Per line'), ('document', 'Once per rate over the order')], default='line', max_length=8, verbose_name='tax is rounded')),
                ('has_reverse_charge', models.BooleanField(default=False, help_text='Businesses there with a valid VAT id pay no tax to the shop.', verbose_name='reverse charge')),
            ],
            options={
                'verbose_name': 'tax zone',
                'verbose_name_plural': 'tax zones',
                'ordering': ('name',),
                'default_permissions': ('view', 'add', 'change'),
                'constraints': [models.CheckConstraint(condition=models.Q(('rounding__in', ['line', 'document'])), name='tax_zone_rounding_known')],
            },
        ),
        migrations.CreateModel(
            name='TaxRate',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('rate_ppm', models.PositiveIntegerField(help_text='In millionths: 100000 is 10%.', verbose_name='rate')),
                ('name', models.CharField(blank=True, default='', max_length=30, verbose_name='name')),
                ('valid_from', models.DateTimeField(verbose_name='applies from')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('made_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('tax_class', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='rates', to='regions.taxclass')),
                ('zone', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='rates', to='regions.taxzone')),
            ],
            options={
                'verbose_name': 'tax rate',
                'verbose_name_plural': 'tax rates',
                'ordering': ('zone_id', 'tax_class_id', '-valid_from'),
                'default_permissions': ('view', 'add'),
            },
        ),
        migrations.CreateModel(
            name='TaxZoneArea',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('country', models.CharField(blank=True, default='', help_text='Empty: all countries not listed.', max_length=2, verbose_name='country')),
                ('region', models.CharField(blank=True, default='', max_length=60, verbose_name='region')),
                ('postal_prefix', models.CharField(blank=True, default='', max_length=12, verbose_name='postal codes that start with')),
                ('zone', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='areas', to='regions.taxzone')),
            ],
            options={
                'abstract': False,
                'default_permissions': (),
            },
        ),
        migrations.AddConstraint(
            model_name='ratesheet',
            constraint=models.CheckConstraint(condition=models.Q(('source__in', ['ecb', 'manual'])), name='rate_sheet_source_known'),
        ),
        migrations.AddConstraint(
            model_name='ratesheet',
            constraint=models.CheckConstraint(condition=models.Q(('base__regex', '^[A-Z]{3}$')), name='rate_sheet_base_iso'),
        ),
        migrations.AddConstraint(
            model_name='ratesheet',
            constraint=models.UniqueConstraint(condition=models.Q(('source', 'ecb')), fields=('source', 'valid_on'), name='rate_sheet_one_of_a_day'),
        ),
        migrations.AddConstraint(
            model_name='exchangerate',
            constraint=models.CheckConstraint(condition=models.Q(('currency__regex', '^[A-Z]{3}$')), name='exchange_rate_currency_iso'),
        ),
        migrations.AddConstraint(
            model_name='exchangerate',
            constraint=models.CheckConstraint(condition=models.Q(('rate_e10__gt', 0)), name='exchange_rate_positive'),
        ),
        migrations.AddConstraint(
            model_name='exchangerate',
            constraint=models.UniqueConstraint(fields=('sheet', 'currency'), name='exchange_rate_once_in_sheet'),
        ),
        migrations.AddConstraint(
            model_name='taxrate',
            constraint=models.CheckConstraint(condition=models.Q(('rate_ppm__lte', 1000000)), name='tax_rate_at_most_all'),
        ),
        migrations.AddConstraint(
            model_name='taxrate',
            constraint=models.UniqueConstraint(fields=('zone', 'tax_class', 'valid_from'), name='tax_rate_one_start'),
        ),
        migrations.AddConstraint(
            model_name='taxzonearea',
            constraint=models.UniqueConstraint(fields=('country', 'region', 'postal_prefix'), name='taxzonearea_once'),
        ),
        migrations.AddConstraint(
            model_name='taxzonearea',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('country', ''), _negated=True), models.Q(('postal_prefix', ''), ('region', '')), _connector='OR'), name='taxzonearea_has_country'),
        ),
        migrations.AddConstraint(
            model_name='taxzonearea',
            constraint=models.CheckConstraint(condition=models.Q(('country', ''), ('country__regex', '^[A-Z]{2}$'), _connector='OR'), name='taxzonearea_country_iso'),
        ),
    ]
