from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0003_lease'),
    ]

    operations = [
        migrations.CreateModel(
            name='Purge',
            fields=[
                ('name', models.CharField(max_length=40, primary_key=True, serialize=False)),
                ('at', models.DateTimeField()),
                ('removed', models.PositiveBigIntegerField()),
                ('overdue_since', models.DateTimeField(null=True)),
            ],
            options={
                'default_permissions': (),
            },
        ),
    ]
