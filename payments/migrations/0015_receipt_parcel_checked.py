"""Extend the check of 0014 to the rows that existed."""

from django.db import migrations

from artisans.core.index_operations import ValidateCheck


class Migration(migrations.Migration):

    dependencies = [
        ('payments', '0014_receipt_parcel'),
    ]

    operations = [
        ValidateCheck(model_name='receipt', name='receipt_of_parcel_has_holder'),
    ]
