"""Fill Order.paid_at of the orders whose time is certain from captures, receipts and what was taken back."""

from django.db import migrations

from artisans.core.index_operations import RunInBatches

# The moment when the sum received reached the total. Not if the order might have been paid earlier, for a total without
# the parcels that were cancelled, or if something was, or may have been, taken back before (`amount` 0).
FILL_PAID_AT = """
WITH batch AS (
    SELECT id FROM payments_payment WHERE order_id IN ({keys})
), moves AS (
    SELECT payment_id, created_at AS moved_at, amount_minor AS amount FROM payments_capture
        WHERE payment_id IN (SELECT id FROM batch)
    UNION ALL SELECT payment_id, created_at, amount_minor FROM payments_receipt
        WHERE payment_id IN (SELECT id FROM batch)
    UNION ALL SELECT payment_id, created_at, 0 FROM payments_paymentrefund
        WHERE payment_id IN (SELECT id FROM batch)
    UNION ALL SELECT payment_id, created_at, 0 FROM payments_dispute
        WHERE payment_id IN (SELECT id FROM batch)
    UNION ALL SELECT receipt.payment_id, reversal.created_at, 0
        FROM payments_receiptreversal AS reversal
        JOIN payments_receipt AS receipt ON receipt.id = reversal.receipt_id
        WHERE receipt.payment_id IN (SELECT id FROM batch)
), sums AS (
    SELECT payment.order_id, moved_at, amount,
        SUM(amount) OVER earlier AS received,
        SUM(CASE WHEN amount = 0 THEN 1 ELSE 0 END) OVER earlier AS taken_back
    FROM moves JOIN payments_payment AS payment ON payment.id = moves.payment_id
    WINDOW earlier AS (PARTITION BY payment.order_id ORDER BY moved_at, amount ROWS UNBOUNDED PRECEDING)
)
UPDATE orders_order SET paid_at = sums.moved_at
FROM sums
WHERE sums.order_id = orders_order.id
    AND orders_order.paid_at IS NULL
    AND orders_order.released_at IS NOT NULL
    AND sums.taken_back = 0
    AND sums.received >= orders_order.total_minor
    AND sums.received - sums.amount < orders_order.total_minor
    AND (
        sums.received = sums.amount
        OR sums.received - sums.amount < orders_order.total_minor - orders_order.cancelled_minor
    )
"""


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("payments", "0004_attempt_facts"), ("orders", "0003_paid_at")]

    operations = [
        RunInBatches("orders_order", where="paid_at IS NULL AND released_at IS NOT NULL", sql=FILL_PAID_AT),
    ]
