"""How many days the shipping method of a parcel takes."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0027_parcel_shipping_method'),
    ]

    operations = [
        migrations.AddField(
            model_name='parcel',
            name='shipping_max_days',
            field=models.PositiveSmallIntegerField(null=True),
        ),
        migrations.AddField(
            model_name='parcel',
            name='shipping_min_days',
            field=models.PositiveSmallIntegerField(help_text='Business days that it took then, at least.', null=True),
        ),
    ]
