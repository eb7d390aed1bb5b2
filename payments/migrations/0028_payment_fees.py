"""The part of payment fees that an artisan bears of a parcel."""

from django.db import migrations, models

from artisans.core.index_operations import AddCheck


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0018_payment_fee_bearer'),
        ('payments', '0027_deposit_of_cash_left_validated'),
    ]

    operations = [
        migrations.AddField(
            model_name='earning',
            name='payment_fee_minor',
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='earning',
            name='payment_fee_tax_minor',
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        AddCheck(
            model_name='earning',
            constraint=models.CheckConstraint(condition=models.Q(('payment_fee_minor__gte', models.F('payment_fee_tax_minor')), ('payment_fee_tax_minor__gte', 0)), name='earning_payment_fee_not_negative'),
        ),
    ]
