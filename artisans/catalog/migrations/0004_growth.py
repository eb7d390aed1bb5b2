"""An index for the search of stock movements in the admin."""

from django.db import migrations

from artisans.core.index_operations import AddPostgresIndex


class Migration(migrations.Migration):

    atomic = False
    dependencies = [
        ('catalog', '0003_search_by_field'),
    ]

    operations = [
        AddPostgresIndex("stock_move_reason", "catalog_stockmove (UPPER(reason::text) text_pattern_ops)"),
    ]
