-- Make the counters of end users, as gateway_counters makes those of quotas.
CREATE OR REPLACE FUNCTION gateway_end_user_counters(e_quota bigint[], e_period timestamptz[], e_user text[])
RETURNS void LANGUAGE sql AS $$
    INSERT INTO usage_endusercounter (quota_id, period_start, end_user)
      SELECT x.q, x.p, x.u FROM unnest(e_quota, e_period, e_user) WITH ORDINALITY x(q, p, u, n)
       ORDER BY x.n ON CONFLICT DO NOTHING
$$;
