"""Shipping that is taxed at the rate of a tax class."""

import django.db.models.deletion
from django.db import migrations, models


def tax_as_goods(apps, schema_editor):
    """The release before knows no class of shipping."""
    apps.get_model("orders", "StoreRules").objects.filter(shipping_tax="class").update(shipping_tax="goods")


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0030_order_vat_id_checked'),
        ('regions', '0003_price_steps_checked'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='storerules',
            name='store_shipping_tax_known',
        ),
        migrations.RunPython(migrations.RunPython.noop, tax_as_goods),
        migrations.AddField(
            model_name='storerules',
            name='shipping_tax_class',
            field=models.ForeignKey(blank=True, db_index=False, help_text='If shipping is taxed at the rate of a class. The shop does not sell where it has no rate.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='regions.taxclass', verbose_name='tax class of shipping'),
        ),
        migrations.AlterField(
            model_name='storerules',
            name='shipping_tax',
            field=models.CharField(choices=[('none', 'Not taxed'), ('goods', 'At the rates of the goods that are shipped'), ('class', 'At the rate of a tax class')], db_default='none', default='none', max_length=5, verbose_name='tax on shipping'),
        ),
        migrations.AddConstraint(
            model_name='storerules',
            constraint=models.CheckConstraint(condition=models.Q(('shipping_tax__in', ['none', 'goods', 'class'])), name='store_shipping_tax_known'),
        ),
        migrations.AddConstraint(
            model_name='storerules',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('shipping_tax', 'class'), _negated=True), ('shipping_tax_class__isnull', False), _connector='OR'), name='store_shipping_tax_has_class'),
        ),
    ]
