"""For figures by the day on which attempts were started or decided, and for those that 3-D Secure keeps waiting."""

from django.db import migrations, models
from django.db.models.functions import Coalesce

from artisans.core.index_operations import AddIndex


class Migration(migrations.Migration):

    atomic = False

    dependencies = [('payments', '0034_pending_attempts')]

    operations = [
        AddIndex(
            model_name='paymentattempt',
            index=models.Index(fields=['tried_at'], name='attempt_tried'),
        ),
        AddIndex(
            model_name='paymentattempt',
            index=models.Index(
                Coalesce('decided_at', 'tried_at'),
                condition=models.Q(('outcome__in', ('challenged', 'pending')), _negated=True),
                name='attempt_decided',
            ),
        ),
        AddIndex(
            model_name='paymentattempt',
            index=models.Index(
                condition=models.Q(('outcome', 'challenged')), fields=['tried_at'], name='attempt_challenged'
            ),
        ),
    ]
