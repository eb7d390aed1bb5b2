from django.db import migrations, models
from django.db.models import F, OuterRef, Q, Subquery, Sum


def sum_up(apps, schema_editor):
    Order, Parcel = apps.get_model("orders", "Order"), apps.get_model("orders", "Parcel")
    cancelled = Parcel.objects.filter(status="CANCELLED")
    sums = cancelled.filter(order=OuterRef("pk")).order_by().values("order").annotate(sum=Sum("total_minor"))
    Order.objects.filter(pk__in=cancelled.values("order")).update(cancelled_minor=Subquery(sums.values("sum")))


class Migration(migrations.Migration):
    dependencies = [("orders", "0002_refunded_quantity")]
    operations = [
        migrations.AddField(
            "order",
            "cancelled_minor",
            models.BigIntegerField(
                default=0, help_text="Of the total, what belongs to parcels that will not come."
            ),
        ),
        migrations.RunPython(sum_up, migrations.RunPython.noop, elidable=True),
        migrations.AddConstraint(
            "order",
            models.CheckConstraint(
                condition=Q(cancelled_minor__gte=0, cancelled_minor__lte=F("total_minor")),
                name="order_cancelled_at_most_total",
            ),
        ),
    ]
