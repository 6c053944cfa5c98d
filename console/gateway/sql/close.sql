-- End a batch of calls: whoever deletes the reservation writes the end record, so there is exactly one.
--
-- p_id, p_event (the ids of their records) and the outputs have one place per call; p_docs is the JSON array of their end
-- records. k_* have one place per counter, in the order (quota, period): what is freed of the reserved and what was really
-- used, in the periods the calls were admitted in; e_* the same of the counters of end users, which are locked first, as
-- gateway_begin does. Returns false when the call has its end already: the sweeper was quicker, or this is a second attempt.
--
-- All or nothing: when one of several has ended already or cannot be written, nothing is and they come again one by one. A call alone
-- that has neither reservation nor end lost its start when PostgreSQL itself crashed (see gateway_begin): it is booked
-- here, with nothing to free. A record has the id of its reservation, but for an attempt after which the call goes on
-- (its record has an id of its own) and for the second of two that won (its record has the first one's).
CREATE OR REPLACE FUNCTION gateway_close(
    p_docs json, p_id uuid[], p_event uuid[],
    p_body text[], p_bytes integer[], p_sha256 bytea[], p_cut boolean[], p_redactions integer[],
    k_quota bigint[], k_period timestamptz[], k_freed bigint[], k_spent bigint[],
    e_quota bigint[], e_period timestamptz[], e_user text[], e_freed bigint[], e_spent bigint[]
) RETURNS boolean LANGUAGE plpgsql SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off AS $$
DECLARE
    gone integer;
    is_lost boolean := false;
BEGIN
    DELETE FROM usage_reservation r WHERE r.id = ANY (p_id);
    GET DIAGNOSTICS gone = ROW_COUNT;
    IF gone < cardinality(p_id) THEN
        IF cardinality(p_id) > 1 THEN
            RAISE EXCEPTION 'one of the calls has ended already' USING ERRCODE = 'ZF002';
        END IF;
        IF EXISTS (SELECT FROM audit_event e WHERE e.id IN (p_id[1], p_event[1])) THEN
            RETURN false;
        END IF;
        is_lost := true;
    END IF;

    IF cardinality(e_quota) > 0 THEN
        PERFORM 1 FROM usage_endusercounter t
          WHERE (t.quota_id, t.period_start, t.end_user)
             IN (SELECT x.q, x.p, x.u FROM unnest(e_quota, e_period, e_user) x(q, p, u))
          ORDER BY t.quota_id, t.period_start, t.end_user FOR UPDATE;
        UPDATE usage_endusercounter t
           SET reserved = t.reserved - CASE WHEN is_lost THEN 0 ELSE x.freed END, used = t.used + x.spent
          FROM unnest(e_quota, e_period, e_user, e_freed, e_spent) x(q, p, u, freed, spent)
         WHERE t.quota_id = x.q AND t.period_start = x.p AND t.end_user = x.u;
    END IF;

    UPDATE usage_quotacounter t
       SET reserved = t.reserved - CASE WHEN is_lost THEN 0 ELSE x.freed END, used = t.used + x.spent
      FROM unnest(k_quota, k_period, k_freed, k_spent) x(quota, period, freed, spent)  -- in their order: see gateway_begin
     WHERE t.quota_id = x.quota AND t.period_start = x.period;

    IF cardinality(p_id) = 1 AND p_event <> p_id AND EXISTS (SELECT FROM audit_event e WHERE e.id = p_event[1]) THEN
        RETURN false;  -- the sweeper took the reservation that had the record's id, though not this one
    END IF;
    PERFORM gateway_insert_events(p_docs);
    INSERT INTO audit_payload (event_id, kind, body, bytes, sha256, is_cut, redactions)
      SELECT o.event, 'output', o.body, o.bytes, o.sha256, o.cut, o.redactions
        FROM unnest(p_event, p_body, p_bytes, p_sha256, p_cut, p_redactions) o(event, body, bytes, sha256, cut, redactions)
       WHERE o.body IS NOT NULL;
    RETURN true;
END $$;

-- The same as two transactions: the ends, committed without waiting for the disk, so that their counters are free at once,
-- and one of next to nothing that waits as the server is set up to. The log is one sequence: then the ends are on disk too.
CREATE OR REPLACE PROCEDURE gateway_end(
    p_docs json, p_id uuid[], p_event uuid[],
    p_body text[], p_bytes integer[], p_sha256 bytea[], p_cut boolean[], p_redactions integer[],
    k_quota bigint[], k_period timestamptz[], k_freed bigint[], k_spent bigint[],
    e_quota bigint[], e_period timestamptz[], e_user text[], e_freed bigint[], e_spent bigint[],
    INOUT wrote boolean
) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    wrote := gateway_close(p_docs, p_id, p_event, p_body, p_bytes, p_sha256, p_cut, p_redactions,
                           k_quota, k_period, k_freed, k_spent, e_quota, e_period, e_user, e_freed, e_spent);
    COMMIT;
    PERFORM pg_logical_emit_message(true, 'facet', '');
END $$;
