"""One-time links that sign one person in."""

import datetime as dt
import hashlib
import secrets

from django.db import transaction

from console.audit import actions
from console.audit.services import record
from console.core.clock import now
from console.teams.callers import Actor
from console.teams.models import SignInLink, User

LIFETIME = dt.timedelta(hours=24)


@transaction.atomic
def make_sign_in_link(*, actor: Actor, user: User) -> tuple[SignInLink, str]:
    """Make a link for the person and return it with its token, which is not kept."""
    token = secrets.token_urlsafe(32)
    link = SignInLink.objects.create(
        user=user, token_digest=hashlib.sha256(token.encode()).digest(), expires_at=now() + LIFETIME
    )
    record(actions.SIGN_IN_LINK_MADE, actor=actor, target=user, target_name=user.email)
    return link, token
