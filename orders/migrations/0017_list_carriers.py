"""Well-known carriers with the addresses of their own pages about a parcel, and the carriers of earlier shipments."""

from django.db import migrations

from artisans.core.index_operations import RunInBatches

# Name, countries, address: as in the links of the carriers' public pages "Track a parcel" (November 2026). Carriers
# whose page needs more than the number, such as a postal code, have none.
LISTED = (
    ("An Post", "IE", "https://www.anpost.com/Post-Parcels/Track/History?item={number}"),
    ("Australia Post", "AU", "https://auspost.com.au/mypost/track/#/details/{number}"),
    (
        "Canada Post",
        "CA",
        "https://www.canadapost-postescanada.ca/track-reperage/en#/search?searchFor={number}",
    ),
    ("Chronopost", "FR", "https://www.chronopost.fr/tracking-no-cms/suivi-page?listeNumerosLT={number}"),
    ("Colissimo", "FR", "https://www.laposte.fr/outils/suivre-vos-envois?code={number}"),
    ("Correos", "ES", ""),
    ("CTT", "PT", ""),
    ("Deutsche Post", "DE", "https://www.deutschepost.de/sendungsverfolgung.html?piececode={number}"),
    (
        "DHL",
        "DE",
        "https://www.dhl.de/de/privatkunden/pakete-empfangen/verfolgen.html?piececode={number}",
    ),
    ("DHL Express", "", "https://www.dhl.com/global-en/home/tracking.html?tracking-id={number}"),
    ("DPD", "DE AT", "https://tracking.dpd.de/status/en_US/parcel/{number}"),
    ("DPD France", "FR", "https://www.dpd.fr/trace/{number}"),
    ("Evri", "GB", "https://www.evri.com/track/parcel/{number}"),
    ("FedEx", "", "https://www.fedex.com/fedextrack/?trknbr={number}"),
    ("GLS", "DE AT FR IT ES PT NL BE DK", "https://gls-group.eu/EU/en/parcel-tracking?match={number}"),
    ("InPost", "PL", "https://inpost.pl/sledzenie-przesylek?number={number}"),
    ("Japan Post", "JP", ""),
    ("La Poste", "FR", "https://www.laposte.fr/outils/suivre-vos-envois?code={number}"),
    ("Mondial Relay", "FR BE ES", ""),
    ("NZ Post", "NZ", "https://www.nzpost.co.nz/tools/tracking?trackid={number}"),
    ("Poste Italiane", "IT", "https://www.poste.it/cerca/index.html#/risultati-spedizioni/{number}"),
    ("PostNL", "NL", ""),
    ("PostNord", "SE DK", ""),
    ("Royal Mail", "GB", "https://www.royalmail.com/track-your-item#/tracking-results/{number}"),
    ("Swiss Post", "CH", "https://service.post.ch/ekp-web/ui/entry/search/{number}"),
    ("UPS", "", "https://www.ups.com/track?tracknum={number}"),
    ("USPS", "US", "https://tools.usps.com/go/TrackConfirmAction?tLabels={number}"),
)
LIST_SHIPMENTS = """
UPDATE orders_shipment
SET listed_carrier_id = (SELECT id FROM orders_carrier WHERE UPPER(name) = UPPER(orders_shipment.carrier))
WHERE id IN ({keys})
"""


def fill(apps, schema_editor):
    carrier = apps.get_model("orders.Carrier")
    known = set(carrier.objects.values_list("name", flat=True))
    carrier.objects.bulk_create(
        carrier(name=name, countries=countries, tracking_url=url)
        for name, countries, url in LISTED
        if name not in known
    )


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orders", "0016_carriers")]
    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop, elidable=True),
        RunInBatches(
            "orders_shipment", where="listed_carrier_id IS NULL AND carrier <> ''", sql=LIST_SHIPMENTS
        ),
    ]
