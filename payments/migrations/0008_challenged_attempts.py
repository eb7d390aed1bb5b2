"""Attempts that await 3-D Secure are recorded, and decided once: `migrate` ends with triggers that allow it."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):

    dependencies = [("payments", "0007_growth")]

    operations = [
        migrations.AddField(
            model_name="paymentattempt",
            name="decided_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.RemoveConstraint(model_name="paymentattempt", name="attempt_outcome_known"),
        migrations.AlterField(
            model_name="paymentattempt",
            name="outcome",
            field=models.CharField(
                choices=[
                    ("challenged", "3-D Secure pending"),
                    ("succeeded", "Succeeded"),
                    ("declined", "Declined"),
                    ("abandoned", "Abandoned during 3-D Secure"),
                ],
                max_length=10,
            ),
        ),
        migrations.AddConstraint(
            model_name="paymentattempt",
            constraint=models.CheckConstraint(
                condition=Q(outcome__in=["challenged", "succeeded", "declined", "abandoned"]),
                name="attempt_outcome_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="paymentattempt",
            constraint=models.CheckConstraint(
                condition=Q(Q(("outcome", "challenged"), _negated=True), ("decided_at__isnull", True), _connector="OR"),
                name="attempt_challenged_is_not_decided",
            ),
        ),
    ]
