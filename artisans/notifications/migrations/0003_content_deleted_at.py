from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('notifications', '0002_growth'),
    ]

    operations = [
        migrations.AddField(
            model_name='notification',
            name='content_deleted_at',
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
    ]
