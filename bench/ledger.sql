-- accounts
INSERT INTO ledger_ledgeraccount (kind, artisan_id, scope, currency)
    SELECT kind, NULL, CASE kind WHEN 'provider' THEN 'stripe' ELSE '' END, 'USD'
    FROM unnest(ARRAY['provider', 'order', 'commission', 'fee_tax']) AS kind
    UNION ALL SELECT kind, id, '', 'USD'
    FROM catalog_artisan CROSS JOIN unnest(ARRAY['seller_pending', 'seller_available']) AS kind;
CREATE TABLE bench_artisan AS
    SELECT row_number() OVER (ORDER BY slug) - 1 AS n, catalog_artisan.id, pending.id AS pending, available.id AS available
    FROM catalog_artisan
    JOIN ledger_ledgeraccount AS pending ON pending.artisan_id = catalog_artisan.id AND pending.kind = 'seller_pending'
    JOIN ledger_ledgeraccount AS available
        ON available.artisan_id = catalog_artisan.id AND available.kind = 'seller_available';
-- entries: each order is captured, earned and released; every second is of one artisan
CREATE TABLE bench_order AS
    SELECT i, gen_random_uuid() AS id, gen_random_uuid() AS capture, now() - ({orders} - i) * interval '30 days' / {per_month} AS at,
        5000 + i % 5000 AS total, artisan.pending, artisan.available
    FROM generate_series(1, {orders}) AS i
    JOIN bench_artisan AS artisan ON artisan.n = CASE WHEN i % 2 = 0 THEN 0 ELSE i / 2 % (SELECT count(*) FROM bench_artisan) END;
INSERT INTO ledger_ledgerentry (id, key, kind, fact_id, happened_at, booked_on, order_id)
    SELECT md5(kind || i)::uuid, kind || ':' || bench_order.id || ':' || n, kind, CASE n WHEN 0 THEN capture ELSE bench_order.id END,
        at, (at AT TIME ZONE 'UTC')::date, bench_order.id
    FROM bench_order CROSS JOIN (VALUES ('capture', 0), ('sale', 1), ('release', 2)) AS entry (kind, n);
-- postings
INSERT INTO ledger_ledgerposting (id, entry_id, position, account_id, currency, amount_minor)
    SELECT (i - 1) * 8 + n + 1, md5(entry || i)::uuid, position,
        coalesce((SELECT id FROM ledger_ledgeraccount WHERE kind = account),
                 CASE account WHEN 'pending' THEN pending ELSE available END),
        'USD', sign * CASE share WHEN 'total' THEN total WHEN 'fee' THEN total / 10 WHEN 'tax' THEN total / 50
                      ELSE total - total / 10 - total / 50 END
    FROM bench_order CROSS JOIN (VALUES
        (0, 'capture', 0, 'provider', 1, 'total'), (1, 'capture', 1, 'order', -1, 'total'),
        (2, 'sale', 0, 'order', 1, 'total'), (3, 'sale', 1, 'pending', -1, 'net'),
        (4, 'sale', 2, 'commission', -1, 'fee'), (5, 'sale', 3, 'fee_tax', -1, 'tax'),
        (6, 'release', 0, 'pending', 1, 'net'), (7, 'release', 1, 'available', -1, 'net')
    ) AS posting (n, entry, position, account, sign, share);
SELECT setval(pg_get_serial_sequence('ledger_ledgerposting', 'id'), max(id)) FROM ledger_ledgerposting;
-- statistics
VACUUM ANALYZE;
CHECKPOINT
