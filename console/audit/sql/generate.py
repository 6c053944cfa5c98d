"""Fill the log with generated calls inside the database, as benchmarks need millions."""

import datetime as dt
import uuid
from dataclasses import dataclass

from django.db import connection  # noqa: TID251

_TEXTS = (
    "My phones stopped syncing after the update. I am on the team plan. What do I do?",
    "Write a short article from this resolved ticket, with a title and three steps.",
    "Which of these alerts need a person tonight, and why?",
    "Summarise the call in two sentences and name the next step.",
    "Translate the answer below and keep the product names as they are.",
)

_INSERT = """
WITH raw AS MATERIALIZED (
    SELECT n, random() AS r1, random() AS r2, random() AS r3, random() AS r4, random() AS r5, random() AS r6,
           random() AS r7, md5(random()::text || n) AS h,
           date_trunc('milliseconds', %(start)s::timestamptz + %(span)s::interval * (n::float8 / %(total)s)
             + interval '2.4 hours' * sin(2 * pi() * n::float8 / %(total)s * %(days)s)) AS at
    FROM generate_series(%(from)s::bigint, %(to)s::bigint) n
),
picked AS MATERIALIZED (
    SELECT raw.*, 1 + floor(power(r1, 1.8) * cardinality(%(teams)s::uuid[]))::int AS t,
           1 + floor(power(r2, 2) * cardinality(%(aliases)s::text[]))::int AS a,
           CASE WHEN r3 < 0.004 THEN 'admin' WHEN r3 < 0.012 THEN 'access' WHEN r3 < 0.02 THEN 'models'
                WHEN r3 < 0.05 THEN 'playground' WHEN r3 < 0.12 THEN 'embedding' WHEN r3 < 0.28 THEN 'completion'
                ELSE 'chat' END AS type,
           CASE WHEN r4 < 0.004 THEN 'error' WHEN r4 < 0.018 THEN 'refused' WHEN r4 < 0.022 THEN 'client_disconnected'
                WHEN r4 < 0.0221 THEN 'interrupted' ELSE 'ok' END AS state,
           40 + floor(power(r5, 3) * 3000)::int AS pt, 10 + floor(power(r6, 2) * 900)::int AS ct
    FROM raw
),
g AS MATERIALIZED (
    SELECT p.*, (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(h, 1, 3) || '8'
                 || substr(h, 4, 15))::uuid AS id,
           (%(teams)s::uuid[])[t] AS team_id, (%(team_names)s::text[])[t] AS team,
           1 + floor(r7 * 3)::int AS k, type IN ('admin', 'access') AS is_line, state = 'refused' AS is_refused,
           type = 'embedding' AS is_embedding, %(texts)s::text[] AS texts
    FROM picked p
),
c AS MATERIALIZED (
    SELECT g.*, (%(key_ids)s::uuid[])[(t - 1) * 3 + k] AS key_id, (%(key_names)s::text[])[(t - 1) * 3 + k] AS key,
           (120000 + power(r6, 4) * 9000000)::bigint AS us,
           CASE WHEN NOT is_line AND NOT is_refused AND r7 * 997 - floor(r7 * 997) < %(content)s THEN
               json_build_object('model', (%(aliases)s::text[])[a], 'messages', json_build_array(
                   json_build_object('role', 'system', 'content', 'You answer briefly.'),
                   json_build_object('role', 'user', 'content', texts[1 + n %% 5])))::text END AS input
    FROM g
),
d AS MATERIALIZED (
    SELECT c.*, CASE WHEN input IS NOT NULL AND state = 'ok' THEN
               json_build_object('object', 'chat.completion', 'choices', json_build_array(json_build_object('index', 0,
                   'message', json_build_object('role', 'assistant', 'content', texts[1 + (n + 2) %% 5]),
                   'finish_reason', 'stop')))::text END AS output
    FROM c
),
events AS (
    INSERT INTO audit_event (id, at, closed_at, type, action, status, http_status, code, team_id, team, actor_kind,
        actor_id, actor, key_id, key, environment, lane, surface, route, client_address, alias, model, stream, attempts,
        prompt_tokens, completion_tokens, cost_micros, latency_us, first_token_us, overhead_us,
        input_sha256, output_sha256, target_type, target, detail, end_user, metadata)
    SELECT id, at, at + make_interval(secs => us / 1e6), type,
        CASE type WHEN 'admin' THEN (ARRAY['pin.moved', 'quota.changed', 'key.created', 'member.added'])[1 + n %% 4]
                  WHEN 'access' THEN (ARRAY['session.started', 'content.read'])[1 + n %% 2] ELSE '' END,
        CASE WHEN is_line THEN 'ok' ELSE state END,
        CASE WHEN is_line THEN NULL ELSE CASE state WHEN 'ok' THEN 200 WHEN 'refused' THEN 429 WHEN 'error' THEN 502
                                                    ELSE 499 END END,
        CASE WHEN is_line THEN '' ELSE CASE state WHEN 'refused' THEN 'quota_exceeded'
            WHEN 'error' THEN 'upstream_error' WHEN 'interrupted' THEN 'interrupted' ELSE '' END END,
        team_id, team, CASE WHEN is_line OR type = 'playground' THEN 'user' ELSE 'key' END,
        CASE WHEN is_line OR type = 'playground' THEN md5('person' || n %% 40)::uuid ELSE key_id END,
        CASE WHEN is_line OR type = 'playground' THEN 'Person ' || (n %% 40) ELSE key END,
        CASE WHEN is_line OR type = 'playground' THEN NULL ELSE key_id END,
        CASE WHEN is_line OR type = 'playground' THEN '' ELSE key END,
        CASE WHEN is_line THEN '' WHEN k = 3 THEN 'sandbox' ELSE 'production' END,
        CASE WHEN is_line THEN '' ELSE 'interactive' END,
        CASE WHEN is_line THEN 'console' WHEN type = 'playground' THEN 'playground' ELSE 'api' END,
        CASE type WHEN 'chat' THEN '/v1/chat/completions' WHEN 'completion' THEN '/v1/completions'
                  WHEN 'embedding' THEN '/v1/embeddings' WHEN 'models' THEN '/v1/models' ELSE '' END,
        '10.' || t || '.' || (n %% 200) || '.' || (n %% 250),
        CASE WHEN is_line OR type = 'models' THEN '' ELSE (%(aliases)s::text[])[a] END,
        CASE WHEN is_line OR is_refused OR type = 'models' THEN '' ELSE (%(models)s::text[])[a] END,
        type = 'chat' AND r6 < 0.6, CASE WHEN is_line OR is_refused THEN 0 ELSE 1 END,
        CASE WHEN is_line OR is_refused OR type = 'models' THEN 0 ELSE pt END,
        CASE WHEN is_line OR is_refused OR is_embedding OR type = 'models' THEN 0 ELSE ct END,
        CASE WHEN is_line OR is_refused OR type = 'models' THEN 0 ELSE ceil(pt * 0.15 + ct * 0.6) END,
        CASE WHEN is_line THEN NULL WHEN is_refused THEN 900 + us %% 2000 ELSE us END,
        CASE WHEN is_line OR is_refused THEN NULL ELSE us / 4 END,
        CASE WHEN is_line THEN NULL ELSE 400 + us %% 1500 END,
        sha256(convert_to(input, 'UTF8')), sha256(convert_to(output, 'UTF8')),
        CASE WHEN type = 'admin' THEN 'pin' ELSE '' END,
        CASE WHEN type = 'admin' THEN (%(aliases)s::text[])[a] ELSE '' END,
        CASE WHEN type = 'admin' THEN '{"before": {"limit": 100}, "after": {"limit": 200}}' ELSE '' END,
        CASE WHEN is_line OR %(end_users)s = 0 OR n %% 3 = 0 THEN ''
             ELSE 'customer-' || floor(power(r6, 3) * %(end_users)s)::int END,
        CASE WHEN is_line OR %(projects)s = 0 OR n %% 3 = 1 THEN NULL
             ELSE jsonb_build_object('project', 'project-' || floor(power(r5, 3) * %(projects)s)::int,
                                     'tier', (ARRAY['free', 'gold', 'lead'])[1 + n %% 3], 'order', substr(h, 1, 12)) END
    FROM d
)
INSERT INTO audit_payload (event_id, kind, body, bytes)
SELECT id, 'input', input, octet_length(input) FROM d WHERE input IS NOT NULL
UNION ALL SELECT id, 'output', output, octet_length(output) FROM d WHERE output IS NOT NULL"""


@dataclass(frozen=True, slots=True)
class Cast:
    """Who calls what in the invented rows. Three keys per team, in the order of the teams; models go with aliases."""

    teams: list[uuid.UUID]
    team_names: list[str]
    key_ids: list[uuid.UUID]
    key_names: list[str]
    aliases: list[str]
    models: list[str]
    end_users: int = 0  # whose calls two thirds are; nobody's where there are none
    projects: int = 0  # what two thirds are for, each for an order of its own as well; nothing where there are none


def insert_calls(
    cast: Cast, *, first: int, last: int, total: int, start: dt.datetime, span: dt.timedelta, content: float
) -> None:
    """Insert rows number `first` to `last` of `total`, spread over `span` in the order of their numbers."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")
        cursor.execute(
            _INSERT,
            {
                "from": first,
                "to": last,
                "total": total,
                "start": start,
                "span": f"{span.total_seconds()} seconds",
                "days": span / dt.timedelta(days=1),
                "content": content,
                "texts": list(_TEXTS),
                "teams": cast.teams,
                "team_names": cast.team_names,
                "key_ids": cast.key_ids,
                "key_names": cast.key_names,
                "aliases": cast.aliases,
                "models": cast.models,
                "end_users": cast.end_users,
                "projects": cast.projects,
            },
        )


def analyze() -> None:
    """Let the planner know the new rows, and index them by transaction."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE) audit_event")
        cursor.execute("ANALYZE audit_payload")
