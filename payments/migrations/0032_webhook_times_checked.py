"""The check of 0030 for the events that exist."""

from django.db import migrations

from artisans.core.index_operations import ValidateCheck


class Migration(migrations.Migration):

    dependencies = [('payments', '0031_fill_webhook_times')]

    operations = [ValidateCheck('webhookevent', 'webhook_first_processed_was_processed')]
