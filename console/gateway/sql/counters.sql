-- Make the counters of new periods, in their order, in a transaction of its own: who waits for somebody's new counter
-- holds none.
CREATE OR REPLACE FUNCTION gateway_counters(k_quota bigint[], k_period timestamptz[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO usage_quotacounter (quota_id, period_start)
      SELECT x.q, x.p FROM unnest(k_quota, k_period) WITH ORDINALITY x(q, p, n) ORDER BY x.n ON CONFLICT DO NOTHING
$$;
