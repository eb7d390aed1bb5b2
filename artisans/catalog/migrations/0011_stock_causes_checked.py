"""The check of 0010 for the moves that exist."""

from django.db import migrations

from artisans.core.index_operations import ValidateCheck


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0010_stock_causes'),
    ]

    operations = [
        ValidateCheck('stockmove', 'stock_move_cause_known'),
    ]
