"""Counters of quotas: usage before they existed, and recounts."""

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connection  # noqa: TID251

from usage_app.models import Quota
from usage_app.sql.calls import NOT_CALLS

_OF_EVENTS = {
    "requests": "count(*)",
    "tokens": "sum(prompt_tokens::bigint + completion_tokens)",
    "cost": "sum(cost_micros)",
}
_OF_HOURS = {
    "requests": "sum(requests - refusals)",
    "tokens": "sum(prompt_tokens + completion_tokens)",
    "cost": "sum(cost_micros)",
}
_SCOPE = """team_id = %(team)s
      AND (%(keys)s::uuid[] IS NULL OR key_id = ANY(%(keys)s)) AND (%(alias)s = '' OR alias = %(alias)s)
      AND (type = 'shadow') = %(is_shadow)s"""
# The log's names for what roll-ups by key and alias do not tell apart.
_INSIDE = """(%(agent)s = '' OR split_part(agent, '@', 1) = %(agent)s)
          AND (%(widget)s::uuid IS NULL OR (actor_kind = 'widget' AND actor_id = %(widget)s))"""


# A line counts in the period its call was admitted in, by `at`. Its id only says in which part of the log it can be: an
# attempt that another one followed got its id when it ended, by when the longest call there may be can have passed.
_SOONER, _LATER = (f"interval '{seconds} seconds'" for seconds in (1, 3_600 + 2 * settings.GATEWAY_TOTAL_SECONDS))
_SINCE_START = f"at >= %(start)s AND id >= audit_id_floor(%(start)s - {_SOONER})"


def _parameters(quota: Quota) -> dict[str, Any]:
    return {
        "quota": quota.pk,
        "team": quota.team_id,
        "keys": list(key_line(quota.key_id)) if quota.key_id else None,
        "alias": quota.alias,
        "agent": quota.agent,
        "widget": quota.widget_id,
        "is_shadow": quota.purpose == "shadow",
        "start": quota.opening_period,
    }


def used_before(quota: Quota) -> int:
    """Return what calls closed so far have used of a quota since its `opening_period` began.

    Hours that are rolled up already come from there and only the rest from the log, in one snapshot, so a month of
    ten million calls is read in milliseconds; minutes are shorter than the roll-up's hours and come from the log, as
    does all that agents and widgets used, which hours do not name.
    """
    metric = quota.metric
    is_rolled = quota.window != "minute" and not quota.agent and quota.widget_id is None
    rolled = (
        "SELECT 0 AS n"
        if not is_rolled
        else (
            f"SELECT {_OF_HOURS[metric]} AS n FROM usage_usagehour"  # noqa: S608
            f" WHERE {_SCOPE} AND hour >= %(start)s AND type NOT IN {NOT_CALLS}"
        )
    )
    floor = "0" if not is_rolled else "coalesce((SELECT next_tx FROM usage_rollupstate WHERE id = 1), 0)"
    statement = f"""
    SELECT coalesce((SELECT n FROM ({rolled}) h), 0) + coalesce((
        SELECT {_OF_EVENTS[metric]} FROM audit_event
        WHERE {_SCOPE} AND {_INSIDE} AND {_SINCE_START} AND tx >= {floor}
          AND type NOT IN {NOT_CALLS} AND status <> 'refused'), 0)"""  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(statement, _parameters(quota))
        return int(cursor.fetchone()[0])


def open_end_users(quota: Quota) -> None:
    """Open a counter for each end user whose calls, closed so far, have used something of a quota for each.

    Since its `opening_period` began; all of it is read from the log, which alone knows whose calls they were.
    """
    statement = f"""
    INSERT INTO usage_endusercounter (quota_id, period_start, end_user, used, opening)
    SELECT %(quota)s, %(start)s, end_user, n, n FROM (
        SELECT end_user, {_OF_EVENTS[quota.metric]} AS n FROM audit_event
        WHERE {_SCOPE} AND {_INSIDE} AND end_user <> '' AND {_SINCE_START}
          AND type NOT IN {NOT_CALLS} AND status <> 'refused' GROUP BY 1
    ) used WHERE n > 0"""  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(statement, _parameters(quota))


def key_line(key_id: uuid.UUID, *, backwards: bool = False) -> list[uuid.UUID]:
    """Return a key and those that replaced it, or, backwards, those it replaced: rotation makes lines of any length."""
    step = "k.replaced_by_id = line.id" if backwards else "k.id = line.next"
    statement = f"""
    WITH RECURSIVE line AS (
        SELECT id, replaced_by_id AS next FROM teams_apikey WHERE id = %s
        UNION SELECT k.id, k.replaced_by_id FROM line JOIN teams_apikey k ON {step}
    ) SELECT id FROM line"""  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(statement, [key_id])
        return [row[0] for row in cursor.fetchall()]


@dataclass(frozen=True, slots=True)
class Recount:
    """What a counter says beside what the log and the open reservations say."""

    quota_id: int
    period_start: dt.datetime
    used: int | None
    reserved: int | None
    true_used: int
    true_reserved: int
    end_user: str = ""  # whose counter it is, where each has one


_KEYS = """keys AS (
    SELECT id AS quota_id, key_id FROM usage_quota WHERE key_id IS NOT NULL
    UNION SELECT k.quota_id, a.replaced_by_id FROM keys k JOIN teams_apikey a ON a.id = k.key_id
    WHERE a.replaced_by_id IS NOT NULL
)"""
_PERIOD_END = """(s.period_start AT TIME ZONE 'UTC' + CASE q."window"
          WHEN 'minute' THEN interval '1 minute' WHEN 'hour' THEN interval '1 hour'
          WHEN 'day' THEN interval '1 day' ELSE interval '1 month' END) AT TIME ZONE 'UTC'"""
# Which lines of the log `a` a quota `q` counts in the period of `s`.
_COUNTED = f"""a.team_id = q.team_id AND (q.alias = '' OR a.alias = q.alias)
      AND (q.agent = '' OR split_part(a.agent, '@', 1) = q.agent)
      AND (q.widget_id IS NULL OR (a.actor_kind = 'widget' AND a.actor_id = q.widget_id))
      AND (q.key_id IS NULL OR a.key_id = ANY(ARRAY(SELECT k.key_id FROM keys k WHERE k.quota_id = q.id)))
      AND a.at >= s.period_start AND a.at < {_PERIOD_END}
      AND a.id >= audit_id_floor(s.period_start - {_SOONER}) AND a.id < audit_id_floor({_PERIOD_END} + {_LATER})
      AND a.epoch >= q.since_epoch AND a.type NOT IN {NOT_CALLS} AND a.status <> 'refused'
      AND (a.type = 'shadow') = (q.purpose = 'shadow')"""  # noqa: S608
_RECOUNT = f"""
WITH RECURSIVE {_KEYS},
open AS (
    SELECT u.quota_id, u.period_start, sum(u.amount)::bigint AS amount
    FROM usage_reservation r, unnest(r.quota_ids, r.period_starts, r.amounts) AS u(quota_id, period_start, amount)
    GROUP BY 1, 2
),
starts AS (
    SELECT id AS quota_id, date_trunc("window", %(now)s::timestamptz, 'UTC') AS period_start
    FROM usage_quota WHERE metric <> 'concurrency'
    UNION SELECT quota_id, period_start FROM usage_quotacounter WHERE reserved <> 0 OR %(closed)s
    UNION SELECT quota_id, period_start FROM open
)
SELECT q.id, s.period_start, c.used, c.reserved,
       (CASE WHEN q.opening_period = s.period_start THEN q.opening_used ELSE 0 END + coalesce(e.n, 0))::bigint,
       coalesce(o.amount, 0)
FROM starts s
JOIN usage_quota q ON q.id = s.quota_id
LEFT JOIN usage_quotacounter c ON c.quota_id = q.id AND c.period_start = s.period_start
LEFT JOIN open o ON o.quota_id = q.id AND o.period_start = s.period_start
-- Concurrency uses nothing up: its one endless period only ever holds reservations.
LEFT JOIN LATERAL (
    SELECT CASE q.metric WHEN 'requests' THEN count(*)
                         WHEN 'tokens' THEN sum(a.prompt_tokens::bigint + a.completion_tokens)
                         ELSE sum(a.cost_micros) END AS n
    FROM audit_event a
    WHERE q.metric <> 'concurrency'
      AND {_COUNTED}
) e ON true
WHERE NOT q.each_end_user AND (%(quota)s::bigint IS NULL OR q.id = %(quota)s)
ORDER BY q.id, s.period_start"""  # noqa: S608

_RECOUNT_END_USERS = f"""
WITH RECURSIVE {_KEYS},
each AS (SELECT * FROM usage_quota WHERE each_end_user AND (%(quota)s::bigint IS NULL OR id = %(quota)s)),
open AS (
    SELECT u.quota_id, u.period_start, r.record::jsonb ->> 'end_user' AS end_user, sum(u.amount)::bigint AS amount
    FROM usage_reservation r, unnest(r.quota_ids, r.period_starts, r.amounts) AS u(quota_id, period_start, amount)
    WHERE u.quota_id IN (SELECT id FROM each)
    GROUP BY 1, 2, 3
),
starts AS (
    SELECT id AS quota_id, date_trunc("window", %(now)s::timestamptz, 'UTC') AS period_start FROM each
    UNION SELECT quota_id, period_start FROM usage_endusercounter
          WHERE quota_id IN (SELECT id FROM each) AND (reserved <> 0 OR %(closed)s)
    UNION SELECT quota_id, period_start FROM open
),
counters AS (
    SELECT c.* FROM usage_endusercounter c JOIN starts s ON c.quota_id = s.quota_id AND c.period_start = s.period_start
),
logged AS (
    SELECT s.quota_id, s.period_start, a.end_user, CASE q.metric WHEN 'requests' THEN count(*)
        WHEN 'tokens' THEN sum(a.prompt_tokens::bigint + a.completion_tokens) ELSE sum(a.cost_micros) END AS n
    FROM starts s JOIN each q ON q.id = s.quota_id JOIN audit_event a ON a.end_user <> '' AND {_COUNTED}
    GROUP BY 1, 2, 3, q.metric
)
SELECT quota_id, period_start, c.used, c.reserved, (coalesce(c.opening, 0) + coalesce(l.n, 0))::bigint,
       coalesce(o.amount, 0), end_user
FROM counters c
FULL JOIN logged l USING (quota_id, period_start, end_user) FULL JOIN open o USING (quota_id, period_start, end_user)
ORDER BY 1, 2, 7"""  # noqa: S608

_KINDS = "SELECT DISTINCT each_end_user FROM usage_quota WHERE %(quota)s::bigint IS NULL OR id = %(quota)s"


def recount(now: dt.datetime, *, quota_id: int | None = None, closed: bool = False) -> list[Recount]:
    """Count the open periods again, those with something reserved, and with `closed` every one there is a counter of.

    One statement sees one moment: a call that closes meanwhile is in the counter and in the log, or in neither. Each
    is asked only where there is a quota of its kind: to plan one takes longer than to answer it for a few.
    """
    values = {"now": now, "quota": quota_id, "closed": closed}
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(_KINDS, values)
        kinds = {is_each for (is_each,) in cursor.fetchall()}
        found: list[Recount] = []
        for is_each, statement in ((False, _RECOUNT), (True, _RECOUNT_END_USERS)):
            if is_each in kinds:
                cursor.execute(statement, values)
                found += [Recount(*row) for row in cursor.fetchall()]
        return found


def lock_counter(quota_id: int, period_start: dt.datetime, end_user: str = "") -> None:
    """Make sure the counter is there and hold it, so that no call is admitted or closed against it meanwhile."""
    with connection.cursor() as cursor:
        if end_user:
            cursor.execute(
                "INSERT INTO usage_endusercounter (quota_id, period_start, end_user) VALUES (%s, %s, %s)"
                " ON CONFLICT (quota_id, period_start, end_user) DO UPDATE SET used = usage_endusercounter.used",
                [quota_id, period_start, end_user],
            )
            return
        cursor.execute(
            "INSERT INTO usage_quotacounter (quota_id, period_start) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            [quota_id, period_start],
        )
        cursor.execute(
            "SELECT 1 FROM usage_quotacounter WHERE quota_id = %s AND period_start = %s FOR UPDATE",
            [quota_id, period_start],
        )


def put_counter(recount: Recount) -> None:
    """Set a counter to what the log and the open reservations say."""
    of: tuple[int, dt.datetime] = (recount.quota_id, recount.period_start)
    with connection.cursor() as cursor:
        if recount.end_user:
            cursor.execute(
                "UPDATE usage_endusercounter SET used = %s, reserved = %s"
                " WHERE quota_id = %s AND period_start = %s AND end_user = %s",
                [recount.true_used, recount.true_reserved, *of, recount.end_user],
            )
            return
        cursor.execute(
            "INSERT INTO usage_quotacounter (quota_id, period_start, used, reserved) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT (quota_id, period_start) DO UPDATE SET used = excluded.used, reserved = excluded.reserved",
            [*of, recount.true_used, recount.true_reserved],
        )
