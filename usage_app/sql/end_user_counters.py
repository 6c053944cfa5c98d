"""How many end users are near their limit, however many there are."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection  # noqa: TID251

# More than these are not counted: a page says "1,000 and more".
MOST_COUNTED = 1_000
_WITHIN = """SELECT count(*) FROM (
    SELECT FROM usage_endusercounter c
    WHERE c.quota_id = x.quota AND c.period_start = x.period AND {}
    ORDER BY c.used DESC LIMIT %(most)s) few"""
_STANDING = f"""
SELECT x.quota, ({_WITHIN.format("c.used >= x.most")}),
       ({_WITHIN.format("c.used >= x.near AND c.used < x.most")}),
       coalesce((SELECT c.used FROM usage_endusercounter c WHERE c.quota_id = x.quota AND c.period_start = x.period
                 ORDER BY c.used DESC, c.end_user LIMIT 1), 0)
FROM unnest(%(quotas)s::bigint[], %(periods)s::timestamptz[], %(limits)s::bigint[], %(nears)s::bigint[])
     x(quota, period, most, near)"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Standing:
    """How many end users have used all of a limit and how many most of it, and what the first of them used."""

    at_limit: int
    near: int
    most_used: int


def standings(limits: Sequence[tuple[int, dt.datetime, int]], near_percent: int) -> dict[int, Standing]:
    """Return where the end users of quotas, each in one period with one limit, stand.

    Reads the index of what they used from its top, for all quotas in one statement, which the ORM cannot say, and no
    more than MOST_COUNTED of each kind: a million end users cost what a thousand do.
    """
    quotas, periods, most = zip(*limits, strict=True) if limits else ((), (), ())
    nears = [-(-limit * near_percent // 100) for limit in most]
    with connection.cursor() as cursor:
        cursor.execute(
            _STANDING,
            {
                "quotas": list(quotas),
                "periods": list(periods),
                "limits": list(most),
                "nears": nears,
                "most": MOST_COUNTED + 1,
            },
        )
        return {row[0]: Standing(*row[1:]) for row in cursor.fetchall()}
