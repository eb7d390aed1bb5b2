"""The check of 0029 for the orders that exist."""

from django.db import migrations

from artisans.core.index_operations import ValidateCheck


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0029_order_vat_id'),
    ]

    operations = [
        ValidateCheck('order', 'order_reverse_charge_has_vat_id'),
    ]
