"""Indexes for the lists, counters and searches of the admin."""

from django.conf import settings
from django.db import migrations, models

from artisans.core.index_operations import AddIndex


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('orders', '0004_growth'),
        ('payments', '0006_attempt_last_four'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        AddIndex(
            model_name='payment',
            index=models.Index(fields=['amount_minor'], name='payment_amount'),
        ),
        AddIndex(
            model_name='paymentrefund',
            index=models.Index(condition=models.Q(('bank_reference', ''), _negated=True), fields=['bank_reference'], name='refund_bank_reference'),
        ),
        AddIndex(
            model_name='webhookevent',
            index=models.Index(condition=models.Q(('state__in', ['received', 'waiting', 'staff', 'dead'])), fields=['created_at'], name='webhook_unsettled'),
        ),
    ]
