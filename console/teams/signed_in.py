"""Whether the sessions of open streams are still valid: a stream ends with its session."""

from collections.abc import Collection

from django.contrib.sessions.models import Session
from django.utils import timezone


def open_sessions(keys: Collection[str]) -> set[str]:
    """Return those of the keys whose sessions are open now. Signing out, and whatever ends a session, takes its row."""
    return set(Session.objects.filter(pk__in=keys, expire_date__gt=timezone.now()).values_list("pk", flat=True))
