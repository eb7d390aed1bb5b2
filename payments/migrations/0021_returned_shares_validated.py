from django.db import migrations

from artisans.core.index_operations import ValidateCheck


class Migration(migrations.Migration):

    dependencies = [("payments", "0020_returned_shares")]

    operations = [ValidateCheck(model_name="earning", name="earning_returned_not_negative")]
