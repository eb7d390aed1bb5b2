"""The checks of 0042 for the rows that exist."""

from django.db import migrations

from artisans.core.index_operations import ValidateCheck


class Migration(migrations.Migration):

    dependencies = [('payments', '0042_conversions')]

    operations = [
        ValidateCheck('providermovement', 'provider_movement_kind_known'),
        ValidateCheck('providermovement', 'provider_movement_charged_in_another_currency'),
    ]
