"""VAT IDs that buyers enter, and who waits for an answer."""

import django.db.models.deletion
import django.utils.timezone
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='TaxId',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(auto_now_add=True, db_index=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('value', models.CharField(max_length=20, unique=True, verbose_name='VAT ID')),
                ('country', models.CharField(max_length=2, verbose_name='country')),
                ('status', models.CharField(choices=[('pending', 'Being checked'), ('verified', 'Valid'), ('unverified', 'Not valid'), ('unavailable', 'To be decided by staff')], default='unavailable', max_length=11, verbose_name='status')),
                ('version', models.PositiveIntegerField(default=0)),
                ('verified_name', models.CharField(blank=True, default='', max_length=300, verbose_name='name')),
                ('verified_address', models.CharField(blank=True, default='', max_length=500, verbose_name='address')),
                ('request_identifier', models.CharField(blank=True, default='', max_length=60, verbose_name='VIES’s request identifier')),
                ('failure', models.CharField(blank=True, default='', max_length=60, verbose_name='why VIES gave no answer')),
                ('asked_at', models.DateTimeField(null=True)),
                ('checked_at', models.DateTimeField(null=True, verbose_name='checked')),
                ('tries', models.PositiveSmallIntegerField(default=0)),
                ('next_try_at', models.DateTimeField(null=True)),
                ('used_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='last used')),
                ('reason', models.CharField(blank=True, default='', max_length=300, verbose_name='reason')),
                ('decided_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'VAT ID',
                'verbose_name_plural': 'VAT IDs',
                'ordering': ('-used_at',),
                'permissions': [('decide_taxid', 'Can decide whether a VAT ID is valid')],
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='TaxIdNotice',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('email', models.EmailField(max_length=254)),
                ('is_promised', models.BooleanField(default=False)),
                ('created_at', models.DateTimeField(auto_now_add=True, db_index=True)),
                ('tax_id', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='notices', to='tax_ids.taxid')),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.AddIndex(
            model_name='taxid',
            index=models.Index(fields=['used_at'], name='tax_id_used'),
        ),
        migrations.AddIndex(
            model_name='taxid',
            index=models.Index(condition=models.Q(('status', 'unavailable')), fields=['used_at'], name='tax_id_to_decide'),
        ),
        migrations.AddIndex(
            model_name='taxid',
            index=models.Index(condition=models.Q(('status', 'pending')), fields=['next_try_at'], name='tax_id_to_try'),
        ),
        migrations.AddConstraint(
            model_name='taxid',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['pending', 'verified', 'unverified', 'unavailable'])), name='tax_id_status_known'),
        ),
        migrations.AddConstraint(
            model_name='taxid',
            constraint=models.CheckConstraint(condition=models.Q(('value__regex', '^[A-Z]{2}[0-9A-Z+*]{2,18}$')), name='tax_id_normalized'),
        ),
        migrations.AddConstraint(
            model_name='taxid',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('status__in', ('verified', 'unverified')), _negated=True), ('checked_at__isnull', False), _connector='OR'), name='tax_id_answered_at'),
        ),
        migrations.AddConstraint(
            model_name='taxid',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('next_try_at__isnull', False), ('status', 'pending')), models.Q(models.Q(('status', 'pending'), _negated=True), ('next_try_at__isnull', True)), _connector='OR'), name='tax_id_tried_while_pending'),
        ),
        migrations.AddConstraint(
            model_name='taxid',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('decided_by__isnull', True), ('reason', '')), models.Q(('decided_by__isnull', False), ('status__in', ('verified', 'unverified')), models.Q(('reason', ''), _negated=True)), _connector='OR'), name='tax_id_decided_with_reason'),
        ),
        migrations.AddConstraint(
            model_name='taxidnotice',
            constraint=models.UniqueConstraint(fields=('tax_id', 'email'), name='tax_id_one_notice_per_address'),
        ),
    ]
