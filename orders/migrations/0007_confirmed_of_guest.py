"""An index for the limit on unpaid orders of a known buyer who ordered as a guest. It has few rows: none for accounts."""

from django.conf import settings
from django.db import migrations, models

from artisans.core.index_operations import AddIndex


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('orders', '0006_unpaid_of_user'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        AddIndex(
            model_name='order',
            index=models.Index(condition=models.Q(('mailbox_confirmed_at__isnull', False), ('user', None)), fields=['email'], name='order_confirmed_of_guest'),
        ),
    ]
