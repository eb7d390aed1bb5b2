import uuid

from django.db import migrations, models


def give_ids(apps, schema_editor):
    AuthToken = apps.get_model("accounts", "AuthToken")
    for digest in AuthToken.objects.values_list("pk", flat=True):
        AuthToken.objects.filter(pk=digest).update(public_id=uuid.uuid4())


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]
    operations = [
        migrations.AddField("authtoken", "name", models.CharField(blank=True, max_length=80)),
        migrations.AddField(
            "authtoken", "granted", models.CharField(default="read write refunds staff", max_length=60)
        ),
        migrations.AddField("authtoken", "last_used_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddField("authtoken", "public_id", models.UUIDField(editable=False, null=True)),
        migrations.RunPython(give_ids, migrations.RunPython.noop, elidable=True),
        migrations.AlterField(
            "authtoken", "public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)
        ),
    ]
