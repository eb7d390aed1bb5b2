"""Extend the check of 0026 to the rows that existed."""

from django.db import migrations

from artisans.core.index_operations import ValidateCheck


class Migration(migrations.Migration):

    dependencies = [
        ('payments', '0026_deposit_of_cash_left'),
    ]

    operations = [
        ValidateCheck(model_name='cashdepositline', name='cash_deposit_line_paid_back_in_currency'),
    ]
