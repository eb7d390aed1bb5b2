"""Existing rows satisfy the checks of workshops' states."""

from django.db import migrations

from artisans.core.index_operations import ValidateCheck


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0019_artisan_states'),
    ]

    operations = [
        ValidateCheck('artisan', 'artisan_state_known'),
        ValidateCheck('artisan', 'artisan_on_sale_only_if_active'),
    ]
