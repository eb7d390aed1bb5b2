"""Why a count changed the stock, and who counted."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from artisans.core.index_operations import AddCheck


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0009_product_variants_checked'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='stockmove',
            name='actor',
            field=models.ForeignKey(blank=True, db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='stockmove',
            name='cause',
            field=models.CharField(blank=True, choices=[('counted', 'Counted'), ('made', 'Made more'), ('sold', 'Sold elsewhere'), ('damaged', 'Damaged'), ('lost', 'Lost'), ('returned', 'Came back')], db_default='', default='', max_length=8),
        ),
        AddCheck(
            model_name='stockmove',
            constraint=models.CheckConstraint(condition=models.Q(('cause__in', ['', 'counted', 'made', 'sold', 'damaged', 'lost', 'returned'])), name='stock_move_cause_known'),
        ),
    ]
