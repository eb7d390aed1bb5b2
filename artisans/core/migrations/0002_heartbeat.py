from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Heartbeat',
            fields=[
                ('name', models.CharField(max_length=200, primary_key=True, serialize=False)),
                ('at', models.DateTimeField()),
                ('succeeded_at', models.DateTimeField(null=True)),
                ('runs', models.PositiveBigIntegerField(default=0)),
                ('failures', models.PositiveBigIntegerField(default=0)),
                ('version', models.CharField(blank=True, max_length=30)),
            ],
            options={
                'default_permissions': (),
            },
        ),
    ]
