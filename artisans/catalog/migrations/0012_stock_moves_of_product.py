"""The history of a product's stock, newest first, and its last count."""

from django.db import migrations, models

from artisans.core.index_operations import AddIndex


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('catalog', '0011_stock_causes_checked'),
    ]

    operations = [
        AddIndex(
            model_name='stockmove',
            index=models.Index(fields=['product', '-id'], name='stock_move_of_product'),
        ),
    ]
