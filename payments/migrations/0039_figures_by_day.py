"""Indexes for the figures of a day."""

from django.db import migrations, models

from artisans.core.index_operations import AddIndex


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('catalog', '0020_artisan_states_checked'),
        ('orders', '0023_figures_by_day'),
        ('payments', '0038_closed_differences'),
    ]

    operations = [
        AddIndex(
            model_name='payment',
            index=models.Index(condition=models.Q(('completed_at__isnull', False)), fields=['completed_at'], name='payment_completed_on'),
        ),
        AddIndex(
            model_name='paymentrefund',
            index=models.Index(condition=models.Q(('status', 'COMPLETED')), fields=['processed_at'], name='refund_completed_on'),
        ),
    ]
