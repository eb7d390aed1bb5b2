from django.db import migrations

from artisans.core.index_operations import ValidateCheck


class Migration(migrations.Migration):

    dependencies = [("payments", "0016_earnings")]

    operations = [ValidateCheck(model_name="paymentrefund", name="refund_bearer_known")]
