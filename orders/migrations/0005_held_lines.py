"""What unknown buyers hold unpaid, by product, so that the limits on unpaid orders need not read all of them."""

import django.db.models.deletion
from django.db import migrations, models

# More than needed, as known buyers' orders are included; those rows count as nothing. Orders that processes of the
# release before place meanwhile are added within a minute (payments/bookkeeping/deployment.py).
FILL = """
INSERT INTO orders_heldline (line_id, product_id)
SELECT line.id, line.product_id
FROM orders_orderline AS line JOIN orders_order AS placed ON placed.id = line.order_id
WHERE placed.payment_status = 'UNPAID' AND placed.status IN ('PENDING', 'CONFIRMED', 'PROCESSING')
    AND placed.mailbox_confirmed_at IS NULL
"""


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0004_growth'),
        ('orders', '0004_growth'),
    ]

    operations = [
        migrations.CreateModel(
            name='HeldLine',
            fields=[
                ('line', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='held', serialize=False, to='orders.orderline')),
                ('product', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='catalog.product')),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop, elidable=True),
    ]
