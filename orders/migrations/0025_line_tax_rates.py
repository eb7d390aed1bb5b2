"""The tax rate of each line of release 0.1.0 is that of its order."""

from django.db import migrations

from artisans.core.index_operations import RunInBatches


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('orders', '0024_order_arithmetic'),
    ]

    operations = [
        RunInBatches(
            'orders_orderline',
            where='tax_rate_ppm IS NULL',
            sql='UPDATE orders_orderline SET tax_rate_ppm = '
            '(SELECT tax_rate_ppm FROM orders_order WHERE orders_order.id = orders_orderline.order_id) '
            'WHERE id IN ({keys})',
        ),
    ]
