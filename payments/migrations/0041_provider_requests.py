"""An index for the list of requests that were not answered."""

from django.db import migrations, models

from artisans.core.index_operations import AddIndex


class Migration(migrations.Migration):

    atomic = False

    dependencies = [("payments", "0040_transactions")]

    operations = [
        AddIndex(
            model_name="providerrequest",
            index=models.Index(
                condition=models.Q(("outcome", "answered"), _negated=True),
                fields=["-started_at"],
                name="provider_request_not_answered",
            ),
        ),
    ]
