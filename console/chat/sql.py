"""What the writing of answers says to PostgreSQL, on the gateway's own kind of connection.

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
_END = """
UPDATE chat_message SET
  status = CASE WHEN status = 'stopped' THEN status ELSE %(status)s END,
  trouble = CASE WHEN status = 'stopped' THEN trouble ELSE %(trouble)s END,
  text = %(text)s, request_id = %(request_id)s, model = %(model)s,
  agent_version_id = coalesce(%(agent_version_id)s, agent_version_id),
  prompt_tokens = %(prompt_tokens)s, completion_tokens = %(completion_tokens)s, cost_micros = %(cost_micros)s,
  latency_us = %(latency_us)s, first_token_us = %(first_token_us)s, lease_until = NULL, ended_at = now()
WHERE id = %(id)s AND status IN ('writing', 'stopped', 'interrupted')
"""


async def keep(link: Link, texts: Sequence[tuple[uuid.UUID, str | None]], until: dt.datetime) -> set[uuid.UUID]:
    """Keep what there is of answers (None: nothing new) with a longer lease; return those that may go on."""
    ids, words = [one for one, _ in texts], [text for _, text in texts]
    rows = await (await link.execute(_KEEP, [until, ids, words])).fetchall()
    return {row[0] for row in rows}


async def end(link: Link, fields: Mapping[str, Any]) -> None:
    """Write the end of an answer."""
    await link.execute(_END, fields)
