"""Extend the check of 0024 to the rows that existed."""

from django.db import migrations

from artisans.core.index_operations import ValidateCheck


class Migration(migrations.Migration):

    dependencies = [
        ('payments', '0024_closed_movements'),
    ]

    operations = [
        ValidateCheck(model_name='providermovement', name='provider_movement_closed_by_somebody'),
    ]
