"""The check of 0046 for the rows that exist."""

from django.db import migrations

from artisans.core.index_operations import ValidateCheck


class Migration(migrations.Migration):

    dependencies = [('payments', '0046_fraud_warning_flags')]

    operations = [ValidateCheck('paymentflag', 'payment_flag_kind_known')]
