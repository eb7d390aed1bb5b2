"""The company and VAT ID of a business that ordered, and what was known of it then."""

from django.db import migrations, models

from artisans.core.index_operations import AddCheck


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0028_parcel_shipping_days'),
    ]

    operations = [
        migrations.AddField(
            model_name='order',
            name='company',
            field=models.CharField(blank=True, db_default='', default='', max_length=150, verbose_name='company'),
        ),
        migrations.AddField(
            model_name='order',
            name='vat_id',
            field=models.CharField(blank=True, db_default='', default='', max_length=20, verbose_name='VAT ID'),
        ),
        migrations.AddField(
            model_name='order',
            name='vat_id_check',
            field=models.JSONField(blank=True, help_text='What was known of the VAT ID when the order was placed.', null=True),
        ),
        AddCheck(
            model_name='order',
            constraint=models.CheckConstraint(condition=models.Q(('is_reverse_charge', False), models.Q(models.Q(('vat_id', ''), _negated=True), ('vat_id_check__isnull', False)), _connector='OR'), name='order_reverse_charge_has_vat_id'),
        ),
    ]
