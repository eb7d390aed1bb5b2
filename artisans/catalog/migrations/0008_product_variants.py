"""Variants of products, their options, SKU, care, lead time and archive."""

import django.db.models.deletion
from django.db import migrations, models

from artisans.core.index_operations import AddCheck


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0007_commission_rates'),
    ]

    operations = [
        migrations.AddField(
            model_name='product',
            name='archived_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='product',
            name='care',
            field=models.CharField(blank=True, db_default='', default='', max_length=300),
        ),
        migrations.AddField(
            model_name='product',
            name='lead_days',
            field=models.PositiveSmallIntegerField(blank=True, help_text='Empty: ready to ship.', null=True, verbose_name='made to order in (days)'),
        ),
        migrations.AddField(
            model_name='product',
            name='option_1',
            field=models.CharField(db_default='', default='', editable=False, max_length=40),
        ),
        migrations.AddField(
            model_name='product',
            name='option_2',
            field=models.CharField(db_default='', default='', editable=False, max_length=40),
        ),
        migrations.AddField(
            model_name='product',
            name='option_3',
            field=models.CharField(db_default='', default='', editable=False, max_length=40),
        ),
        migrations.AddField(
            model_name='product',
            name='parent',
            field=models.ForeignKey(db_index=False, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='variants', to='catalog.product'),
        ),
        migrations.AddField(
            model_name='product',
            name='sku',
            field=models.CharField(blank=True, db_default='', default='', max_length=60, verbose_name='SKU'),
        ),
        AddCheck(
            model_name='product',
            constraint=models.CheckConstraint(condition=models.Q(('archived_at__isnull', True), ('is_active', False), _connector='OR'), name='product_archived_is_not_published'),
        ),
        AddCheck(
            model_name='product',
            constraint=models.CheckConstraint(condition=models.Q(('lead_days__isnull', True), models.Q(('lead_days__gte', 1), ('lead_days__lte', 365)), _connector='OR'), name='product_lead_days_in_range'),
        ),
        AddCheck(
            model_name='product',
            constraint=models.CheckConstraint(condition=models.Q(('parent', models.F('id')), _negated=True), name='product_not_variant_of_itself'),
        ),
        AddCheck(
            model_name='product',
            constraint=models.CheckConstraint(condition=models.Q(('parent__isnull', True), models.Q(('option_1', ''), _negated=True), _connector='OR'), name='product_variant_has_option'),
        ),
        AddCheck(
            model_name='product',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('option_2', ''), ('option_3', '')), models.Q(models.Q(('option_1', ''), _negated=True), models.Q(('option_2', ''), _negated=True)), _connector='OR'), name='product_options_without_gaps'),
        ),
    ]
