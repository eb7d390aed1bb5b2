-- closed months: all but this one and the one before
CREATE TABLE bench_month AS
    SELECT month::date AS first_day, (month + interval '1 month')::date AS open_from, row_number() OVER (ORDER BY month) AS n
    FROM generate_series((SELECT date_trunc('month', min(booked_on)) FROM ledger_ledgerentry),
        date_trunc('month', now()) - interval '2 months', interval '1 month') AS month;
CREATE TABLE bench_sum AS
    SELECT first_day, account_id, sum(amount_minor) AS minor, max(posting.id) AS last
    FROM ledger_ledgerposting AS posting JOIN ledger_ledgerentry AS entry ON entry.id = entry_id
    JOIN bench_month ON booked_on >= first_day AND booked_on < open_from
    GROUP BY first_day, account_id;
CREATE TABLE bench_balance AS
    SELECT n, first_day, open_from, account.id AS account_id, kind, scope, artisan_id, currency,
        (sum(coalesce(minor, 0)) OVER (PARTITION BY account.id ORDER BY n))::bigint AS minor,
        max(last) OVER (ORDER BY n) AS last
    FROM bench_month CROSS JOIN ledger_ledgeraccount AS account LEFT JOIN bench_sum USING (first_day)
    WHERE account_id = account.id OR account_id IS NULL;
INSERT INTO ledger_ledgerperiod (id, first_day, last_day, open_from, closed_at, closed_by_id, trial_balance, note,
        first_open_posting)
    SELECT n, first_day, open_from - 1, open_from, now(), (SELECT id FROM accounts_user LIMIT 1),
        jsonb_agg(jsonb_build_object('account', account_id, 'kind', kind, 'scope', scope, 'artisan', artisan_id,
            'currency', currency, 'balance_minor', minor)), '',
        max(last) + 1
    FROM bench_balance GROUP BY n, first_day, open_from;
INSERT INTO ledger_ledgercheckpoint (account_id, period_id, currency, balance_minor, last_posting)
    SELECT account_id, n, currency, minor, last FROM bench_balance;
-- statistics
VACUUM ANALYZE;
CHECKPOINT
