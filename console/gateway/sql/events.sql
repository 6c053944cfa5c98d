-- Insert the end records of calls, each of them for the first time: who calls this has made sure of that, for ON CONFLICT
-- costs a partitioned table as much as an index. `docs` is a JSON array of objects whose members are columns of audit_event;
-- what is missing takes the column's default, and of a member named twice the later one counts. As `json`: making `jsonb`
-- of text only to take it apart again costs as much as the rest. The transaction number is the one the table's default says,
-- asked for once and not for each record: audit_tx() reads a table.
CREATE OR REPLACE FUNCTION gateway_insert_events(docs json) RETURNS void LANGUAGE sql AS $$
    INSERT INTO audit_event (
        tx, id, at, closed_at, type, status, http_status, code, reason,
        team_id, team, actor_kind, actor_id, actor, key_id, key, environment, lane, surface, route,
        client_address, client_request_id, alias, model, model_version_id, prompt, agent, stream, attempts,
        prompt_tokens, cached_tokens, completion_tokens, reasoning_tokens, cost_micros, usage_note,
        latency_us, first_token_us, overhead_us, epoch, input_sha256, output_sha256, detail, end_user, token_kinds,
        metadata
    )
    SELECT
        (SELECT audit_tx()), x.id, x.at, x.closed_at, x.type, x.status, x.http_status, coalesce(x.code, ''), coalesce(x.reason, ''),
        x.team_id, coalesce(x.team, ''), coalesce(x.actor_kind, ''), x.actor_id, coalesce(x.actor, ''),
        x.key_id, coalesce(x.key, ''), coalesce(x.environment, ''), coalesce(x.lane, ''), coalesce(x.surface, ''),
        coalesce(x.route, ''), coalesce(x.client_address, ''), coalesce(x.client_request_id, ''),
        coalesce(x.alias, ''), coalesce(x.model, ''), x.model_version_id, coalesce(x.prompt, ''), coalesce(x.agent, ''),
        coalesce(x.stream, false), coalesce(x.attempts, 0),
        coalesce(x.prompt_tokens, 0), coalesce(x.cached_tokens, 0), coalesce(x.completion_tokens, 0),
        coalesce(x.reasoning_tokens, 0), coalesce(x.cost_micros, 0), coalesce(x.usage_note, ''),
        x.latency_us, x.first_token_us, x.overhead_us, coalesce(x.epoch, 0),
        decode(x.input_sha256, 'hex'), decode(x.output_sha256, 'hex'), coalesce(x.detail, ''),
        coalesce(x.end_user, ''), coalesce(x.token_kinds, ''), x.metadata
    FROM json_to_recordset(docs) AS x(
        id uuid, at timestamptz, closed_at timestamptz, type text, status text, http_status smallint, code text,
        reason text, team_id uuid, team text, actor_kind text, actor_id uuid, actor text, key_id uuid, key text,
        environment text, lane text, surface text, route text, client_address text, client_request_id text,
        alias text, model text, model_version_id uuid, prompt text, agent text, stream boolean, attempts smallint,
        prompt_tokens integer, cached_tokens integer, completion_tokens integer, reasoning_tokens integer,
        cost_micros bigint, usage_note text, latency_us bigint, first_token_us bigint, overhead_us bigint,
        epoch bigint, input_sha256 text, output_sha256 text, detail text, end_user text, token_kinds text, metadata jsonb
    )
$$;
