-- End calls whose process died: their lease ran out and nobody closed them. They are settled at what is known, which is
-- the estimate of their input in the start record. Whose a counter for each end user is, that record says, too. Returns how
-- many ended.
CREATE OR REPLACE FUNCTION gateway_sweep(p_most integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    found_ usage_reservation[];
    ids uuid[];
    docs jsonb;
    quotas bigint[];
    periods timestamptz[];
    freed bigint[];
    spent bigint[];
    e_quotas bigint[];
    e_periods timestamptz[];
    e_users text[];
    e_freed bigint[];
    e_spent bigint[];
BEGIN
    SELECT array_agg(r::usage_reservation), array_agg(r.id),
           jsonb_agg(r.record::jsonb || jsonb_build_object('status', 'interrupted', 'code', 'interrupted', 'closed_at', now(),
                                                           'usage_note', 'estimated'))
      INTO found_, ids, docs
      FROM (SELECT * FROM usage_reservation WHERE expires_at < clock_timestamp()
             ORDER BY expires_at LIMIT p_most FOR UPDATE SKIP LOCKED) r;
    IF ids IS NULL THEN
        RETURN 0;
    END IF;
    WITH charged AS (
        SELECT c.q, c.p, CASE WHEN q.each_end_user THEN g.record::jsonb ->> 'end_user' END COLLATE "C" AS u,
               sum(c.amount)::bigint AS freed,
               sum(CASE c.metric WHEN 'requests' THEN 1
                                 WHEN 'tokens' THEN coalesce((g.record::jsonb ->> 'prompt_tokens')::bigint, 0)
                                 WHEN 'cost' THEN coalesce((g.record::jsonb ->> 'cost_micros')::bigint, 0)
                                 ELSE 0 END)::bigint AS spent
          FROM unnest(found_) g
          CROSS JOIN LATERAL unnest(g.quota_ids, g.period_starts, g.metrics, g.amounts) c(q, p, metric, amount)
          LEFT JOIN usage_quota q ON q.id = c.q
         GROUP BY 1, 2, 3)
    SELECT coalesce(array_agg(s.q ORDER BY s.q, s.p) FILTER (WHERE s.u IS NULL), '{}'),
           coalesce(array_agg(s.p ORDER BY s.q, s.p) FILTER (WHERE s.u IS NULL), '{}'),
           coalesce(array_agg(s.freed ORDER BY s.q, s.p) FILTER (WHERE s.u IS NULL), '{}'),
           coalesce(array_agg(s.spent ORDER BY s.q, s.p) FILTER (WHERE s.u IS NULL), '{}'),
           coalesce(array_agg(s.q ORDER BY s.q, s.p, s.u) FILTER (WHERE s.u IS NOT NULL), '{}'),
           coalesce(array_agg(s.p ORDER BY s.q, s.p, s.u) FILTER (WHERE s.u IS NOT NULL), '{}'),
           coalesce(array_agg(s.u ORDER BY s.q, s.p, s.u) FILTER (WHERE s.u IS NOT NULL), '{}'),
           coalesce(array_agg(s.freed ORDER BY s.q, s.p, s.u) FILTER (WHERE s.u IS NOT NULL), '{}'),
           coalesce(array_agg(s.spent ORDER BY s.q, s.p, s.u) FILTER (WHERE s.u IS NOT NULL), '{}')
      INTO quotas, periods, freed, spent, e_quotas, e_periods, e_users, e_freed, e_spent FROM charged s;
    PERFORM gateway_close(docs::json, ids, ids, NULL, NULL, NULL, NULL, NULL, quotas, periods, freed, spent,
                          e_quotas, e_periods, e_users, e_freed, e_spent);
    RETURN cardinality(ids);
END $$;
