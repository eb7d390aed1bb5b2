"""Who paid an offline refund: the bank, the shop in cash, or an artisan."""

import django.db.models.deletion
from django.db import migrations, models

from artisans.core.index_operations import AddCheck


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0012_stock_moves_of_product'),
        ('payments', '0021_returned_shares_validated'),
    ]

    operations = [
        migrations.AddField(
            model_name='paymentrefund',
            name='paid_by',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='catalog.artisan'),
        ),
        migrations.AddField(
            model_name='paymentrefund',
            name='paid_from',
            field=models.CharField(blank=True, choices=[('bank', 'The shop, by bank transfer'), ('cash', 'The shop, in cash'), ('artisan', 'The artisan, in cash')], db_default='', default='', max_length=7),
        ),
        AddCheck(
            model_name='paymentrefund',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('paid_by__isnull', False), ('paid_from', 'artisan')), models.Q(('paid_by__isnull', True), ('paid_from__in', ['', 'bank', 'cash'])), _connector='OR'), name='refund_paid_by_artisan_names_one'),
        ),
        AddCheck(
            model_name='paymentrefund',
            constraint=models.CheckConstraint(condition=models.Q(('paid_from', ''), ('value_date__isnull', False), _connector='OR'), name='refund_paid_offline_has_a_date'),
        ),
    ]
