-- orders
CREATE TEMP TABLE product AS
    SELECT id, artisan_id, name, price_minor, row_number() OVER (ORDER BY artisan_id, slug) - 1 AS n
    FROM catalog_product;
CREATE TEMP TABLE buyer AS
    SELECT id, email, row_number() OVER (ORDER BY email) - 1 AS n FROM accounts_user;
CREATE TEMP TABLE placed AS
    SELECT i, gen_random_uuid() AS id, gen_random_uuid() AS payment_id, 'Z' || reverse(lpad(upper(to_hex(i)), 8, '0')) AS number,
        now() - i * interval '3 minutes' AS at,
        CASE WHEN i % 3 = 0 THEN buyer.id END AS user_id,
        CASE WHEN i % 3 = 0 THEN buyer.email
             ELSE lower(first || '.' || last) || i || '@mail-' || i % 97 || '.example' END AS email,
        first || ' ' || last AS name,
        CASE WHEN i % 100 < 8 THEN 'EXPIRED' WHEN i % 100 < 12 THEN 'CANCELLED'
             WHEN i < 6000 AND i % 2 = 0 THEN 'PENDING' WHEN i < 6000 THEN 'CONFIRMED' ELSE 'DELIVERED' END AS status,
        CASE i % 4 WHEN 0 THEN 'bank_transfer' WHEN 1 THEN 'paypal' ELSE 'credit_card' END AS method
    FROM generate_series(1, {orders}) AS i
    CROSS JOIN LATERAL (SELECT
        (ARRAY['Ada', 'Grace', 'Alan', 'Edsger', 'Barbara', 'Donald', 'Hedy', 'Katherine', 'Linus', 'Margaret',
               'Niklaus', 'Radia', 'Sophie', 'Tim', 'Frances', 'Ken', 'Jean', 'Dennis', 'Mary'])[1 + i % 19] AS first,
        (ARRAY['Lovelace', 'Hopper', 'Turing', 'Dijkstra', 'Liskov', 'Knuth', 'Lamarr', 'Johnson', 'Torvalds',
               'Hamilton', 'Wirth', 'Perlman', 'Wilson', 'Allen', 'Thompson', 'Bartik', 'Ritchie', 'Jackson', 'Hoare',
               'Backus', 'Naur', 'Shannon', 'Neumann'])[1 + i % 23] || '-' || upper(to_hex(i % 4093)) AS last
    ) AS people
    JOIN buyer ON buyer.n = i % (SELECT count(*) FROM buyer);
CREATE TEMP TABLE line AS
    SELECT placed.i, placed.id AS order_id, placed.at, placed.status, k, gen_random_uuid() AS id,
        gen_random_uuid() AS parcel_id, product.id AS product_id, product.artisan_id, product.name, product.price_minor
    FROM placed CROSS JOIN generate_series(0, 2) AS k
    JOIN product ON product.n = (placed.i * 7 + k * 331) % (SELECT count(*) FROM product);
CREATE TEMP TABLE paid AS
    SELECT placed.*, sum(price_minor) AS goods, sum(price_minor) / 10 AS tax,
        sum(price_minor) + sum(price_minor) / 10 + 599 AS total, placed.status IN ('CONFIRMED', 'DELIVERED') AS is_paid
    FROM placed JOIN line USING (i)
    GROUP BY placed.i, placed.id, payment_id, number, placed.at, user_id, email, placed.name, placed.status, method;
INSERT INTO orders_order (id, created_at, updated_at, order_number, email, phone, status, payment_status, currency,
        tax_rate_ppm, subtotal_minor, tax_minor, shipping_minor, total_minor, received_minor, refunded_minor,
        cancelled_minor, shipping_address, billing_address, delivery_note, network, token_version, pay_by, expires_at,
        is_extended, stock_round, released_at, user_id)
    SELECT id, at, at, number, email, '1503555' || lpad((i % 10000)::text, 4, '0'), status,
        CASE WHEN is_paid THEN 'PAID' ELSE 'UNPAID' END, 'USD', 100000, goods, tax, 599, total,
        CASE WHEN is_paid THEN total ELSE 0 END, 0, 0, address, address, '', md5((i % 5000)::text) || md5('network'), 1,
        at + interval '7 days', CASE WHEN status = 'PENDING' THEN now() + interval '10 days' END, false, 0,
        CASE WHEN is_paid THEN at END, user_id
    FROM paid CROSS JOIN LATERAL (SELECT jsonb_build_object('name', name, 'line1', i || ' Pier Road', 'line2', '',
        'city', 'Astoria', 'region', 'OR', 'postal_code', lpad((i % 90000 + 10000)::text, 5, '0'), 'country', 'US',
        'phone', '') AS address) AS a;

-- parcels, lines and stock movements
INSERT INTO orders_parcel (id, created_at, updated_at, number, status, currency, subtotal_minor, tax_minor,
        shipping_minor, total_minor, commission_ppm, commission_minor, carrier, tracking, artisan_id, order_id)
    SELECT parcel_id, at, at, k + 1,
        CASE status WHEN 'DELIVERED' THEN 'DELIVERED' WHEN 'CANCELLED' THEN 'CANCELLED' WHEN 'EXPIRED' THEN 'CANCELLED'
                    ELSE 'NEW' END,
        'USD', price_minor, price_minor / 10, 0, price_minor + price_minor / 10, 0, 0, 'Post',
        CASE status WHEN 'DELIVERED' THEN 'TRK' || i || '-' || k ELSE '' END, artisan_id, order_id
    FROM line;
INSERT INTO orders_orderline (id, created_at, updated_at, position, product_name, artisan_name, currency,
        unit_price_minor, quantity, line_total_minor, tax_minor, artisan_id, order_id, product_id, parcel_id,
        refunded_quantity)
    SELECT id, at, at, k, name, 'Workshop', 'USD', price_minor, 1, price_minor, price_minor / 10, artisan_id, order_id,
        product_id, parcel_id, 0
    FROM line;
INSERT INTO catalog_stockmove (kind, quantity, order_line, round, reason, at, product_id)
    SELECT 'take', -1, id, 0, 'order', at, product_id FROM line;

-- payments
INSERT INTO payments_payment (id, created_at, updated_at, payment_number, payment_method, payment_provider, status,
        currency, amount_minor, received_minor, refunded_minor, refund_reserved_minor, failure_reason, processed_at,
        completed_at, order_id, user_id, checks, disputed_minor, failure_code, in_review, provider_payment_id)
    SELECT payment_id, at, at, 'PAY-' || number, method, provider,
        CASE WHEN is_paid THEN 'COMPLETED' WHEN status = 'PENDING' THEN 'PENDING' ELSE 'CANCELLED' END, 'USD', total,
        CASE WHEN is_paid THEN total ELSE 0 END, 0, 0, '', at, CASE WHEN is_paid THEN at END, id, user_id, 0, 0, '',
        false, CASE provider WHEN 'stripe' THEN 'pi_' || md5(i::text) WHEN 'paypal' THEN upper(left(md5(i::text), 17)) END
    FROM (SELECT *, CASE method WHEN 'bank_transfer' THEN 'manual' WHEN 'paypal' THEN 'paypal' ELSE 'stripe' END
        AS provider FROM paid) AS p;
INSERT INTO payments_receipt (id, created_at, updated_at, currency, amount_minor, value_date, bank_reference,
        reference_key, actor_name, payment_id)
    SELECT gen_random_uuid(), at, at, 'USD', total, at::date, 'BANK' || i, 'BANK' || i, 'bank', payment_id
    FROM paid WHERE is_paid AND method = 'bank_transfer';
INSERT INTO payments_capture (id, created_at, updated_at, provider, provider_capture_id, currency, amount_minor,
        actor_name, payment_id)
    SELECT gen_random_uuid(), at, at, CASE method WHEN 'paypal' THEN 'paypal' ELSE 'stripe' END, 'ch_' || md5(i::text),
        'USD', total, 'provider', payment_id
    FROM paid WHERE is_paid AND method <> 'bank_transfer';
INSERT INTO payments_providercall (id, created_at, updated_at, provider, operation, request, object_id, state, error,
        tries, next_try_at, finished_at, payment_id)
    SELECT gen_random_uuid(), at, at, CASE method WHEN 'paypal' THEN 'paypal' ELSE 'stripe' END, 'create', '{{}}',
        CASE method WHEN 'paypal' THEN upper(left(md5(i::text), 17)) ELSE 'pi_' || md5(i::text) END, 'done', '', 1, at,
        at, payment_id
    FROM paid WHERE method <> 'bank_transfer';
INSERT INTO payments_paymentattempt (id, created_at, updated_at, provider, attempt_id, number, outcome, decline_group,
        decline_code, currency, amount_minor, tried_at, method, brand, funding, card_country, wallet, cvc_check,
        postal_code_check, three_d_secure, risk_level, payment_id)
    SELECT gen_random_uuid(), at, at, 'stripe', 'ch_' || md5(i::text), 1, 'succeeded', '', '', 'USD', total, at, 'card',
        'visa', 'credit', 'US', '', 'pass', 'pass', '', 'normal', payment_id
    FROM paid WHERE is_paid AND method = 'credit_card';
INSERT INTO payments_paymentrefund (id, created_at, updated_at, refund_number, status, origin, currency, amount_minor,
        reason, shipping_minor, restock, decision, failure_reason, bank_reference, payment_id, provider_refund_id)
    SELECT gen_random_uuid(), at, at, 'REF-' || number, CASE WHEN i % 10 = 0 THEN 'FAILED' ELSE 'COMPLETED' END, 'staff',
        'USD', 500, 'broken', 0, false, '', '', '', payment_id, 're_' || md5(i::text)
    FROM paid WHERE is_paid AND method = 'credit_card' AND i % 5 = 0;
INSERT INTO payments_paymentflag (id, created_at, updated_at, kind, detail, resolved_at, resolution, payment_id)
    SELECT gen_random_uuid(), at, at, 'mismatch', 'Checked', at, 'resolved', payment_id FROM paid WHERE i % 20 = 0;

-- ledger
INSERT INTO ledger_ledgeraccount (kind, artisan_id, scope, currency)
    VALUES ('provider', NULL, 'stripe', 'USD'), ('provider', NULL, 'paypal', 'USD'), ('bank', NULL, '', 'USD'),
        ('order', NULL, '', 'USD'), ('commission', NULL, '', 'USD');
CREATE TEMP TABLE moved AS
    SELECT 'capture' AS kind, capture.id AS fact, order_id, capture.created_at AS at, capture.amount_minor AS minor,
        'provider' AS account, provider AS scope
    FROM payments_capture AS capture JOIN payments_payment AS payment ON payment.id = payment_id
    UNION ALL SELECT 'receipt', receipt.id, order_id, receipt.created_at, receipt.amount_minor, 'bank', ''
    FROM payments_receipt AS receipt JOIN payments_payment AS payment ON payment.id = payment_id
    UNION ALL SELECT 'refund', refund.id, order_id, refund.created_at, -refund.amount_minor, 'provider', payment_provider
    FROM payments_paymentrefund AS refund JOIN payments_payment AS payment ON payment.id = payment_id
    WHERE refund.status = 'COMPLETED'
    UNION ALL SELECT 'sale', id, id, created_at, -total_minor, 'commission', '' FROM orders_order WHERE released_at IS NOT NULL;
INSERT INTO ledger_ledgerentry (id, key, kind, fact_id, happened_at, booked_on, order_id)
    SELECT md5(kind || fact)::uuid, kind || ':' || fact || ':0', kind, fact, at, at::date, order_id FROM moved;
INSERT INTO ledger_ledgerposting (entry_id, position, account_id, currency, amount_minor)
    SELECT md5(moved.kind || fact)::uuid, 0, account.id, 'USD', minor
    FROM moved JOIN ledger_ledgeraccount AS account ON (account.kind, account.scope) = (moved.account, moved.scope)
    UNION ALL SELECT md5(moved.kind || fact)::uuid, 1, account.id, 'USD', -minor
    FROM moved JOIN ledger_ledgeraccount AS account ON account.kind = 'order';

-- history, audit log and events
INSERT INTO payments_providerrequest (provider, operation, started_at, duration_ms, outcome, status_code, error_code,
        request_id)
    SELECT provider, 'POST /v1/payment_intents', created_at, 100, CASE WHEN n = 0 AND number % 100 = 0 THEN 'unknown'
        ELSE 'answered' END, CASE WHEN n = 0 AND number % 100 = 0 THEN NULL ELSE 200 END, '', ''
    FROM (SELECT payment_provider AS provider, created_at, row_number() OVER (ORDER BY created_at) AS number
        FROM payments_payment WHERE payment_provider <> 'manual') AS payment
    CROSS JOIN generate_series(0, 2) AS n;
INSERT INTO orders_ordertransition (old, new, cause, actor_name, at, order_id)
    SELECT '', 'PENDING', 'placed', email, at, id FROM placed
    UNION ALL SELECT 'PENDING', status, 'moved', email, at, id FROM placed WHERE status <> 'PENDING';
INSERT INTO payments_paymenttransition (old, new, cause, actor_name, at, payment_id)
    SELECT '', 'PENDING', 'started', 'buyer', at, payment_id FROM paid
    UNION ALL SELECT 'PENDING', 'COMPLETED', 'received', 'buyer', at, payment_id FROM paid WHERE is_paid;
INSERT INTO orders_parceltransition (old, new, cause, actor_name, at, parcel_id)
    SELECT 'NEW', 'DELIVERED', 'moved', 'artisan', at, parcel_id FROM line WHERE status = 'DELIVERED';
INSERT INTO audit_auditentry (at, actor_name, action, target_type, target_id, data, request_id)
    SELECT at, 'staff-' || i % 20 || '@example.test', CASE WHEN i % 2 = 0 THEN 'receipt.record' ELSE 'order.release' END,
        'orders.Order', id, '{{}}', md5(i::text) FROM placed;
INSERT INTO payments_webhookevent (id, created_at, updated_at, provider, event_id, kind, content, state, copies, tries,
        next_try_at, processed_at, note, payment_id)
    SELECT gen_random_uuid(), at, at, 'stripe', 'evt_' || md5(i::text || k),
        CASE k WHEN 0 THEN 'payment_intent.succeeded' ELSE 'charge.succeeded' END,
        jsonb_build_object('id', md5(i::text), 'text', repeat('x', 400)), CASE k WHEN 0 THEN 'done' ELSE 'ignored' END, 0, 1,
        at, at, '', payment_id
    FROM paid CROSS JOIN generate_series(0, 1) AS k WHERE method = 'credit_card';

-- emails, carts and addresses
INSERT INTO notifications_notification (id, created_at, updated_at, kind, recipient, context, dedupe_key, state, tries,
        next_try_at, sent_at, subject, last_error)
    SELECT gen_random_uuid(), at, at, kind, email,
        jsonb_build_object('order_number', number, 'text', repeat('x', 300)), kind || ':' || id, 'sent', 1, at, at,
        'Your order', ''
    FROM placed CROSS JOIN unnest(ARRAY['order_placed', 'payment_received']) AS kind;
INSERT INTO carts_cart (id, created_at, updated_at, status, currency, draft, order_id, user_id, token_hash)
    SELECT gen_random_uuid(), at, at, 'ORDERED', 'USD', '{{}}', id, user_id,
        CASE WHEN user_id IS NULL THEN md5(number) || md5(email) END
    FROM placed;
INSERT INTO carts_cartitem (id, created_at, updated_at, quantity, seen_price_minor, seen_currency, cart_id, product_id)
    SELECT gen_random_uuid(), line.at, line.at, 1, price_minor, 'USD', carts_cart.id, product_id
    FROM line JOIN carts_cart USING (order_id);
INSERT INTO account_emailaddress (email, verified, "primary", user_id)
    SELECT email, true, true, id FROM accounts_user ON CONFLICT DO NOTHING;

-- statistics
VACUUM ANALYZE
