from django.db import migrations

from artisans.core.index_operations import ValidateCheck


class Migration(migrations.Migration):

    dependencies = [("payments", "0022_refund_payer")]

    operations = [
        ValidateCheck(model_name="paymentrefund", name="refund_paid_by_artisan_names_one"),
        ValidateCheck(model_name="paymentrefund", name="refund_paid_offline_has_a_date"),
    ]
