"""Whether a request has a signed-in session, for code without a Django request."""

from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.db import DatabaseError, connections

from console.teams import keys
from console.teams.models import ApiKey
from console.teams.session_store import SessionStore


def is_signed_in(cookies: str) -> bool:
    """Return whether these cookies are somebody's who signed in. What they may do is found out later."""
    try:
        held = SimpleCookie(cookies).get(settings.SESSION_COOKIE_NAME)
        return held is not None and SESSION_KEY in SessionStore(held.value)
    except (CookieError, DatabaseError):
        return False
    finally:
        connections.close_all()


def holds_key(headers: Iterable[str]) -> bool:
    """Return whether one of these headers is a key that is not revoked. What it may do is found out later."""
    texts = [header.strip().rpartition(" ")[2] for header in headers]
    try:
        found = [keys.digest(text) for text in texts if keys.is_well_formed(text)]
        return bool(found) and ApiKey.objects.filter(digest__in=found, revoked_at=None).exists()
    except DatabaseError:
        return False
    finally:
        connections.close_all()
