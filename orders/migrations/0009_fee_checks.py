"""The checks of 0008 for the lines and parcels that exist."""

from django.db import migrations

from artisans.core.index_operations import ValidateCheck


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0008_fees'),
    ]

    operations = [
        ValidateCheck('orderline', 'order_line_fees_frozen_together'),
        ValidateCheck('orderline', 'order_line_fees_within_total'),
        ValidateCheck('parcel', 'parcel_commission_tax_within_subtotal'),
        ValidateCheck('parcel', 'parcel_shipping_commission_within_shipping'),
        ValidateCheck('parcel', 'parcel_fee_tax_treatment_known'),
        ValidateCheck('parcel', 'parcel_tax_remitter_known'),
    ]
