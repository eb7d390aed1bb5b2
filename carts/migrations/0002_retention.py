"""An index for the purge."""

from django.db import migrations, models

from artisans.core.index_operations import AddIndex


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('carts', '0001_initial'),
    ]

    operations = [
        AddIndex(
            model_name='cart',
            index=models.Index(condition=models.Q(('status', 'ORDERED'), _negated=True), fields=['created_at'], name='cart_not_ordered'),
        ),
    ]
