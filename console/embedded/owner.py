"""Work as the owner of the tables during a migration."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qsl, unquote, urlsplit

from django.conf import settings
from django.db import connections


@contextmanager
def as_owner() -> Iterator[str]:
    """Connect as DATABASE_OWNER_URL; gives the application's role, empty when it is the owner itself."""
    if not settings.DATABASE_OWNER_URL:
        yield ""
        return
    connection = connections["default"]
    usual = connection.settings_dict
    owner = urlsplit(settings.DATABASE_OWNER_URL)
    query = dict(parse_qsl(owner.query))
    connection.close()
    connection.settings_dict = {
        **usual,
        "USER": unquote(owner.username or ""),
        "PASSWORD": unquote(owner.password or ""),
        "HOST": query.pop("host", "") or owner.hostname or "",
        "PORT": str(owner.port or ""),
        "OPTIONS": {**usual["OPTIONS"], **query, "pool": False},
    }
    try:
        role = str(usual["USER"])
        yield "" if role == connection.settings_dict["USER"] else role
    finally:
        connection.close()
        connection.settings_dict = usual
