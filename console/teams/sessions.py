"""Sessions, where there is no request yet."""

from http.cookies import CookieError, SimpleCookie

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.db import DatabaseError, connections


def is_signed_in(cookies: str) -> bool:
    """Say whether these cookies are somebody's who signed in. What they may do is found out later."""
    try:
        held = SimpleCookie(cookies).get(settings.SESSION_COOKIE_NAME)
        return held is not None and SESSION_KEY in SessionStore(held.value)
    except (CookieError, DatabaseError):
        return False
    finally:
        connections.close_all()
