"""The check of 0028 for the earnings that exist."""

from django.db import migrations

from artisans.core.index_operations import ValidateCheck


class Migration(migrations.Migration):

    dependencies = [
        ('payments', '0028_payment_fees'),
    ]

    operations = [
        ValidateCheck('earning', 'earning_payment_fee_not_negative'),
    ]
