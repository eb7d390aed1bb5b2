"""Captures that the provider still checks are attempts, and decided once: `migrate` ends with triggers that allow it."""

from django.db import migrations, models
from django.db.models import Q

from artisans.core.index_operations import AddCheck


class Migration(migrations.Migration):

    dependencies = [('payments', '0033_provider_requests')]

    operations = [
        migrations.RemoveConstraint(model_name='paymentattempt', name='attempt_outcome_known'),
        migrations.AlterField(
            model_name='paymentattempt',
            name='outcome',
            field=models.CharField(
                choices=[
                    ('challenged', '3-D Secure pending'),
                    ('pending', 'In review'),
                    ('succeeded', 'Succeeded'),
                    ('declined', 'Declined'),
                    ('abandoned', 'Abandoned during 3-D Secure'),
                ],
                max_length=10,
            ),
        ),
        AddCheck(
            model_name='paymentattempt',
            constraint=models.CheckConstraint(
                condition=Q(outcome__in=['challenged', 'pending', 'succeeded', 'declined', 'abandoned']),
                name='attempt_outcome_known',
            ),
        ),
        AddCheck(
            model_name='paymentattempt',
            constraint=models.CheckConstraint(
                condition=Q(Q(('outcome', 'pending'), _negated=True), ('decided_at__isnull', True), _connector='OR'),
                name='attempt_pending_is_not_decided',
            ),
        ),
    ]
