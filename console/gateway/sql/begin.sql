-- Admit a batch of calls: the one statement in front of every provider.
--
-- 1. A call planned under another epoch is stale; its process loads its snapshot again and asks anew.
-- 2. Where all calls fit together they are admitted together, by one conditional UPDATE. Counters are always taken in the
--    order (quota, period), here, in gateway_close and in gateway_sweep: no deadlock. An UPDATE takes them in that
--    order because the functions leave its plan a nested loop only, from the arrays, which have it, or from the table's one
--    index, which has it too.
-- 3. Where one would not fit, or is stale, all counters are locked and the calls decided one by one in order. The UPDATE
--    passes over a full counter without locking it, so those it took after that one are let go before.
-- 4. Admitted calls leave a reservation (the start record) and their input; refused ones their line in the log, unless a
--    first attempt of their batch has left it already.
--
-- Limits for each end user are counted in a table of their own, and a call is admitted where both kinds have room. Their
-- counters are locked first, in the order (quota, period, end user): most are one call's alone, those of a team everybody's.
-- A batch without such limits never looks at that table.
--
-- Arrays p_* have one place per call, c_* one per charge; the charges of call i are p_count[i] places from p_first[i] on.
-- c_limit is null for a soft quota. c_refusal is what to write into the log when this charge refuses. k_* have one place
-- per counter concerned, in the order they are taken: what the whole batch adds to it, and the limit that binds it first;
-- e_* are the same for the counters of end users. c_user says whose such a counter is, null for all others; it is empty,
-- and so is null everywhere, where no call has any.
-- Verdicts: 0 admitted, -1 stale, -2 refusal recorded, else the charge that refused. `counted` is used + reserved of each
-- counter after this batch, `e_counted` that of end users'.
--
-- The caller's session commits asynchronously: a start that has been given out survives every crash but PostgreSQL's own,
-- and gateway_close books those that did not. A refusal is the end of its call, so it waits for the disk.
CREATE OR REPLACE FUNCTION gateway_begin(
    p_epoch bigint[], p_id uuid[], p_team uuid[], p_refusal boolean[], p_record text[], p_first integer[], p_count integer[],
    p_body text[], p_bytes integer[], p_sha256 bytea[], p_cut boolean[], p_redactions integer[],
    p_process text, p_lease integer,
    c_quota bigint[], c_period timestamptz[], c_metric text[], c_amount bigint[], c_limit bigint[], c_refusal text[],
    k_quota bigint[], k_period timestamptz[], k_amount bigint[], k_limit bigint[],
    c_user text[], e_quota bigint[], e_period timestamptz[], e_user text[], e_amount bigint[], e_limit bigint[],
    OUT verdicts integer[], OUT counted bigint[], OUT e_counted bigint[]
) LANGUAGE plpgsql SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off AS $$
DECLARE
    calls constant integer := cardinality(p_id);
    counters constant integer := cardinality(k_quota);
    each constant integer := cardinality(e_quota);
    now_epoch bigint;
    fits boolean;
    present integer;
    hit integer;
    refusals jsonb;
BEGIN
    SELECT value INTO now_epoch FROM audit_epoch WHERE id = 1;
    IF now_epoch = ALL (p_epoch) AND NOT true = ANY (p_refusal) THEN
        verdicts := array_fill(0, ARRAY[calls]);
    ELSE
        SELECT array_agg(CASE WHEN x.epoch <> now_epoch THEN -1 WHEN x.is_refusal THEN -2 ELSE 0 END ORDER BY x.n) INTO verdicts
          FROM unnest(p_epoch, p_refusal) WITH ORDINALITY x(epoch, is_refusal, n);
    END IF;

    IF counters + each > 0 AND 0 = ANY (verdicts) THEN
        fits := NOT (-1 = ANY (verdicts));
        IF each > 0 THEN
            PERFORM 1 FROM usage_endusercounter t
              WHERE (t.quota_id, t.period_start, t.end_user)
                 IN (SELECT x.q, x.p, x.u FROM unnest(e_quota, e_period, e_user) x(q, p, u))
              ORDER BY t.quota_id, t.period_start, t.end_user FOR UPDATE;
            GET DIAGNOSTICS present = ROW_COUNT;
            IF present < each THEN
                RAISE EXCEPTION 'a counter is missing' USING ERRCODE = 'ZF001';
            END IF;
            fits := fits AND NOT EXISTS (
                SELECT FROM unnest(e_quota, e_period, e_user, e_amount, e_limit) x(q, p, u, amount, most)
                  JOIN usage_endusercounter t ON t.quota_id = x.q AND t.period_start = x.p AND t.end_user = x.u
                 WHERE t.used + t.reserved + x.amount > x.most);
        END IF;
        IF fits THEN
            BEGIN
                WITH taken AS (
                    UPDATE usage_quotacounter t SET reserved = t.reserved + x.amount
                      FROM unnest(k_quota, k_period, k_amount, k_limit) WITH ORDINALITY x(quota, period, amount, most, n)
                     WHERE t.quota_id = x.quota AND t.period_start = x.period
                       AND (x.most IS NULL OR t.used + t.reserved + x.amount <= x.most)
                    RETURNING x.n, t.used + t.reserved AS total
                )
                SELECT array_agg(total ORDER BY n) INTO counted FROM taken;
                IF coalesce(cardinality(counted), 0) < counters THEN
                    RAISE EXCEPTION 'they do not fit together' USING ERRCODE = 'ZF003';
                END IF;
            EXCEPTION WHEN SQLSTATE 'ZF003' THEN  -- which lets go of those that were taken, though they come after a full one
                fits := false;
            END;
            IF fits AND each > 0 THEN
                UPDATE usage_endusercounter t SET reserved = t.reserved + x.amount
                  FROM unnest(e_quota, e_period, e_user, e_amount) x(q, p, u, amount)
                 WHERE t.quota_id = x.q AND t.period_start = x.p AND t.end_user = x.u;
            END IF;
        END IF;

        IF NOT fits THEN
            PERFORM 1 FROM usage_quotacounter t
              WHERE (t.quota_id, t.period_start) IN (SELECT x.q, x.p FROM unnest(k_quota, k_period) x(q, p))
              ORDER BY t.quota_id, t.period_start FOR UPDATE;
            GET DIAGNOSTICS present = ROW_COUNT;
            IF present < counters THEN  -- of a new period, or pruned a moment ago: whoever makes one must hold none
                RAISE EXCEPTION 'a counter is missing' USING ERRCODE = 'ZF001';
            END IF;
            FOR i IN 1..calls LOOP
                CONTINUE WHEN verdicts[i] <> 0 OR p_count[i] = 0;
                SELECT min(k) INTO hit FROM generate_series(p_first[i], p_first[i] + p_count[i] - 1) k
                  JOIN usage_quotacounter t ON t.quota_id = c_quota[k] AND t.period_start = c_period[k]
                 WHERE c_user[k] IS NULL AND t.used + t.reserved + c_amount[k] > c_limit[k];
                IF each > 0 THEN
                    SELECT least(hit, min(k)) INTO hit FROM generate_series(p_first[i], p_first[i] + p_count[i] - 1) k
                      JOIN usage_endusercounter t
                        ON t.quota_id = c_quota[k] AND t.period_start = c_period[k] AND t.end_user = c_user[k]
                     WHERE t.used + t.reserved + c_amount[k] > c_limit[k];
                END IF;
                IF hit IS NOT NULL THEN
                    verdicts[i] := hit;
                ELSE
                    UPDATE usage_quotacounter t SET reserved = t.reserved + c_amount[k]
                      FROM generate_series(p_first[i], p_first[i] + p_count[i] - 1) k
                     WHERE t.quota_id = c_quota[k] AND t.period_start = c_period[k] AND c_user[k] IS NULL;
                    IF each > 0 THEN
                        UPDATE usage_endusercounter t SET reserved = t.reserved + c_amount[k]
                          FROM generate_series(p_first[i], p_first[i] + p_count[i] - 1) k
                         WHERE t.quota_id = c_quota[k] AND t.period_start = c_period[k] AND t.end_user = c_user[k];
                    END IF;
                END IF;
            END LOOP;
            SELECT array_agg(t.used + t.reserved ORDER BY x.n) INTO counted
              FROM unnest(k_quota, k_period) WITH ORDINALITY x(q, p, n)
              JOIN usage_quotacounter t ON t.quota_id = x.q AND t.period_start = x.p;
        END IF;
        IF each > 0 THEN
            SELECT array_agg(t.used + t.reserved ORDER BY x.n) INTO e_counted
              FROM unnest(e_quota, e_period, e_user) WITH ORDINALITY x(q, p, u, n)
              JOIN usage_endusercounter t ON t.quota_id = x.q AND t.period_start = x.p AND t.end_user = x.u;
        END IF;
    END IF;

    IF 0 = ANY (verdicts) THEN
        INSERT INTO usage_reservation (id, team_id, process, expires_at, quota_ids, period_starts, metrics, amounts, record)
          SELECT x.id, x.team, p_process, clock_timestamp() + p_lease * interval '1 second',
                 c_quota[x.first:x.first + x.number - 1], c_period[x.first:x.first + x.number - 1],
                 c_metric[x.first:x.first + x.number - 1], c_amount[x.first:x.first + x.number - 1], x.record
            FROM unnest(p_id, p_team, p_first, p_count, p_record, verdicts) x(id, team, first, number, record, verdict)
           WHERE x.verdict = 0;
    END IF;

    IF -2 = ANY (verdicts) OR 0 < ANY (verdicts) THEN
        PERFORM set_config('synchronous_commit', 'on', true);
        SELECT jsonb_agg(r.doc) INTO refusals
          FROM (SELECT CASE WHEN verdicts[i] > 0 THEN p_record[i]::jsonb || c_refusal[verdicts[i]]::jsonb
                            || jsonb_build_object('closed_at', now())
                            ELSE p_record[i]::jsonb END AS doc
                  FROM generate_series(1, calls) i WHERE verdicts[i] > 0 OR verdicts[i] = -2) r
         WHERE NOT EXISTS (SELECT FROM audit_event e WHERE e.id = (r.doc ->> 'id')::uuid);
        PERFORM gateway_insert_events(coalesce(refusals, '[]')::json);
    END IF;

    INSERT INTO audit_payload (event_id, kind, body, bytes, sha256, is_cut, redactions)
      SELECT x.id, 'input', x.body, x.bytes, x.sha256, x.cut, x.redactions
        FROM unnest(p_id, p_body, p_bytes, p_sha256, p_cut, p_redactions, verdicts)
             x(id, body, bytes, sha256, cut, redactions, verdict)
       WHERE x.verdict <> -1 AND x.body IS NOT NULL;
END $$;
