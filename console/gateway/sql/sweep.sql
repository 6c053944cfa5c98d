-- End calls whose process died: their lease ran out and nobody closed them. They are settled at what is known, which is
-- the estimate of their input in the start record. Returns how many ended.
CREATE OR REPLACE FUNCTION gateway_sweep(p_most integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    ids uuid[];
    records jsonb[];
    docs jsonb;
    tokens bigint[];
    costs bigint[];
BEGIN
    SELECT array_agg(r.id), array_agg(r.record::jsonb) INTO ids, records
      FROM (SELECT id, record FROM usage_reservation WHERE expires_at < clock_timestamp()
             ORDER BY expires_at LIMIT p_most FOR UPDATE SKIP LOCKED) r;
    IF ids IS NULL THEN
        RETURN 0;
    END IF;
    SELECT jsonb_agg(r || jsonb_build_object('status', 'interrupted', 'code', 'interrupted', 'closed_at', now(),
                                             'usage_note', 'estimated') ORDER BY n),
           array_agg(coalesce((r ->> 'prompt_tokens')::bigint, 0) ORDER BY n),
           array_agg(coalesce((r ->> 'cost_micros')::bigint, 0) ORDER BY n)
      INTO docs, tokens, costs FROM unnest(records) WITH ORDINALITY x(r, n);
    PERFORM gateway_close(docs, ids, tokens, costs, array_fill(NULL::text, ARRAY[cardinality(ids)]),
                          NULL, NULL, NULL, NULL);
    RETURN cardinality(ids);
END $$;
