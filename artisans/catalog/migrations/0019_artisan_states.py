"""States of workshops, applications to sell, and terms for artisans."""

import django.db.models.deletion
import uuid
from django.conf import settings
from django.db import migrations, models

from artisans.core.index_operations import AddCheck


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0018_artisan_team'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Application',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(auto_now_add=True, db_index=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('status', models.CharField(choices=[('draft', 'Not submitted'), ('submitted', 'Waiting for the shop'), ('asked', 'Waiting for an answer'), ('approved', 'Approved'), ('refused', 'Refused'), ('withdrawn', 'Withdrawn')], default='draft', editable=False, max_length=9)),
                ('submitted_at', models.DateTimeField(editable=False, null=True)),
            ],
            options={
                'verbose_name': 'application to sell',
                'verbose_name_plural': 'applications to sell',
                'ordering': ('-created_at',),
                'permissions': [('decide_application', 'Can decide about applications to sell')],
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='ApplicationEvent',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(auto_now_add=True, db_index=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('status', models.CharField(choices=[('draft', 'Not submitted'), ('submitted', 'Waiting for the shop'), ('asked', 'Waiting for an answer'), ('approved', 'Approved'), ('refused', 'Refused'), ('withdrawn', 'Withdrawn')], max_length=9)),
                ('text', models.TextField(blank=True, default='')),
            ],
            options={
                'ordering': ('created_at',),
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='ArtisanStateChange',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(auto_now_add=True, db_index=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('old', models.CharField(choices=[('pending', 'Applying'), ('active', 'Active'), ('suspended', 'Suspended'), ('closing', 'Closing'), ('closed', 'Closed')], max_length=9)),
                ('new', models.CharField(choices=[('pending', 'Applying'), ('active', 'Active'), ('suspended', 'Suspended'), ('closing', 'Closing'), ('closed', 'Closed')], max_length=9)),
                ('reason', models.CharField(blank=True, default='', max_length=500)),
            ],
            options={
                'verbose_name': 'state of a workshop',
                'verbose_name_plural': 'states of workshops',
                'ordering': ('-created_at',),
                'permissions': [('change_artisan_state', 'Can suspend, close and reopen workshops')],
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='Terms',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(auto_now_add=True, db_index=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('number', models.PositiveIntegerField(unique=True)),
                ('text', models.TextField()),
                ('changes', models.TextField(blank=True, default='')),
            ],
            options={
                'verbose_name': 'terms for artisans',
                'verbose_name_plural': 'terms for artisans',
                'ordering': ('-number',),
                'permissions': [('publish_terms', 'Can publish the terms for artisans')],
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='TermsAcceptance',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(auto_now_add=True, db_index=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
            ],
            options={
                'verbose_name': 'acceptance of terms',
                'verbose_name_plural': 'acceptances of terms',
                'ordering': ('-created_at',),
                'default_permissions': ('view',),
            },
        ),
        migrations.AddField(
            model_name='artisan',
            name='stored_state',
            field=models.CharField(choices=[('pending', 'Applying'), ('active', 'Active'), ('suspended', 'Suspended'), ('closing', 'Closing'), ('closed', 'Closed')], db_default='active', default='active', editable=False, max_length=9),
        ),
        AddCheck(
            model_name='artisan',
            constraint=models.CheckConstraint(condition=models.Q(('stored_state__in', ['pending', 'active', 'suspended', 'closing', 'closed'])), name='artisan_state_known'),
        ),
        AddCheck(
            model_name='artisan',
            constraint=models.CheckConstraint(condition=models.Q(('is_active', False), ('stored_state', 'active'), _connector='OR'), name='artisan_on_sale_only_if_active'),
        ),
        migrations.AddField(
            model_name='application',
            name='artisan',
            field=models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='application', to='catalog.artisan'),
        ),
        migrations.AddField(
            model_name='applicationevent',
            name='actor',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='applicationevent',
            name='application',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='events', to='catalog.application'),
        ),
        migrations.AddField(
            model_name='artisanstatechange',
            name='actor',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='artisanstatechange',
            name='artisan',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='state_changes', to='catalog.artisan'),
        ),
        migrations.AddField(
            model_name='terms',
            name='published_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='termsacceptance',
            name='artisan',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='terms_accepted', to='catalog.artisan'),
        ),
        migrations.AddField(
            model_name='termsacceptance',
            name='terms',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='acceptances', to='catalog.terms'),
        ),
        migrations.AddField(
            model_name='termsacceptance',
            name='user',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddIndex(
            model_name='application',
            index=models.Index(condition=models.Q(('status', 'submitted')), fields=['submitted_at'], name='application_to_decide'),
        ),
        migrations.AddConstraint(
            model_name='application',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['draft', 'submitted', 'asked', 'approved', 'refused', 'withdrawn'])), name='application_status_known'),
        ),
        migrations.AddConstraint(
            model_name='application',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['draft', 'withdrawn']), ('submitted_at__isnull', False), _connector='OR'), name='application_decided_was_submitted'),
        ),
        migrations.AddConstraint(
            model_name='applicationevent',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['draft', 'submitted', 'asked', 'approved', 'refused', 'withdrawn'])), name='application_event_status_known'),
        ),
        migrations.AddConstraint(
            model_name='applicationevent',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('status__in', ['asked', 'refused']), _negated=True), models.Q(('text', ''), _negated=True), _connector='OR'), name='application_event_asks_in_words'),
        ),
        migrations.AddConstraint(
            model_name='artisanstatechange',
            constraint=models.CheckConstraint(condition=models.Q(('old__in', ['pending', 'active', 'suspended', 'closing', 'closed'])), name='artisan_state_change_old_known'),
        ),
        migrations.AddConstraint(
            model_name='artisanstatechange',
            constraint=models.CheckConstraint(condition=models.Q(('new__in', ['pending', 'active', 'suspended', 'closing', 'closed'])), name='artisan_state_change_new_known'),
        ),
        migrations.AddConstraint(
            model_name='artisanstatechange',
            constraint=models.CheckConstraint(condition=models.Q(('old', models.F('new')), _negated=True), name='artisan_state_change_changes'),
        ),
        migrations.AddConstraint(
            model_name='termsacceptance',
            constraint=models.UniqueConstraint(fields=('artisan', 'terms'), name='terms_accepted_once_per_artisan'),
        ),
    ]
