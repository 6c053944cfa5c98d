"""Ids that stand for a moment, also one that no id can have been made at."""

import datetime as dt

from console.core.ids import time_of, uuid7_at


def test_an_id_of_a_moment_before_all_ids_is_smaller_than_any() -> None:
    first = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    moments = [dt.datetime(year, 1, 1, tzinfo=dt.UTC) for year in (1, 1969, 1970, 1971, 9999)]
    found = [uuid7_at(moment) for moment in moments]
    assert found[:3] == [uuid7_at(first)] * 3 and found[2:] == sorted(found[2:])
    assert [time_of(one) for one in found] == [first, first, *moments[2:]]
