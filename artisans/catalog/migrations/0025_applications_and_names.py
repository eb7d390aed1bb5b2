"""Indexes by which applications that were refused or withdrawn are purged, and products sorted by name."""

from django.db import migrations, models

from artisans.core.index_operations import AddIndex


class Migration(migrations.Migration):

    atomic = False
    dependencies = [
        ('catalog', '0024_taken_off_sale_checked'),
    ]

    operations = [
        AddIndex(
            model_name='application',
            index=models.Index(condition=models.Q(('status__in', ['refused', 'withdrawn'])), fields=['updated_at'], name='application_ended'),
        ),
        AddIndex(
            model_name='product',
            index=models.Index(fields=['is_active', 'name'], name='product_by_name'),
        ),
    ]
