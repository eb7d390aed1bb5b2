"""The name of the shipping method of a parcel."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0026_order_arithmetic_checked'),
    ]

    operations = [
        migrations.AddField(
            model_name='parcel',
            name='shipping_method',
            field=models.CharField(db_default='', default='', help_text='Its name then.', max_length=60),
        ),
    ]
