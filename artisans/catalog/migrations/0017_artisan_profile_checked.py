"""Existing rows satisfy the checks of artisans' profiles."""

from django.db import migrations

from artisans.core.index_operations import ValidateCheck


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0016_artisan_profile'),
    ]

    operations = [
        ValidateCheck('artisan', 'artisan_processing_days_in_range'),
        ValidateCheck('artisan', 'artisan_holiday_ends_after_its_start'),
    ]
