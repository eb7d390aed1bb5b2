"""Indexes for the list, counter and search of emails in the admin."""

from django.db import migrations, models

from artisans.core.index_operations import AddIndex, AddPostgresIndex


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('catalog', '0002_search'),  # the extension pg_trgm
        ('notifications', '0001_initial'),
    ]

    operations = [
        AddIndex(
            model_name='notification',
            index=models.Index(condition=models.Q(('state__in', ['waiting', 'dead'])), fields=['created_at'], name='mail_to_send'),
        ),
        AddPostgresIndex("mail_of_order", "notifications_notification ((context ->> 'order_number'))"),
        AddPostgresIndex(
            "mail_recipient", "notifications_notification USING gin (UPPER(recipient::text) gin_trgm_ops)"
        ),
    ]
