"""Django's database sessions with plain SQL instead of the ORM.

Every page reads one: that takes 0.16 ms of processor time instead of 0.68 ms with Django's own store.
"""

from typing import Any

from django.contrib.sessions.backends import db
from django.contrib.sessions.backends.base import VALID_KEY_CHARS, CreateError, UpdateError
from django.utils.crypto import get_random_string

from console.teams import sql


class SessionStore(db.SessionStore):
    """The same table and the same content as Django's: the name of the class is part of its signature."""

    def load(self) -> dict[str, Any]:
        key = self.session_key
        # A quoted cookie may contain a NUL, which PostgreSQL refuses in any query.
        data = sql.session_data(key) if key and "\0" not in key else None
        if data is None:
            self._session_key = None
            return {}
        found: dict[str, Any] = self.decode(data)
        return found

    def _get_new_session_key(self) -> str:
        """Draw a key. Writing it down says whether it is taken, and `create` draws another one then."""
        return get_random_string(32, VALID_KEY_CHARS)

    def save(self, must_create: bool = False) -> None:
        """Store the session. Raises CreateError if a new key is taken, UpdateError if the session is gone."""
        if self.session_key is None:
            self.create()
            return
        data = self.encode(self._get_session(no_load=must_create))  # type: ignore[attr-defined]
        write, failure = (sql.insert_session, CreateError) if must_create else (sql.update_session, UpdateError)
        if not write(self.session_key, data, self.get_expiry_date()):
            raise failure
