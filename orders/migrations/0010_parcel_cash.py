"""Cash on delivery by parcel."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from artisans.core.index_operations import AddCheck


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0006_fee_tax_treatment'),
        ('orders', '0009_fee_checks'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='parcel',
            name='cash_received_minor',
            field=models.BigIntegerField(db_default=0, default=0, help_text='Cash on delivery that staff recorded for this parcel.'),
        ),
        migrations.AddField(
            model_name='parcel',
            name='cash_reported_by',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        AddCheck(
            model_name='parcel',
            constraint=models.CheckConstraint(condition=models.Q(('cash_received_minor__gte', 0), ('cash_received_minor__lte', models.F('total_minor'))), name='parcel_cash_within_total'),
        ),
    ]
