"""Columns for the limit on attempts to sign in to one account from many networks."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0003_growth'),
    ]

    operations = [
        migrations.AddField(
            model_name='user',
            name='sign_in_count',
            field=models.PositiveIntegerField(db_default=0, default=0, editable=False),
        ),
        migrations.AddField(
            model_name='user',
            name='sign_in_networks',
            field=models.CharField(blank=True, db_default='', default='', editable=False, max_length=200),
        ),
        migrations.AddField(
            model_name='user',
            name='sign_in_window',
            field=models.PositiveIntegerField(db_default=0, default=0, editable=False),
        ),
    ]
