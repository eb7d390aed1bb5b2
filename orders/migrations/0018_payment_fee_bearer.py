"""Who bears the fees of payment providers: the store rule, and its copy on each parcel."""

from django.db import migrations, models

from artisans.core.index_operations import AddCheck


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0017_list_carriers'),
    ]

    operations = [
        migrations.AddField(
            model_name='parcel',
            name='payment_fee_bearer',
            field=models.CharField(choices=[('shop', 'The shop'), ('artisan', 'The artisans of the order')], db_default='shop', default='shop', max_length=7),
        ),
        migrations.AddField(
            model_name='storerules',
            name='payment_fee_bearer',
            field=models.CharField(choices=[('shop', 'The shop'), ('artisan', 'The artisans of the order')], db_default='shop', default='shop', help_text='Artisans bear them by the totals of their parcels, and keep bearing them after a refund. Applies to new orders only.', max_length=7, verbose_name='who bears the fees of payment providers'),
        ),
        AddCheck(
            model_name='parcel',
            constraint=models.CheckConstraint(condition=models.Q(('payment_fee_bearer__in', ['shop', 'artisan'])), name='parcel_payment_fee_bearer_known'),
        ),
        migrations.AddConstraint(
            model_name='storerules',
            constraint=models.CheckConstraint(condition=models.Q(('payment_fee_bearer__in', ['shop', 'artisan'])), name='store_payment_fee_bearer_known'),
        ),
    ]
