"""Django's database cache without its culling: entries that protect somebody stay until they expire."""

import base64
import datetime as dt
import pickle
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.db import DatabaseCache
from django.db import connections, router

from console.core.clock import now

_FOREVER = dt.datetime.max.replace(tzinfo=dt.UTC)
# Rows past their time go a few with each write, so they grow fewer however fast somebody writes.
_SWEPT_AT_ONCE = 10


class KeptCache(DatabaseCache):
    """The database cache as a store of counters and used codes, which strangers make entries in.

    Django's own throws out a third of what it holds, live or not, once strangers have filled it, and with it the
    counters of somebody else's failed sign-ins. Two who `add` over the same expired entry at once both get it there;
    here one does. Nor does a write count the table.
    """

    _table: str

    def _base_set(self, mode: str, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT) -> bool:
        at, ends = now(), self.get_backend_timeout(timeout)
        expires = _FOREVER if ends is None else dt.datetime.fromtimestamp(ends, tz=dt.UTC)
        connection = connections[router.db_for_write(self.cache_model_class)]
        table = connection.ops.quote_name(self._table)
        with connection.cursor() as cursor:
            cursor.execute(
                f"DELETE FROM {table} WHERE expires < %s AND cache_key = ANY (ARRAY("  # noqa: S608
                f"SELECT cache_key FROM {table} WHERE expires < %s AND cache_key <> %s"
                " ORDER BY expires LIMIT %s FOR UPDATE SKIP LOCKED))",
                [at, at, key, _SWEPT_AT_ONCE],
            )
            if mode == "touch":
                cursor.execute(
                    f"UPDATE {table} SET expires = %s WHERE cache_key = %s",  # noqa: S608
                    [expires, key],
                )
            else:
                pickled = base64.b64encode(pickle.dumps(value, self.pickle_protocol)).decode("latin1")
                only_expired = f" WHERE {table}.expires < %s" if mode == "add" else ""
                cursor.execute(
                    f"INSERT INTO {table} (cache_key, value, expires) VALUES (%s, %s, %s)"  # noqa: S608
                    " ON CONFLICT (cache_key) DO UPDATE SET value = excluded.value, expires = excluded.expires"
                    + only_expired,
                    [key, pickled, expires, *([at] if only_expired else [])],
                )
            return bool(cursor.rowcount)
