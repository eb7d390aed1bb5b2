from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('payments', '0010_webhook_kind'),
    ]

    operations = [
        migrations.AddField(
            model_name='providercall',
            name='request_deleted_at',
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name='webhookevent',
            name='content_deleted_at',
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
    ]
