"""The checks of 0021 for the lines and parcels that exist."""

from django.db import migrations

from artisans.core.index_operations import ValidateCheck


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0021_cancelled_units'),
    ]

    operations = [
        ValidateCheck('orderline', 'order_line_cancelled_at_most_ordered'),
        ValidateCheck('orderline', 'order_line_cancelled_refunded_within_cancelled'),
        ValidateCheck('orderline', 'order_line_unit_given_back_once'),
        ValidateCheck('parcel', 'parcel_cancelled_within_total'),
    ]
