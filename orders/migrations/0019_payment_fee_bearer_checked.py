"""The check of 0018 for the parcels that exist."""

from django.db import migrations

from artisans.core.index_operations import ValidateCheck


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0018_payment_fee_bearer'),
    ]

    operations = [
        ValidateCheck('parcel', 'parcel_payment_fee_bearer_known'),
    ]
