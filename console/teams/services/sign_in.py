"""One-time links that sign one person in."""

import datetime as dt
import secrets

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction

from console.audit import actions
from console.audit.services import record
from console.core.clock import now
from console.core.errors import BadInput, NotFound
from console.core.hidden_characters import spelled
from console.core.mail import send_now
from console.teams.actors import Actor
from console.teams.keys import digest
from console.teams.models import SignInLink, User

LIFETIME = dt.timedelta(hours=24)


@transaction.atomic
def make_sign_in_link(*, actor: Actor, user: User) -> tuple[SignInLink, str]:
    """Make a link for the person and return it with its token, which is not kept.

    Made by another person, it could be used by them; so the person it is for is told.
    """
    if not user.is_active:
        raise BadInput(f"{user} is disabled; enable the account first.")
    token = secrets.token_urlsafe(32)
    link = SignInLink.objects.create(user=user, token_digest=digest(token), expires_at=now() + LIFETIME)
    record(actions.SIGN_IN_LINK_MADE, actor=actor, target=user, target_name=user.email)
    if actor.kind != "system" and actor.id != user.pk:
        transaction.on_commit(lambda: _tell(user, actor), robust=True)
    return link, token


def _tell(user: User, actor: Actor) -> None:
    message = EmailMessage(
        f"[{settings.INSTALLATION_NAME}] A sign-in link was made for you",
        f"{spelled(actor.name)} made a link that signs in as you once within 24 hours.\n\n"
        "If you did not ask for it, tell the operators of this installation.\n",
        to=[user.email],
    )
    send_now(message.send)


def find_sign_in_link(token: str) -> SignInLink:
    """Return the link if it still works; looking at it changes nothing."""
    link = (
        SignInLink.objects.select_related("user")
        .filter(token_digest=digest(token), used_at=None, expires_at__gt=now(), user__is_active=True)
        .first()
    )
    if link is None:
        raise NotFound("This sign-in link has been used or is too old. Ask an operator for a new one.")
    return link


@transaction.atomic
def use_sign_in_link(*, token: str) -> User:
    """Use a link up and return whom it signs in. Of two at the same moment one is refused."""
    link = find_sign_in_link(token)
    if not SignInLink.objects.filter(pk=link.pk, used_at=None).update(used_at=now()):
        raise NotFound("This sign-in link has been used already.")
    return link.user
