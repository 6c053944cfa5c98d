-- Admit a batch of calls: the one statement in front of every provider.
--
-- 1. A call planned under another epoch is stale; its process loads its snapshot again and asks anew.
-- 2. The counters of all quotas concerned are locked, smallest (quota, period) first, as in gateway_close: no deadlock.
--    Those of a new period are made before any is locked: who waits for somebody's new counter holds none.
-- 3. Where all calls fit together they are admitted together; where one would not, they are decided one by one in order.
-- 4. Admitted calls leave a reservation (the start record) and their input; refused ones their line in the log.
--
-- Arrays p_* have one place per call, c_* one per charge; the charges of call i are p_count[i] places from p_first[i] on.
-- c_limit is null for a soft quota. c_refusal is what to write into the log when this charge refuses.
-- Returns rows (0, call, verdict, 0) with verdict 0 admitted, -1 stale, -2 refusal recorded, else the charge that
-- refused; and rows (1, charge, used + reserved after this batch, 0) for one charge of each counter.
CREATE OR REPLACE FUNCTION gateway_begin(
    p_epoch bigint[], p_id uuid[], p_team uuid[], p_refusal boolean[], p_record text[], p_first integer[], p_count integer[],
    p_body text[], p_bytes integer[], p_sha256 bytea[], p_cut boolean[], p_redactions smallint[],
    p_process text, p_lease interval,
    c_quota bigint[], c_period timestamptz[], c_metric text[], c_amount bigint[], c_limit bigint[], c_refusal text[]
) RETURNS TABLE (kind smallint, place integer, number bigint) LANGUAGE plpgsql AS $$
DECLARE
    calls constant integer := cardinality(p_id);
    now_epoch bigint;
    verdicts integer[];
    counters integer;
    present integer;  -- not `found`, which would hide PL/pgSQL's own
    hit integer;
    refusals jsonb;
BEGIN
    SELECT value INTO now_epoch FROM audit_epoch WHERE id = 1;
    SELECT array_agg(CASE WHEN x.e <> now_epoch THEN -1 WHEN x.r THEN -2 ELSE 0 END ORDER BY x.n)
      INTO verdicts FROM unnest(p_epoch, p_refusal) WITH ORDINALITY x(e, r, n);

    IF cardinality(c_quota) > 0 AND 0 = ANY (verdicts) THEN
        SELECT count(*), count(t.quota_id) INTO counters, present
          FROM (SELECT DISTINCT x.q, x.p FROM unnest(c_quota, c_period) x(q, p)) d
          LEFT JOIN usage_quotacounter t ON t.quota_id = d.q AND t.period_start = d.p;
        IF present < counters THEN
            INSERT INTO usage_quotacounter (quota_id, period_start)
              SELECT DISTINCT x.q, x.p FROM unnest(c_quota, c_period) x(q, p) ORDER BY 1, 2 ON CONFLICT DO NOTHING;
        END IF;
        LOOP
            PERFORM 1 FROM usage_quotacounter t
              WHERE (t.quota_id, t.period_start) IN (SELECT x.q, x.p FROM unnest(c_quota, c_period) x(q, p))
              ORDER BY t.quota_id, t.period_start FOR UPDATE;
            GET DIAGNOSTICS present = ROW_COUNT;
            EXIT WHEN present = counters;
            INSERT INTO usage_quotacounter (quota_id, period_start)  -- pruned a moment ago
              SELECT DISTINCT x.q, x.p FROM unnest(c_quota, c_period) x(q, p) ORDER BY 1, 2 ON CONFLICT DO NOTHING;
        END LOOP;

        PERFORM 1
          FROM (SELECT c.q, c.p, sum(c.a) AS total, min(c.l) AS lim
                  FROM generate_series(1, calls) i
                  CROSS JOIN LATERAL generate_series(p_first[i], p_first[i] + p_count[i] - 1) k
                  CROSS JOIN LATERAL (SELECT c_quota[k], c_period[k], c_amount[k], c_limit[k]) c(q, p, a, l)
                 WHERE verdicts[i] = 0 GROUP BY c.q, c.p) s
          JOIN usage_quotacounter t ON t.quota_id = s.q AND t.period_start = s.p
         WHERE t.used + t.reserved + s.total > s.lim LIMIT 1;
        IF FOUND THEN
            FOR i IN 1..calls LOOP
                CONTINUE WHEN verdicts[i] <> 0 OR p_count[i] = 0;
                SELECT min(k) INTO hit FROM generate_series(p_first[i], p_first[i] + p_count[i] - 1) k
                  JOIN usage_quotacounter t ON t.quota_id = c_quota[k] AND t.period_start = c_period[k]
                 WHERE t.used + t.reserved + c_amount[k] > c_limit[k];
                IF hit IS NOT NULL THEN
                    verdicts[i] := hit;
                ELSE
                    UPDATE usage_quotacounter t SET reserved = t.reserved + c_amount[k]
                      FROM generate_series(p_first[i], p_first[i] + p_count[i] - 1) k
                     WHERE t.quota_id = c_quota[k] AND t.period_start = c_period[k];
                END IF;
            END LOOP;
        ELSE
            UPDATE usage_quotacounter t SET reserved = t.reserved + s.total
              FROM (SELECT c.q, c.p, sum(c.a) AS total
                      FROM generate_series(1, calls) i
                      CROSS JOIN LATERAL generate_series(p_first[i], p_first[i] + p_count[i] - 1) k
                      CROSS JOIN LATERAL (SELECT c_quota[k], c_period[k], c_amount[k]) c(q, p, a)
                     WHERE verdicts[i] = 0 GROUP BY c.q, c.p) s
             WHERE t.quota_id = s.q AND t.period_start = s.p;
        END IF;
    END IF;

    IF 0 = ANY (verdicts) THEN
        INSERT INTO usage_reservation (id, team_id, process, expires_at, quota_ids, period_starts, metrics, amounts, record)
          SELECT p_id[i], p_team[i], p_process, clock_timestamp() + p_lease,
                 c_quota[p_first[i]:p_first[i] + p_count[i] - 1], c_period[p_first[i]:p_first[i] + p_count[i] - 1],
                 c_metric[p_first[i]:p_first[i] + p_count[i] - 1], c_amount[p_first[i]:p_first[i] + p_count[i] - 1],
                 p_record[i]
            FROM generate_series(1, calls) i WHERE verdicts[i] = 0;
    END IF;

    IF EXISTS (SELECT 1 FROM unnest(verdicts) v WHERE v > 0 OR v = -2) THEN
        SELECT jsonb_agg(CASE WHEN verdicts[i] > 0 THEN p_record[i]::jsonb || c_refusal[verdicts[i]]::jsonb
                              || jsonb_build_object('closed_at', now())
                              ELSE p_record[i]::jsonb END)
          INTO refusals FROM generate_series(1, calls) i WHERE verdicts[i] > 0 OR verdicts[i] = -2;
        PERFORM gateway_insert_events(refusals);
    END IF;

    INSERT INTO audit_payload (event_id, kind, body, bytes, sha256, is_cut, redactions)
      SELECT p_id[i], 'input', p_body[i], p_bytes[i], p_sha256[i], p_cut[i], p_redactions[i]
        FROM generate_series(1, calls) i WHERE verdicts[i] <> -1 AND p_body[i] IS NOT NULL;

    RETURN QUERY SELECT 0::smallint, i, verdicts[i]::bigint FROM generate_series(1, calls) i;
    IF cardinality(c_quota) > 0 THEN
        RETURN QUERY
          SELECT 1::smallint, d.k, t.used + t.reserved
            FROM (SELECT min(x.n)::integer AS k, x.q, x.p
                    FROM unnest(c_quota, c_period) WITH ORDINALITY x(q, p, n) GROUP BY x.q, x.p) d
            JOIN usage_quotacounter t ON t.quota_id = d.q AND t.period_start = d.p;
    END IF;
END $$;
