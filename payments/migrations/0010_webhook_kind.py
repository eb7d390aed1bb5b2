from django.db import migrations, models

from artisans.core.index_operations import AddIndex


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('payments', '0009_run_progress'),
    ]

    operations = [
        AddIndex(
            model_name='webhookevent',
            index=models.Index(fields=['kind', 'created_at'], name='webhook_kind'),
        ),
    ]
