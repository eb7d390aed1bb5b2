"""What providers converted, and their exchanges of one currency for another."""

from django.db import migrations, models

from artisans.core.index_operations import AddCheck


class Migration(migrations.Migration):

    dependencies = [
        ('payments', '0041_provider_requests'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='providermovement',
            name='provider_movement_kind_known',
        ),
        migrations.AddField(
            model_name='providermovement',
            name='charged_currency',
            field=models.CharField(blank=True, db_default='', default='', max_length=3),
        ),
        migrations.AddField(
            model_name='providermovement',
            name='charged_minor',
            field=models.BigIntegerField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name='providermovement',
            name='kind',
            field=models.CharField(blank=True, choices=[('payment', 'Payment'), ('refund', 'Refund'), ('refund_failed', 'Refund that failed'), ('reversal', 'Reversal'), ('dispute', 'Dispute'), ('dispute_fee', 'Fee of a dispute'), ('fee', 'Fee'), ('withdrawal', 'To or from the bank'), ('conversion', 'Currency exchanged'), ('', 'Unknown')], max_length=20),
        ),
        AddCheck(
            model_name='providermovement',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['payment', 'refund', 'refund_failed', 'reversal', 'dispute', 'dispute_fee', 'fee', 'withdrawal', 'conversion', ''])), name='provider_movement_kind_known'),
        ),
        AddCheck(
            model_name='providermovement',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('charged_currency', ''), ('charged_minor__isnull', True)), models.Q(('charged_currency__regex', '^[A-Z]{3}$'), ('charged_minor__isnull', False), models.Q(('charged_currency', models.F('currency')), _negated=True)), _connector='OR'), name='provider_movement_charged_in_another_currency'),
        ),
    ]
