from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("payments", "0037_pending_attempts_checked")]

    operations = [
        migrations.AddField(
            model_name="reconciliationrun",
            name="closed",
            field=models.JSONField(blank=True, default=list, null=True),
        ),
    ]
