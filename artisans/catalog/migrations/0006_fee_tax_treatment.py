"""How the shop's commission is taxed for an artisan."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0005_picture_sizes'),
    ]

    operations = [
        migrations.AddField(
            model_name='artisan',
            name='fee_tax_treatment',
            field=models.CharField(choices=[('domestic', 'Domestic: the shop adds its tax'), ('reverse_charge', 'Reverse charge: the artisan owes the tax'), ('outside', 'Outside the scope of the tax')], db_default='domestic', default='domestic', help_text='Whether the shop adds tax to its commission. Applies to new orders only.', max_length=14, verbose_name='tax on commission'),
        ),
        migrations.AddConstraint(
            model_name='artisan',
            constraint=models.CheckConstraint(condition=models.Q(('fee_tax_treatment__in', ['domestic', 'reverse_charge', 'outside'])), name='artisan_fee_tax_treatment_known'),
        ),
    ]
