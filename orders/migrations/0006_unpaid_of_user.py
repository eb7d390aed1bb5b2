"""An index for the limit on unpaid orders of a known buyer."""

from django.conf import settings
from django.db import migrations, models

from artisans.core.index_operations import AddIndex


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('orders', '0005_held_lines'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        AddIndex(
            model_name='order',
            index=models.Index(condition=models.Q(('payment_status', 'UNPAID'), ('status__in', ['PENDING', 'CONFIRMED', 'PROCESSING'])), fields=['user'], name='order_unpaid_of_user'),
        ),
    ]
