"""What the shop had paid back in cash before it deposited the rest of a receipt."""

from django.db import migrations, models

from artisans.core.index_operations import AddCheck


class Migration(migrations.Migration):

    dependencies = [
        ('payments', '0025_closed_movements_validated'),
    ]

    operations = [
        migrations.AddField(
            model_name='cashdepositline',
            name='currency',
            field=models.CharField(blank=True, db_default='', default='', help_text='Of what was paid back.', max_length=3),
        ),
        migrations.AddField(
            model_name='cashdepositline',
            name='paid_back_minor',
            field=models.BigIntegerField(db_default=0, default=0, help_text='What the shop had paid back to the buyer from this cash.'),
        ),
        AddCheck(
            model_name='cashdepositline',
            constraint=models.CheckConstraint(condition=models.Q(('paid_back_minor', 0), models.Q(('currency__regex', '^[A-Z]{3}$'), ('paid_back_minor__gt', 0)), _connector='OR'), name='cash_deposit_line_paid_back_in_currency'),
        ),
    ]
