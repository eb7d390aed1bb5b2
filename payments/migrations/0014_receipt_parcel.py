"""Cash receipts name their parcel and who holds the cash."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from artisans.core.index_operations import AddCheck


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0010_parcel_cash'),
        ('payments', '0013_fill_ledger'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='receipt',
            name='holder',
            field=models.CharField(blank=True, choices=[('artisan', 'The artisan'), ('shop', 'The shop'), ('courier', 'The courier')], db_default='', default='', max_length=7),
        ),
        migrations.AddField(
            model_name='receipt',
            name='parcel',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='receipts', to='orders.parcel'),
        ),
        AddCheck(
            model_name='receipt',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('holder__in', ['', 'shop']), ('parcel__isnull', True)), models.Q(('holder__in', ['artisan', 'shop', 'courier']), ('parcel__isnull', False)), _connector='OR'), name='receipt_of_parcel_has_holder'),
        ),
    ]
