"""SQL of writing answers, on the gateway's kind of connection.

Not the ORM: the event loop that talks to models may not wait for Django's pool, and one statement keeps all answers of
a process, where the ORM would send one each.
"""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg

Link = psycopg.AsyncConnection[Any]

_KEEP = """
UPDATE chat_message m SET text = coalesce(v.text, m.text), lease_until = %s
FROM unnest(%s::uuid[], %s::text[]) v(id, text)
WHERE m.id = v.id AND m.status = 'writing' RETURNING m.id
"""
# Somebody may have stopped it, or taken it for lost, a moment ago: the words are kept, and a stop stays one.
# Of a visitor's answer, what was set aside makes room for what it came to: once, because what was held goes. Rows of
# allowances are taken in the order of their names, as where they are used.
_END = """
WITH held AS (
  DELETE FROM chat_held WHERE message_id = %(id)s RETURNING *
), locked AS (
  SELECT a.widget_id, a.name, a.subject, a.period_start, h.amount FROM held h
  JOIN chat_allowance a USING (widget_id, name, subject, period_start) ORDER BY a.name FOR UPDATE OF a
), settled AS (
  UPDATE chat_allowance a SET used = greatest(0, a.used - l.amount + CASE WHEN a.name = 'tokens_day'
    THEN %(prompt_tokens)s::bigint + %(completion_tokens)s ELSE %(cost_micros)s END)
  FROM locked l
  WHERE (a.widget_id, a.name, a.subject, a.period_start) = (l.widget_id, l.name, l.subject, l.period_start)
)
UPDATE chat_message SET
  status = CASE WHEN status = 'stopped' THEN status ELSE %(status)s END,
  trouble = CASE WHEN status = 'stopped' THEN trouble ELSE %(trouble)s END,
  text = %(text)s, request_id = %(request_id)s, model = %(model)s,
  agent_version_id = coalesce(%(agent_version_id)s, agent_version_id), sources = %(sources)s,
  prompt_tokens = %(prompt_tokens)s, completion_tokens = %(completion_tokens)s, cost_micros = %(cost_micros)s,
  latency_us = %(latency_us)s, first_token_us = %(first_token_us)s, lease_until = NULL, ended_at = now()
WHERE id = %(id)s AND status IN ('writing', 'stopped', 'interrupted')
"""


async def keep(link: Link, texts: Sequence[tuple[uuid.UUID, str | None]], until: dt.datetime) -> set[uuid.UUID]:
    """Keep what there is of answers (None: nothing new) with a longer lease; return those that may continue."""
    ids, words = [one for one, _ in texts], [text for _, text in texts]
    rows = await (await link.execute(_KEEP, [until, ids, words])).fetchall()
    return {row[0] for row in rows}


async def end(link: Link, fields: Mapping[str, Any]) -> None:
    """Write the end of an answer."""
    await link.execute(_END, fields)
