"""The checks of 0024 for the orders, lines and parcels that exist."""

from django.db import migrations

from artisans.core.index_operations import ValidateCheck


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0025_line_tax_rates'),
    ]

    operations = [
        ValidateCheck('order', 'order_total_is_sum_of_parts'),
        ValidateCheck('order', 'order_discount_within_subtotal'),
        ValidateCheck('order', 'order_reverse_charge_has_no_tax'),
        ValidateCheck('order', 'order_credit_held_within_total'),
        ValidateCheck('order', 'order_step_positive'),
        ValidateCheck('order', 'order_origin_known'),
        ValidateCheck('orderline', 'order_line_total_is_product'),
        ValidateCheck('orderline', 'order_line_discount_within_total'),
        ValidateCheck('orderline', 'order_line_subsidy_within_discount'),
        ValidateCheck('orderline', 'order_line_step_positive'),
        ValidateCheck('orderline', 'order_line_cancelled_at_most_ordered'),
        ValidateCheck('parcel', 'parcel_total_is_sum_of_parts'),
        ValidateCheck('parcel', 'parcel_discount_within_subtotal'),
        ValidateCheck('parcel', 'parcel_subsidy_within_discount'),
        ValidateCheck('parcel', 'parcel_shipping_tax_within_tax'),
    ]
