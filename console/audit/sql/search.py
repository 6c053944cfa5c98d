"""Search a log of any size within a time limit: by an index, or span by span, newest first.

The ORM can say neither a time-out per statement nor "per team the newest, merged". Conditions are fixed pieces of SQL
chosen by the criteria; every value is a parameter.
"""

import json
import time
import uuid
from collections.abc import Iterable
from typing import Any

from django.db import connection  # noqa: TID251

from console.audit.models import AuditEvent, Payload
from console.audit.redaction import plain_metadata
from console.audit.search import FIRST_ID, LAST_ID, Criteria, Page
from console.core.ids import parse_response_id, uuid7_at
from console.core.sql import TooSlow, cursor_within

_FIELDS = [f.attname for f in AuditEvent._meta.concrete_fields]
_COLUMNS = ", ".join(f'e."{name}"' for name in _FIELDS)
_SEARCHED = (
    "concat_ws(chr(31), e.actor, e.key, e.team, e.alias, e.model, e.target, e.action, e.code, e.client_address,"
    " e.client_request_id, e.agent, e.end_user)"
)
# What a body says without its pictures, in whose letters a short word is found by chance.
_WORDS = r"regexp_replace(p.body, '[A-Za-z0-9+/\\]{255}[A-Za-z0-9+/\\]*', '', 'g')"
_MOST_SIGNS = 8  # equals signs in a pair that are tried as the one between name and value
_HOUR = 3_600_000  # milliseconds, as in the ids
_NARROWEST = _HOUR // 12


def _event(row: tuple[Any, ...]) -> AuditEvent:
    event = AuditEvent.from_db("default", _FIELDS, row)
    if event.metadata is not None:
        event.metadata = json.loads(event.metadata)  # a cursor has it as text
    return event


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _like(text: str) -> str:
    return f"%{_escaped(text)}%"


def _conditions(criteria: Criteria) -> tuple[list[str], dict[str, Any]]:
    """Return the conditions besides team and id, with their parameters."""
    found: list[str] = []
    values: dict[str, Any] = {}

    def add(condition: str, **parameters: Any) -> None:
        found.append(condition)
        values.update(parameters)

    if criteria.key_id:
        add("e.key_id = %(key_id)s", key_id=criteria.key_id)
    if criteria.types:
        add("e.type = ANY(%(types)s)", types=list(criteria.types))
        if set(criteria.types) <= {"admin", "access"}:
            add("e.action <> ''")  # the partial index of lines that are no calls
    if len(criteria.statuses) == 1:
        add("e.status = %(status)s", status=criteria.statuses[0])
    elif criteria.statuses:
        add("e.status = ANY(%(statuses)s)", statuses=list(criteria.statuses))
    if criteria.statuses and "ok" not in criteria.statuses:
        add("e.status <> 'ok'")
    if criteria.alias:
        add("e.alias = %(alias)s AND e.alias <> ''", alias=criteria.alias)
    if criteria.person_id:
        add("e.actor_id = %(person)s AND e.actor_kind = 'user'", person=criteria.person_id)
    if criteria.environment:
        add("e.environment = %(environment)s", environment=criteria.environment)
    if criteria.trace:
        # A client that names its request besides has its trace among the details.
        found_in = {"trace": f"__-{criteria.trace}-%", "detailed": f'%"traceparent":%__-{criteria.trace}-%'}
        add("(e.client_request_id LIKE %(trace)s OR e.detail LIKE %(detailed)s)", **found_in)
    if criteria.prompt:
        add("e.prompt LIKE ANY(%(prompt)s)", prompt=_prompt_patterns(criteria))
    if criteria.rating:
        # The span of the ratings is said, too: few of a span are rated, and those few are looked up.
        rated = "SELECT r.event_id FROM audit_rating r WHERE r.event_id >= %(low)s AND r.event_id < %(high)s"
        is_good = {"good": " AND r.is_good", "bad": " AND NOT r.is_good"}.get(criteria.rating, "")
        add(f"e.id IN ({rated}{is_good})")
    if criteria.end_user:
        add("e.end_user = %(end_user)s AND e.end_user <> ''", end_user=criteria.end_user)
    if criteria.metadata:
        add(_metadata_condition(criteria.metadata, values))
    if criteria.text:
        add(*_text_condition(criteria, values))
    return found, values


def _metadata_condition(text: str, values: dict[str, Any]) -> str:
    """Return the condition of a pair; a name may have an equals sign in it, so each may be the one in the middle.

    One index finds pairs, and the planner takes it for those that are rare: what is frequent is soon found in order.
    """
    parts = text.split("=")
    if len(parts) == 1:
        values["metadata"] = text
        return "e.metadata IS NOT NULL AND jsonb_exists(e.metadata, %(metadata)s)"
    either = []
    for place in range(1, min(len(parts), _MOST_SIGNS + 1)):
        name, value = "=".join(parts[:place]), "=".join(parts[place:])
        if pair := plain_metadata({name: value}):
            values[f"metadata_{place}"] = json.dumps(pair)
            either.append(f"e.metadata @> %(metadata_{place})s::jsonb")
    return f"e.metadata IS NOT NULL AND ({' OR '.join(either) or 'false'})"


def _prompt_patterns(criteria: Criteria) -> list[str]:
    """Return how the column of prompts begins: what took part stands there as JSON, the prompt first."""
    patterns = []
    for blank in ("", " "):
        named = f'[{{"slug":{blank}{json.dumps(criteria.prompt)},'
        if criteria.version is None:
            patterns.append(f"{_escaped(named)}%")
        else:
            patterns += [f'{_escaped(f"""{named}{blank}"number":{blank}{criteria.version}{end}""")}%' for end in ",}"]
    return patterns


def _text_condition(criteria: Criteria, values: dict[str, Any]) -> tuple[str]:
    values["like"] = _like(criteria.text)
    searched = f"{_SEARCHED} ILIKE %(like)s"
    if (response := parse_response_id(criteria.text)) is not None:
        # A response has the id of the request that asked for it. The call of one in the background may have another,
        # and names the response among its details then.
        values |= {"response": response, "named": _like(criteria.text.strip())}
        searched = f"({searched} OR e.id = %(response)s OR e.detail LIKE %(named)s)"
    if criteria.content_team_ids == ():
        return (searched,)
    # Bodies are JSON, where a client may have written anything outside ASCII as an escape.
    values["like_json"] = _like(json.dumps(criteria.text)[1:-1])
    values["content_teams"] = list(criteria.content_team_ids or ())
    teams = "" if criteria.content_team_ids is None else "e.team_id = ANY(%(content_teams)s) AND "
    return (
        f"({searched} OR ({teams}coalesce(e.input_sha256, e.output_sha256) IS NOT NULL AND EXISTS ("  # noqa: S608
        " SELECT 1 FROM audit_payload p WHERE p.event_id = e.id"
        " AND (p.body ILIKE %(like)s OR p.body ILIKE %(like_json)s)"
        f" AND (p.body NOT LIKE '%%base64%%' OR {_WORDS} ILIKE %(like)s OR {_WORDS} ILIKE %(like_json)s))))",
    )


def _statement(criteria: Criteria, conditions: Iterable[str], order: str) -> str:
    """Return the query of one span. Several teams are read one by one in order and merged, each by its index."""
    inner = " AND ".join(["e.id >= %(low)s", "e.id < %(high)s", *conditions])
    tail = f"ORDER BY e.id {order} LIMIT %(limit)s"
    if criteria.team_ids is None:
        return f"SELECT {_COLUMNS} FROM audit_event e WHERE {inner} {tail}"  # noqa: S608
    if len(criteria.team_ids) == 1:
        return f"SELECT {_COLUMNS} FROM audit_event e WHERE e.team_id = %(team)s AND {inner} {tail}"  # noqa: S608
    return (
        f"SELECT {_COLUMNS} FROM unnest(%(teams)s::uuid[]) t(team_id) CROSS JOIN LATERAL ("  # noqa: S608
        f"SELECT * FROM audit_event e WHERE e.team_id = t.team_id AND {inner} {tail}) e {tail}"
    )


def _bounds(criteria: Criteria) -> tuple[uuid.UUID, uuid.UUID]:
    low = uuid7_at(criteria.start) if criteria.start else FIRST_ID
    high = uuid7_at(criteria.end) if criteria.end else LAST_ID
    if (response := parse_response_id(criteria.text)) is not None:
        low = max(low, _at_millis(_millis(response)))  # nothing before it knows of it
    return low, high


def _millis(identifier: uuid.UUID) -> int:
    return identifier.int >> 80


def _at_millis(millis: int) -> uuid.UUID:
    return uuid.UUID(int=max(millis, 0) << 80)


class _Walk:
    """Spans of time in one direction. They widen while they are quick and narrow when one takes too long."""

    def __init__(self, low: uuid.UUID, high: uuid.UUID, *, older: bool, width: int | None) -> None:
        self.low, self.high, self.older, self.width = low, high, older, width

    @property
    def is_done(self) -> bool:
        return self.low >= self.high

    def span(self) -> tuple[uuid.UUID, uuid.UUID]:
        if self.width is None:
            return self.low, self.high
        # Nothing lies in the future, so the newest span is counted from now, and none continues beyond it.
        present = int(time.time() * 1000) + 60_000
        if self.older:
            return max(self.low, _at_millis(min(_millis(self.high), present) - self.width)), self.high
        edge = _millis(self.low) + self.width
        return self.low, self.high if edge > present else min(self.high, _at_millis(edge))

    def passed(self, span: tuple[uuid.UUID, uuid.UUID], seconds: float) -> None:
        if self.older:
            self.high = span[0]
        else:
            self.low = span[1]
        if self.width and seconds < 0.04:
            self.width *= 4
        elif self.width and seconds > 0.2:
            self.width = max(self.width // 2, _NARROWEST)

    def was_slow(self) -> bool:
        """Narrow the next span; False when it is as narrow as it gets."""
        if self.width is None:
            self.width = 24 * _HOUR
        elif self.width <= _NARROWEST:
            return False
        else:
            self.width = max(self.width // 8, _NARROWEST)
        return True


def find(
    criteria: Criteria,
    *,
    older_than: uuid.UUID | None = None,
    newer_than: uuid.UUID | None = None,
    limit: int = 50,
    seconds: float = 1.0,
) -> Page:
    """Return a page of rows, newest first, before or after an id, searching for at most about `seconds`."""
    low, high = _bounds(criteria)
    if criteria.team_ids == () or low >= high:
        return Page()
    older = newer_than is None
    if older_than:
        high = min(high, older_than)
    if newer_than:
        low = max(low, uuid.UUID(int=newer_than.int + 1))
    conditions, values = _conditions(criteria)
    values |= {"team": criteria.team_ids[0] if criteria.team_ids else None, "teams": list(criteria.team_ids or ())}
    statement = _statement(criteria, conditions, "DESC" if older else "ASC")
    walk = _Walk(low, high, older=older, width=None if criteria.has_index else 24 * _HOUR)
    page = Page()
    deadline = time.monotonic() + seconds
    while not walk.is_done and len(page.events) <= limit:
        left = deadline - time.monotonic()
        if left <= 0:
            page.searched_to = walk.high if older else walk.low
            break
        span = walk.span()
        began = time.monotonic()
        patience = left if walk.width is not None and walk.width <= _NARROWEST else min(left, max(seconds / 4, 0.05))
        try:
            with cursor_within(int(patience * 1000)) as cursor:
                wanted = limit + 1 - len(page.events)
                cursor.execute(statement, values | {"low": span[0], "high": span[1], "limit": wanted})
                page.events += [_event(row) for row in cursor]
        except TooSlow:
            if not walk.was_slow():
                page.searched_to = walk.high if older else walk.low
                break
            continue
        walk.passed(span, time.monotonic() - began)
    page.has_more = len(page.events) > limit
    del page.events[limit:]
    if page.has_more:
        page.searched_to = None
    if not older:
        page.events.reverse()
    return page


def get(identifier: uuid.UUID) -> AuditEvent | None:
    """Return one row by its id, from its month alone."""
    return AuditEvent.objects.filter(pk=identifier).first()


def since(criteria: Criteria, tx: int, limit: int = 100) -> tuple[list[AuditEvent], int]:
    """Return what was committed since transaction `tx`, the newest first, and where to continue.

    Rows appear in the order they were committed, which ids do not tell: a long answer has an old id.
    """
    conditions, values = _conditions(criteria)
    if criteria.team_ids is not None:
        conditions.append("e.team_id = ANY(%(teams)s)")
    where = " AND ".join(["e.id >= audit_id_floor(now() - interval '1 day')", "e.tx >= %(tx)s", *conditions])
    with cursor_within(1500) as cursor:
        cursor.execute("SELECT audit_horizon()")
        horizon = int(cursor.fetchone()[0])
        cursor.execute(
            f"SELECT {_COLUMNS} FROM audit_event e WHERE {where} AND e.tx < %(horizon)s"  # noqa: S608
            " ORDER BY e.tx DESC, e.id DESC LIMIT %(limit)s",
            values
            | {"teams": list(criteria.team_ids or ()), "tx": tx, "horizon": horizon, "limit": limit}
            | {"low": FIRST_ID, "high": LAST_ID},
        )
        return [_event(row) for row in cursor], horizon


def horizon() -> int:
    """Return the transaction number below which everything is committed and visible, or will never be."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT audit_horizon()")
        return int(cursor.fetchone()[0])


def payloads(identifiers: list[uuid.UUID]) -> dict[uuid.UUID, dict[str, Payload]]:
    """Return inputs and outputs of some rows, by row and kind, from the months those rows are in."""
    found: dict[uuid.UUID, dict[str, Payload]] = {}
    if identifiers:
        for payload in Payload.objects.filter(event_id__in=identifiers):
            found.setdefault(payload.event_id, {})[payload.kind] = payload
    return found


def count_estimate() -> int:
    """Return about how many rows the log has, from the planner's statistics: nothing is counted."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum(greatest(c.reltuples, 0)), 0)::bigint FROM pg_inherits i"
            " JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'audit_event'::regclass"
        )
        return int(cursor.fetchone()[0])
