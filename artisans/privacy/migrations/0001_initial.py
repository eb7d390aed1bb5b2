"""Erasures of people, the permits that they need, and what the law requires to be kept."""

import artisans.core.security.encryption
import django.db.models.deletion
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
            name='Erasure',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(auto_now_add=True, db_index=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('state', models.CharField(choices=[('running', 'In progress'), ('done', 'Done')], default='running', max_length=7)),
                ('source', models.CharField(choices=[('page', 'Account page'), ('staff', 'Staff'), ('command', 'Command')], max_length=7)),
                ('alias', models.EmailField(max_length=254)),
                ('address_hash', models.CharField(blank=True, max_length=64)),
                ('facts', artisans.core.security.encryption.EncryptedTextField(blank=True, null=True)),
                ('runs', models.PositiveIntegerField(default=0)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('requested_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'erasure',
                'verbose_name_plural': 'erasures',
                'ordering': ('-created_at',),
                'permissions': [('erase_person', 'Can erase a person’s data'), ('export_person', 'Can export a person’s data')],
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='ErasurePermit',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('table_name', models.CharField(max_length=63)),
                ('row_id', models.CharField(max_length=36)),
                ('erasure', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='privacy.erasure')),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='LockedRecord',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(auto_now_add=True, db_index=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('target', models.CharField(max_length=100, unique=True)),
                ('content', artisans.core.security.encryption.EncryptedTextField()),
                ('kept_until', models.DateTimeField(db_index=True)),
                ('erasure', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='records', to='privacy.erasure')),
            ],
            options={
                'verbose_name': 'locked record',
                'verbose_name_plural': 'locked records',
                'ordering': ('kept_until', 'target'),
                'default_permissions': ('view',),
            },
        ),
        migrations.AddIndex(
            model_name='erasure',
            index=models.Index(condition=models.Q(('state', 'running')), fields=['created_at'], name='erasure_running'),
        ),
        migrations.AddConstraint(
            model_name='erasure',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['running', 'done'])), name='erasure_state_known'),
        ),
        migrations.AddConstraint(
            model_name='erasure',
            constraint=models.CheckConstraint(condition=models.Q(('source__in', ['page', 'staff', 'command'])), name='erasure_source_known'),
        ),
        migrations.AddConstraint(
            model_name='erasure',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('address_hash', ''), ('facts__isnull', True), ('finished_at__isnull', False), ('state', 'done')), models.Q(models.Q(('state', 'done'), _negated=True), ('finished_at__isnull', True)), _connector='OR'), name='erasure_done_forgets_the_person'),
        ),
        migrations.AddConstraint(
            model_name='erasure',
            constraint=models.UniqueConstraint(condition=models.Q(('address_hash', ''), _negated=True), fields=('address_hash',), name='erasure_one_running_per_address'),
        ),
        migrations.AddIndex(
            model_name='erasurepermit',
            index=models.Index(fields=['table_name', 'row_id'], name='erasure_permit_of_row'),
        ),
    ]
