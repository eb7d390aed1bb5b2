"""The checks of 0034 for the attempts that exist."""

from django.db import migrations

from artisans.core.index_operations import ValidateCheck


class Migration(migrations.Migration):

    dependencies = [('payments', '0036_fill_attempts')]

    operations = [
        ValidateCheck('paymentattempt', 'attempt_outcome_known'),
        ValidateCheck('paymentattempt', 'attempt_pending_is_not_decided'),
    ]
