"""Extend the check of 0010 to the rows that existed."""

from django.db import migrations

from artisans.core.index_operations import ValidateCheck


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0010_parcel_cash'),
    ]

    operations = [
        ValidateCheck(model_name='parcel', name='parcel_cash_within_total'),
    ]
