"""Ids of objects created in the past."""

import datetime as dt
import secrets
import uuid

from console.core.ids import uuid7_at


def id_at(at: dt.datetime) -> uuid.UUID:
    """Return a UUIDv7 of that moment that nothing else has."""
    return uuid.UUID(int=uuid7_at(at).int | secrets.randbits(61))
