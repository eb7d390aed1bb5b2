"""Indexes for the figures of a day."""

from django.db import migrations, models

from artisans.core.index_operations import AddIndex


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('orders', '0022_cancelled_units_checked'),
    ]

    operations = [
        AddIndex(
            model_name='order',
            index=models.Index(condition=models.Q(('paid_at__isnull', False)), fields=['paid_at'], name='order_paid_on'),
        ),
    ]
