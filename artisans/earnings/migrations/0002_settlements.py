"""Payments of artisans' debts, and write-offs."""

import django.db.models.deletion
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('earnings', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Settlement',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(auto_now_add=True, db_index=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('means', models.CharField(choices=[('bank', 'Bank transfer'), ('cash', 'Cash'), ('write_off', 'Written off')], max_length=9)),
                ('status', models.CharField(choices=[('recorded', 'Recorded'), ('reversed', 'Reversed')], default='recorded', max_length=8)),
                ('currency', models.CharField(help_text='That of the debt.', max_length=3)),
                ('amount_minor', models.BigIntegerField()),
                ('value_date', models.DateField()),
                ('reference', models.CharField(blank=True, max_length=80)),
                ('reference_key', models.CharField(blank=True, max_length=120)),
                ('note', models.CharField(blank=True, max_length=300)),
                ('reversed_at', models.DateTimeField(blank=True, null=True)),
                ('reversal_reason', models.CharField(blank=True, max_length=200)),
                ('actor', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('debt', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='settlements', to='earnings.debt')),
                ('reversed_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ('-created_at',),
                'permissions': [('settle_debts', 'Can record what artisans pay of their debts'), ('write_off_debts', 'Can write off artisans’ debts')],
                'default_permissions': ('view',),
                'constraints': [models.CheckConstraint(condition=models.Q(('means__in', ['bank', 'cash', 'write_off'])), name='settlement_means_known'), models.CheckConstraint(condition=models.Q(('status__in', ['recorded', 'reversed'])), name='settlement_status_known'), models.CheckConstraint(condition=models.Q(('currency__regex', '^[A-Z]{3}$')), name='settlement_currency_iso'), models.CheckConstraint(condition=models.Q(('amount_minor__gt', 0)), name='settlement_amount_positive'), models.CheckConstraint(condition=models.Q(models.Q(('means', 'write_off'), ('reference_key', ''), models.Q(('note', ''), _negated=True)), models.Q(models.Q(('means', 'write_off'), _negated=True), models.Q(('reference_key', ''), _negated=True)), _connector='OR'), name='settlement_has_reference_or_reason'), models.CheckConstraint(condition=models.Q(models.Q(('reversed_at__isnull', False), ('reversed_by__isnull', False), ('status', 'reversed')), models.Q(models.Q(('status', 'reversed'), _negated=True), ('reversed_at__isnull', True), ('reversed_by__isnull', True)), _connector='OR'), name='settlement_reversed_by_somebody'), models.UniqueConstraint(condition=models.Q(('status', 'recorded'), models.Q(('reference_key', ''), _negated=True)), fields=('reference_key',), name='settlement_once_per_reference')],
            },
        ),
    ]
