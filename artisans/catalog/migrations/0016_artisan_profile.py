"""Processing time, contact address and holiday of artisans."""

from django.db import migrations, models

from artisans.core.index_operations import AddCheck


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0015_stock_watch'),
    ]

    operations = [
        migrations.AddField(
            model_name='artisan',
            name='processing_days',
            field=models.PositiveSmallIntegerField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='artisan',
            name='contact_email',
            field=models.EmailField(db_default='', default='', editable=False, max_length=254),
        ),
        migrations.AddField(
            model_name='artisan',
            name='holiday_from',
            field=models.DateField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='artisan',
            name='back_on',
            field=models.DateField(editable=False, null=True),
        ),
        AddCheck(
            model_name='artisan',
            constraint=models.CheckConstraint(condition=models.Q(('processing_days__isnull', True), models.Q(('processing_days__gte', 1), ('processing_days__lte', 365)), _connector='OR'), name='artisan_processing_days_in_range'),
        ),
        AddCheck(
            model_name='artisan',
            constraint=models.CheckConstraint(condition=models.Q(('holiday_from__isnull', True), models.Q(('back_on__gt', models.F('holiday_from')), ('back_on__isnull', False)), _connector='OR'), name='artisan_holiday_ends_after_its_start'),
        ),
    ]
