"""Thresholds of low stock, and what artisans were emailed about."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0014_stock_imports'),
    ]

    operations = [
        migrations.CreateModel(
            name='StockWatch',
            fields=[
                ('product', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='stock_watch', serialize=False, to='catalog.product')),
                ('threshold', models.PositiveIntegerField(null=True)),
                ('emailed_stock', models.PositiveIntegerField(null=True)),
            ],
            options={
                'default_permissions': ('view',),
            },
        ),
    ]
