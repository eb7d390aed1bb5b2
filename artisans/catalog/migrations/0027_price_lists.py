"""Tax class and weight of products, and their prices in other currencies."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0026_closing_asked_by_workshop'),
        ('regions', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='product',
            name='tax_class',
            field=models.ForeignKey(blank=True, db_index=False, help_text='Empty: standard.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='regions.taxclass'),
        ),
        migrations.AddField(
            model_name='product',
            name='weight_g',
            field=models.PositiveIntegerField(db_default=0, default=0, verbose_name='weight in grams'),
        ),
        migrations.CreateModel(
            name='ProductPrice',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('currency', models.CharField(max_length=3)),
                ('price_minor', models.BigIntegerField()),
                ('origin', models.CharField(choices=[('manual', 'Entered'), ('converted', 'Converted')], default='manual', max_length=9)),
                ('from_minor', models.BigIntegerField(null=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('product', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='prices', to='catalog.product')),
                ('sheet', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='regions.ratesheet')),
            ],
            options={
                'ordering': ('product_id', 'currency'),
                'default_permissions': ('view',),
                'constraints': [models.UniqueConstraint(fields=('product', 'currency'), name='product_price_once_per_currency'), models.CheckConstraint(condition=models.Q(('currency__regex', '^[A-Z]{3}$')), name='product_price_currency_iso'), models.CheckConstraint(condition=models.Q(('price_minor__gt', 0)), name='product_price_of_list_positive'), models.CheckConstraint(condition=models.Q(models.Q(('from_minor__isnull', False), ('origin', 'converted'), ('sheet__isnull', False)), models.Q(('from_minor__isnull', True), ('origin', 'manual'), ('sheet__isnull', True)), _connector='OR'), name='product_price_converted_names_its_sheet')],
            },
        ),
    ]
