"""Existing rows satisfy the check of products that were taken off sale."""

from django.db import migrations

from artisans.core.index_operations import ValidateCheck


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0023_taken_off_sale'),
    ]

    operations = [
        ValidateCheck('product', 'product_taken_off_is_not_published'),
    ]
