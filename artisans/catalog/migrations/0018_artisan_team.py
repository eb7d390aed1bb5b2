"""People who act for a workshop beside its first owner, and invitations."""

import uuid

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0017_artisan_profile_checked'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='ArtisanMember',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(auto_now_add=True, db_index=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('role', models.CharField(choices=[('owner', 'Owner'), ('helper', 'Helper')], max_length=6)),
                ('artisan', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='members', to='catalog.artisan')),
                ('user', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='artisan_member', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'member of a workshop',
                'verbose_name_plural': 'members of workshops',
                'ordering': ('created_at',),
                'default_permissions': ('view',),
                'constraints': [models.CheckConstraint(condition=models.Q(('role__in', ['owner', 'helper'])), name='artisan_member_role_known')],
            },
        ),
        migrations.CreateModel(
            name='ArtisanInvitation',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(auto_now_add=True, db_index=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('email', models.EmailField(max_length=254)),
                ('role', models.CharField(choices=[('owner', 'Owner'), ('helper', 'Helper')], max_length=6)),
                ('version', models.PositiveIntegerField(default=1)),
                ('sent_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('expires_at', models.DateTimeField(db_index=True)),
                ('artisan', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='invitations', to='catalog.artisan')),
                ('invited_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'invitation to a workshop',
                'verbose_name_plural': 'invitations to workshops',
                'ordering': ('created_at',),
                'default_permissions': ('view',),
                'constraints': [models.CheckConstraint(condition=models.Q(('role__in', ['owner', 'helper'])), name='artisan_invitation_role_known'), models.UniqueConstraint(fields=('artisan', 'email'), name='artisan_invitation_once_per_address')],
            },
        ),
    ]
