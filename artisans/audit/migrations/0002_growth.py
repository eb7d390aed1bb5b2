"""Indexes for the search of the audit log."""

from django.conf import settings
from django.db import migrations, models

from artisans.core.index_operations import AddIndex, AddPostgresIndex


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('catalog', '0002_search'),  # the extension pg_trgm
        ('audit', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        AddIndex(
            model_name='auditentry',
            index=models.Index(condition=models.Q(('request_id', ''), _negated=True), fields=['request_id'], name='audit_of_request'),
        ),
        AddPostgresIndex("audit_actor_name", "audit_auditentry USING gin (UPPER(actor_name::text) gin_trgm_ops)"),
    ]
