"""The binary arrays: PostgreSQL reads what was written."""

import datetime as dt
import uuid

from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import pq

from console.gateway import arrays

_MOMENTS = st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(2200, 1, 1), timezones=st.just(dt.UTC))
_KINDS = {
    "bigint": (arrays.bigints, st.integers(-(2**63), 2**63 - 1) | st.none()),
    "integer": (arrays.integers, st.integers(-(2**31), 2**31 - 1) | st.none()),
    "boolean": (arrays.booleans, st.booleans() | st.none()),
    "uuid": (arrays.uuids, st.uuids() | st.none()),
    "text": (
        lambda texts: arrays.texts([text if text is None else text.encode() for text in texts]),
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")) | st.none(),
    ),
    "bytea": (arrays.byteas, st.binary() | st.none()),
    "timestamptz": (arrays.moments, _MOMENTS),
}


_ARRAYS = st.sampled_from(sorted(_KINDS)).flatmap(lambda name: st.tuples(st.just(name), st.lists(_KINDS[name][1])))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_ARRAYS)
def test_postgresql_reads_what_was_written(db, array):
    (name, values), statement = array, "SELECT u FROM unnest($1::{}[]) u"
    with connection.cursor() as cursor:
        written = [_KINDS[name][0](values)]
        result = cursor.connection.pgconn.exec_params(statement.format(name).encode(), written, param_formats=[1])
    assert result.status == pq.ExecStatus.TUPLES_OK, result.error_message
    read = [result.get_value(row, 0) for row in range(result.ntuples)]
    assert len(read) == len(values)
    assert all(_same(name, told, meant) for told, meant in zip(read, values, strict=True))


def _same(name, told, meant):
    if told is None or meant is None:
        return told is meant
    text = told.decode()
    if name == "boolean":
        return text == ("t" if meant else "f")
    if name == "bytea":
        return text == "\\x" + meant.hex()
    if name == "timestamptz":
        return dt.datetime.fromisoformat(text) == meant
    if name == "uuid":
        return uuid.UUID(text) == meant
    return text == str(meant)


def test_it_reads_numbers_back():
    assert arrays.read_integers(arrays.bigints([1, -2, 2**62])) == (1, -2, 2**62)
    assert arrays.read_integers(arrays.integers([0, -1, 7])) == (0, -1, 7)
    assert arrays.read_integers(None) == arrays.read_integers(arrays.bigints([])) == ()
