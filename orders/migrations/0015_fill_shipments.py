"""One shipment for each parcel that release 0.1.0 shipped, 500 parcels in a transaction. Safe to interrupt and repeat."""

from uuid import NAMESPACE_URL, uuid5

from django.db import migrations, transaction
from django.db.models import Min, Sum

CHUNK = 500
SHIPPED = ("SHIPPED", "DELIVERED", "RETURNED")


def fill(apps, schema_editor):
    parcels = apps.get_model("orders.Parcel").objects.filter(status__in=SHIPPED).order_by("pk")
    chunk = list(parcels[:CHUNK])
    while chunk:
        with transaction.atomic():
            fill_chunk(apps, chunk)
        chunk = list(parcels.filter(pk__gt=chunk[-1].pk)[:CHUNK])


def fill_chunk(apps, parcels):
    model = apps.get_model
    shipment, shipment_line = model("orders.Shipment"), model("orders.ShipmentLine")
    known = set(shipment.objects.filter(parcel__in=parcels).values_list("parcel_id", flat=True))
    parcels = {parcel.pk: parcel for parcel in parcels if parcel.pk not in known}
    moves = model("orders.ParcelTransition").objects.filter(parcel__in=parcels, new="SHIPPED").order_by()
    shipped_at = dict(moves.values_list("parcel_id").annotate(Min("at")))
    shipments = {
        pk: shipment(
            id=uuid5(NAMESPACE_URL, f"shipment:{pk}"),
            parcel=parcel,
            number=1,
            carrier=parcel.carrier,
            tracking=parcel.tracking,
            shipped_at=shipped_at.get(pk, parcel.updated_at),
        )
        for pk, parcel in parcels.items()
    }
    lines = list(model("orders.OrderLine").objects.filter(parcel__in=parcels).order_by("parcel_id", "position"))
    left_out = model("catalog.StockMove").objects.filter(
        order_line__in=[line.pk for line in lines], kind="restock"
    )
    restocked = {}
    for line, at, quantity in left_out.order_by().values_list("order_line").annotate(Min("at"), Sum("quantity")):
        restocked[line] = (at, quantity)
    rows = []
    for line in lines:
        one = shipments[line.parcel_id]
        at, quantity = restocked.get(line.pk, (one.shipped_at, 0))
        if left := line.quantity - (quantity if at < one.shipped_at else 0):
            rows.append(shipment_line(shipment=one, line=line, quantity=left))
    shipment.objects.bulk_create(shipments.values())
    shipment_line.objects.bulk_create(rows)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orders", "0014_shipments"), ("catalog", "0001_initial")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop, elidable=True)]
