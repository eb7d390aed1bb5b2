"""Files of counts and their lines."""

import django.db.models.deletion
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0013_product_pictures'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='StockImport',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(auto_now_add=True, db_index=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('file_name', models.CharField(blank=True, max_length=100)),
                ('cause', models.CharField(choices=[('counted', 'Counted'), ('made', 'Made more'), ('sold', 'Sold elsewhere'), ('damaged', 'Damaged'), ('lost', 'Lost'), ('returned', 'Came back')], max_length=8)),
                ('reason', models.CharField(blank=True, max_length=200)),
                ('started_at', models.DateTimeField(null=True)),
                ('finished_at', models.DateTimeField(null=True)),
                ('artisan', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='stock_imports', to='catalog.artisan')),
                ('made_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ('-created_at', '-id'),
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='StockImportRow',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('line', models.PositiveIntegerField()),
                ('given', models.CharField(blank=True, max_length=120)),
                ('counted', models.IntegerField(null=True)),
                ('seen_stock', models.IntegerField(null=True)),
                ('last_count', models.BigIntegerField(null=True)),
                ('outcome', models.CharField(choices=[('counted', 'Counted'), ('unchanged', 'Unchanged'), ('repeated', 'Counted before'), ('conflict', 'Not changed'), ('refused', 'Refused')], max_length=9)),
                ('problem', models.CharField(blank=True, max_length=20)),
                ('facts', models.JSONField(default=dict)),
                ('is_done', models.BooleanField(default=False)),
                ('product', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='catalog.product')),
                ('stock_import', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='rows', to='catalog.stockimport')),
            ],
            options={
                'ordering': ('line',),
                'default_permissions': ('view',),
            },
        ),
        migrations.AddIndex(
            model_name='stockimport',
            index=models.Index(condition=models.Q(('finished_at__isnull', True), ('started_at__isnull', False)), fields=['started_at'], name='stock_import_running'),
        ),
        migrations.AddConstraint(
            model_name='stockimport',
            constraint=models.CheckConstraint(condition=models.Q(('cause__in', ['counted', 'made', 'sold', 'damaged', 'lost', 'returned'])), name='stock_import_cause_known'),
        ),
        migrations.AddConstraint(
            model_name='stockimport',
            constraint=models.CheckConstraint(condition=models.Q(('finished_at__isnull', True), ('started_at__isnull', False), _connector='OR'), name='stock_import_finished_after_start'),
        ),
        migrations.AddConstraint(
            model_name='stockimportrow',
            constraint=models.CheckConstraint(condition=models.Q(('outcome__in', ['counted', 'unchanged', 'repeated', 'conflict', 'refused'])), name='stock_import_row_outcome_known'),
        ),
        migrations.AddConstraint(
            model_name='stockimportrow',
            constraint=models.UniqueConstraint(fields=('stock_import', 'line'), name='stock_import_row_once_per_line'),
        ),
        migrations.AddConstraint(
            model_name='stockimportrow',
            constraint=models.UniqueConstraint(fields=('stock_import', 'product'), name='stock_import_row_once_per_product'),
        ),
        migrations.AddConstraint(
            model_name='stockimportrow',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('is_done', True), ('outcome', 'refused')), models.Q(('counted__gte', 0), ('last_count__isnull', False), ('product__isnull', False), ('seen_stock__isnull', False)), _connector='OR'), name='stock_import_row_counts_a_product'),
        ),
    ]
