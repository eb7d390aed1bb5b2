from django.db import migrations, models
from django.db.models import Q

from artisans.core.index_operations import AddCheck


class Migration(migrations.Migration):

    dependencies = [('payments', '0029_payment_fees_checked')]

    operations = [
        migrations.AddField(
            model_name='webhookevent',
            name='sent_at',
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name='webhookevent',
            name='first_processed_at',
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        AddCheck(
            model_name='webhookevent',
            constraint=models.CheckConstraint(
                condition=Q(('first_processed_at__isnull', True), ('processed_at__isnull', False), _connector='OR'),
                name='webhook_first_processed_was_processed',
            ),
        ),
    ]
