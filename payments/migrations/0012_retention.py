"""Indexes for the purge."""

from django.db import migrations, models

from artisans.core.index_operations import AddIndex


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('payments', '0011_content_deleted_at'),
    ]

    operations = [
        AddIndex(
            model_name='paymentattempt',
            index=models.Index(condition=models.Q(('fingerprint_hash', ''), _negated=True), fields=['created_at'], name='attempt_fingerprint_kept'),
        ),
        AddIndex(
            model_name='providercall',
            index=models.Index(condition=models.Q(('request_deleted_at__isnull', True)), fields=['created_at'], name='provider_call_request_kept'),
        ),
        AddIndex(
            model_name='webhookevent',
            index=models.Index(condition=models.Q(('content_deleted_at__isnull', True)), fields=['created_at'], name='webhook_content_kept'),
        ),
    ]
