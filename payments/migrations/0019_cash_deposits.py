"""Deposits of cash on delivery in the bank."""

import django.db.models.deletion
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('payments', '0018_movements'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='CashDeposit',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(auto_now_add=True, db_index=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('status', models.CharField(choices=[('recorded', 'Recorded'), ('reversed', 'Reversed')], default='recorded', max_length=8)),
                ('holder', models.CharField(choices=[('artisan', 'The artisan'), ('shop', 'The shop'), ('courier', 'The courier')], help_text='Who had the cash before.', max_length=7)),
                ('currency', models.CharField(max_length=3)),
                ('amount_minor', models.BigIntegerField()),
                ('fee_minor', models.BigIntegerField(default=0)),
                ('value_date', models.DateField()),
                ('bank_reference', models.CharField(max_length=80)),
                ('reference_key', models.CharField(max_length=120)),
                ('reversed_at', models.DateTimeField(blank=True, null=True)),
                ('reversal_reason', models.CharField(blank=True, max_length=200)),
                ('actor', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('reversed_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ('-value_date', '-created_at'),
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='CashDepositLine',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(auto_now_add=True, db_index=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('status', models.CharField(choices=[('recorded', 'Recorded'), ('reversed', 'Reversed')], default='recorded', max_length=8)),
                ('deposit', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='lines', to='payments.cashdeposit')),
                ('receipt', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='deposit_lines', to='payments.receipt')),
            ],
            options={
                'ordering': ('created_at', 'pk'),
                'default_permissions': (),
            },
        ),
        migrations.AddConstraint(
            model_name='cashdeposit',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['recorded', 'reversed'])), name='cash_deposit_status_known'),
        ),
        migrations.AddConstraint(
            model_name='cashdeposit',
            constraint=models.CheckConstraint(condition=models.Q(('holder__in', ['shop', 'courier'])), name='cash_deposit_holder_known'),
        ),
        migrations.AddConstraint(
            model_name='cashdeposit',
            constraint=models.CheckConstraint(condition=models.Q(('currency__regex', '^[A-Z]{3}$')), name='cash_deposit_currency_iso'),
        ),
        migrations.AddConstraint(
            model_name='cashdeposit',
            constraint=models.CheckConstraint(condition=models.Q(('amount_minor__gt', 0), ('fee_minor__gte', 0)), name='cash_deposit_amounts_positive'),
        ),
        migrations.AddConstraint(
            model_name='cashdeposit',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('reversed_at__isnull', False), ('reversed_by__isnull', False), ('status', 'reversed')), models.Q(models.Q(('status', 'reversed'), _negated=True), ('reversed_at__isnull', True), ('reversed_by__isnull', True)), _connector='OR'), name='cash_deposit_reversed_by_somebody'),
        ),
        migrations.AddConstraint(
            model_name='cashdeposit',
            constraint=models.UniqueConstraint(condition=models.Q(('status', 'recorded')), fields=('reference_key',), name='cash_deposit_once_per_reference'),
        ),
        migrations.AddConstraint(
            model_name='cashdepositline',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['recorded', 'reversed'])), name='cash_deposit_line_status_known'),
        ),
        migrations.AddConstraint(
            model_name='cashdepositline',
            constraint=models.UniqueConstraint(condition=models.Q(('status', 'recorded')), fields=('receipt',), name='cash_deposit_once_per_receipt'),
        ),
    ]
