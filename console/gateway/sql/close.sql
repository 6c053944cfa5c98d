-- End a batch of calls: whoever deletes the reservation writes the end record, so there is exactly one.
--
-- Each array has one place per call; p_docs is the JSON array of their end records. What was reserved is freed and what
-- was really used is counted, in the periods the calls were admitted in. Calls whose reservation is gone already (the
-- sweeper was quicker, or this is a second attempt) change nothing. Returns the ids that were closed here.
-- A record has the id of its call, but for an attempt after which the call goes on: that record has an id of its own.
CREATE OR REPLACE FUNCTION gateway_close(
    p_docs jsonb, p_id uuid[], p_tokens bigint[], p_cost bigint[],
    p_body text[], p_bytes integer[], p_sha256 bytea[], p_cut boolean[], p_redactions smallint[]
) RETURNS SETOF uuid LANGUAGE plpgsql AS $$
DECLARE
    taken usage_reservation[];
    ids uuid[];
BEGIN
    WITH gone AS (DELETE FROM usage_reservation r WHERE r.id = ANY (p_id) RETURNING r.*)
    SELECT array_agg(g::usage_reservation), array_agg(g.id) INTO taken, ids FROM gone g;
    IF taken IS NULL THEN
        RETURN;
    END IF;

    IF EXISTS (SELECT 1 FROM unnest(taken) g WHERE cardinality(g.quota_ids) > 0) THEN
        PERFORM 1 FROM usage_quotacounter t
          WHERE (t.quota_id, t.period_start) IN (
                SELECT c.q, c.p FROM unnest(taken) g CROSS JOIN LATERAL unnest(g.quota_ids, g.period_starts) c(q, p))
          ORDER BY t.quota_id, t.period_start FOR UPDATE;
        UPDATE usage_quotacounter t SET reserved = t.reserved - s.freed, used = t.used + s.spent
          FROM (SELECT c.q, c.p, sum(c.amount) AS freed,
                       sum(CASE c.metric WHEN 'requests' THEN 1 WHEN 'tokens' THEN a.tokens
                                         WHEN 'cost' THEN a.cost ELSE 0 END) AS spent
                  FROM unnest(taken) g
                  JOIN unnest(p_id, p_tokens, p_cost) a(id, tokens, cost) ON a.id = g.id
                  CROSS JOIN LATERAL unnest(g.quota_ids, g.period_starts, g.metrics, g.amounts) c(q, p, metric, amount)
                 GROUP BY c.q, c.p) s
         WHERE t.quota_id = s.q AND t.period_start = s.p;
    END IF;

    IF cardinality(ids) = cardinality(p_id) THEN
        PERFORM gateway_insert_events(p_docs);
    ELSE
        PERFORM gateway_insert_events(
            (SELECT jsonb_agg(d.doc) FROM jsonb_array_elements(p_docs) WITH ORDINALITY d(doc, n) WHERE p_id[d.n] = ANY (ids)));
    END IF;
    INSERT INTO audit_payload (event_id, kind, body, bytes, sha256, is_cut, redactions)
      SELECT o.id, 'output', o.body, o.bytes, o.sha256, o.cut, o.redactions
        FROM unnest(p_id, p_body, p_bytes, p_sha256, p_cut, p_redactions) o(id, body, bytes, sha256, cut, redactions)
       WHERE o.body IS NOT NULL AND o.id = ANY (ids);
    RETURN QUERY SELECT unnest(ids);
END $$;
