-- orders and payments
DROP TABLE IF EXISTS made;
CREATE TEMP TABLE made AS
    SELECT i, md5('order' || i)::uuid AS order_id, md5('payment' || i)::uuid AS payment_id, at, method, minor, is_paid,
        'Z' || reverse(lpad(upper(to_hex(i)), 8, '0')) AS number, CASE WHEN i % 10 = 3 THEN 'EUR' ELSE 'USD' END AS currency,
        CASE method WHEN 'bank_transfer' THEN 'manual' WHEN 'paypal' THEN 'paypal' ELSE 'stripe' END AS provider,
        CASE WHEN is_paid THEN 'DELIVERED' WHEN i < 1000 THEN 'PENDING' WHEN i % 3 = 0 THEN 'EXPIRED' ELSE 'CANCELLED' END
            AS status,
        CASE WHEN is_paid THEN LEAST(now(), at + minor % 300 * interval '1 second') END AS paid_at
    FROM generate_series({first}, {last}) AS i
    CROSS JOIN LATERAL (SELECT now() - i * interval '{days} days' / {payments} AS at, 1000 + i * 7 % 9000 AS minor,
        i % 100 >= 12 AS is_paid,
        CASE i % 4 WHEN 0 THEN 'bank_transfer' WHEN 1 THEN 'paypal' ELSE 'credit_card' END AS method) AS facts;
INSERT INTO orders_order (id, created_at, updated_at, order_number, email, phone, status, payment_status, currency,
        tax_rate_ppm, subtotal_minor, tax_minor, shipping_minor, total_minor, received_minor, refunded_minor,
        cancelled_minor, shipping_address, billing_address, delivery_note, network, token_version, pay_by, expires_at,
        is_extended, stock_round, released_at, paid_at)
    SELECT order_id, at, at, number, lower(number) || '@mail.example', '', status,
        CASE WHEN is_paid THEN 'PAID' ELSE 'UNPAID' END, currency, 0, minor, 0, 0, minor,
        CASE WHEN is_paid THEN minor ELSE 0 END, 0, 0, '{{}}', '{{}}', '', md5((i % 5000)::text) || md5('network'), 1,
        at + interval '7 days', CASE WHEN status = 'PENDING' THEN now() + interval '10 days' END, false, 0, paid_at, paid_at
    FROM made;
INSERT INTO payments_payment (id, created_at, updated_at, payment_number, payment_method, payment_provider, status,
        currency, amount_minor, received_minor, refunded_minor, refund_reserved_minor, failure_reason, completed_at,
        order_id, checks, disputed_minor, failure_code, in_review, provider_payment_id)
    SELECT payment_id, at, at, 'PAY-' || number, method, provider,
        CASE status WHEN 'DELIVERED' THEN 'COMPLETED' WHEN 'PENDING' THEN 'PENDING' ELSE 'CANCELLED' END, currency, minor,
        CASE WHEN is_paid THEN minor ELSE 0 END,
        CASE WHEN is_paid AND provider <> 'manual' AND i % 20 = 7 THEN 500 ELSE 0 END,
        0, '', paid_at, order_id, 0, 0, '', false,
        CASE WHEN provider <> 'manual' THEN 'pi_' || md5(i::text) END
    FROM made;
INSERT INTO payments_receipt (id, created_at, updated_at, currency, amount_minor, value_date, bank_reference,
        reference_key, actor_name, payment_id)
    SELECT gen_random_uuid(), paid_at, paid_at, currency, minor, at::date, 'BANK' || i, 'BANK' || i, 'bank', payment_id
    FROM made WHERE is_paid AND provider = 'manual';
INSERT INTO payments_capture (id, created_at, updated_at, provider, provider_capture_id, currency, amount_minor,
        actor_name, payment_id)
    SELECT gen_random_uuid(), paid_at, paid_at, provider, 'ch_' || md5(i::text), currency, minor, 'provider', payment_id
    FROM made WHERE is_paid AND provider <> 'manual';
INSERT INTO payments_paymentattempt (id, created_at, updated_at, provider, attempt_id, number, outcome, decline_group,
        decline_code, currency, amount_minor, tried_at, decided_at, method, brand, funding, card_country, wallet,
        cvc_check, postal_code_check, three_d_secure, three_d_secure_flow, risk_level, payment_id)
    SELECT gen_random_uuid(), at, at, provider, 'ch_' || md5(i::text || n), n,
        CASE WHEN is_declined THEN 'declined' ELSE 'succeeded' END,
        CASE WHEN is_declined THEN 'declined' ELSE '' END,
        CASE WHEN is_declined THEN (ARRAY['do_not_honor', 'generic_decline', 'try_again_later'])[1 + i % 3] ELSE '' END,
        currency, minor, at, at, 'card', 'visa', 'credit', 'US', '', 'pass', 'pass',
        CASE WHEN i % 4 = 0 THEN 'authenticated' ELSE '' END, CASE WHEN i % 4 = 0 THEN 'challenge' ELSE '' END, 'normal',
        payment_id
    FROM made CROSS JOIN generate_series(1, 2) AS n
    CROSS JOIN LATERAL (SELECT n = 1 AND i % 9 = 0 OR NOT is_paid AS is_declined) AS this
    WHERE provider <> 'manual' AND status <> 'PENDING' AND (n = 1 OR i % 9 = 0);
INSERT INTO payments_paymentrefund (id, created_at, updated_at, refund_number, status, origin, currency, amount_minor,
        reason, shipping_minor, restock, decision, failure_reason, bank_reference, payment_id, provider_refund_id,
        processed_at)
    SELECT gen_random_uuid(), paid_at, paid_at, 'REF-' || number, 'COMPLETED', 'staff', currency, 500, 'broken', 0,
        false, '', '', '', payment_id, 're_' || md5(i::text), LEAST(now(), paid_at + i % 40 * interval '1 day')
    FROM made WHERE is_paid AND provider <> 'manual' AND i % 20 = 7;
INSERT INTO payments_dispute (id, created_at, updated_at, provider, provider_dispute_id, currency, amount_minor, status,
        reason, payment_id)
    SELECT gen_random_uuid(), paid_at, paid_at, provider, 'du_' || i, currency, minor,
        (ARRAY['OPEN', 'WON', 'LOST'])[1 + i % 3], 'fraudulent', payment_id
    FROM made WHERE is_paid AND provider <> 'manual' AND i % 300 = 7;
-- checkouts, events and requests
INSERT INTO journeys_journey (cart_id, order_id, channel, device, is_signed_in, is_staff, currency, delivery_country,
        started_at, cart_at, details_at, delivery_at, payment_at, check_at, placed_at, last_at, is_backfilled, is_merged)
    SELECT gen_random_uuid(), CASE WHEN n = 0 THEN order_id END, CASE WHEN i % 5 = 0 THEN 'api' ELSE 'page' END,
        (ARRAY['narrow', 'wide'])[1 + i % 2], false, false, currency, '', at, at, CASE WHEN n = 0 OR i % 2 = 0 THEN at END,
        CASE WHEN n = 0 THEN at END, CASE WHEN n = 0 THEN at END, CASE WHEN n = 0 THEN at END, CASE WHEN n = 0 THEN at END,
        at, false, false
    FROM made CROSS JOIN generate_series(0, 1) AS n
    WHERE (n = 0 OR i % 3 = 0);
INSERT INTO journeys_journeyproblem (channel, step, kind, code, is_staff, at)
    SELECT 'page', 'details', 'form', (ARRAY['email', 'city', 'postal_code', 'phone'])[1 + i % 4], false, at
    FROM made WHERE i % 5 = 0 AND at > now() - interval '34 days';
INSERT INTO payments_webhookevent (id, created_at, updated_at, provider, event_id, kind, content, state, copies, tries,
        next_try_at, processed_at, sent_at, first_processed_at, note, payment_id)
    SELECT gen_random_uuid(), at, at, provider, 'evt_' || i, 'charge.succeeded', '{{}}',
        CASE WHEN i % 1000 = 7 THEN 'dead' ELSE 'done' END, 1 + (i % 50 = 7)::int, 1, at, at,
        at - i % 90 * interval '1 second', at + i % 70 * interval '0.1 seconds', '', payment_id
    FROM made WHERE provider <> 'manual';
INSERT INTO payments_providerrequest (provider, operation, started_at, duration_ms, outcome, status_code, error_code,
        request_id)
    SELECT provider, operation, at, 20 + i * n % 900, CASE WHEN i % 200 = n THEN 'unknown' ELSE 'answered' END,
        CASE WHEN i % 200 = n THEN NULL ELSE 200 END, CASE WHEN i % 200 = n THEN 'timeout' ELSE '' END, ''
    FROM made CROSS JOIN (VALUES (1, 'POST /v1/payment_intents'), (2, 'GET /v1/charges'), (3, 'GET /v1/disputes'))
        AS asked (n, operation)
    WHERE provider <> 'manual' AND at > now() - interval '34 days'
