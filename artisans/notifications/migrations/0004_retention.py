"""An index for the purge."""

from django.db import migrations, models

from artisans.core.index_operations import AddIndex


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('notifications', '0003_content_deleted_at'),
    ]

    operations = [
        AddIndex(
            model_name='notification',
            index=models.Index(condition=models.Q(('content_deleted_at__isnull', True)), fields=['created_at'], name='mail_content_kept'),
        ),
    ]
