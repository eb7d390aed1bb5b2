from django.db import migrations

from artisans.core.index_operations import ValidateCheck


class Migration(migrations.Migration):

    dependencies = [("regions", "0002_price_steps")]

    operations = [ValidateCheck("shopcurrency", "shop_currency_price_steps_are_steps")]
