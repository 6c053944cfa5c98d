"""Invite somebody to a team; an invitation is accepted once, within a few days."""

import datetime as dt
import secrets

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse

from console.audit import actions
from console.audit.services import record
from console.core.clock import now
from console.core.errors import Conflict, NotFound
from console.core.hidden_characters import spelled
from console.core.mail import send_now
from console.core.races import hold
from console.teams.actors import Actor
from console.teams.keys import digest
from console.teams.models import Invitation, Membership, Team, User
from console.teams.queries import person_behind
from console.teams.rights import rights_in_team
from console.teams.roles import RIGHTS
from console.teams.services.people import create_person
from console.teams.services.teams import check_role, join

GONE = "This invitation has been used, revoked, or is too old. Ask for a new one."


def _open() -> dict[str, object]:
    return {"accepted_at": None, "revoked_at": None, "expires_at__gt": now(), "team__archived_at": None}


def _lifetime() -> dt.timedelta:
    return dt.timedelta(days=settings.INVITATION_DAYS)


def link_to(token: str) -> str:
    """Return the whole address the invited person opens."""
    return settings.BASE_URL + reverse("teams:accept_invitation", args=[token])


def _send(invitation: Invitation, token: str, actor: Actor) -> None:
    context = {
        "invitation": invitation,
        "inviter": actor.name,
        "link": link_to(token),
        "days": settings.INVITATION_DAYS,
        "installation_name": settings.INSTALLATION_NAME,
    }
    subject = f"[{settings.INSTALLATION_NAME}] {actor.name} invites you to {invitation.team.name}"
    message = EmailMessage(
        " ".join(spelled(subject).split()),
        render_to_string("teams/mail/invitation.txt", context),
        to=[invitation.email],
    )
    invitation.mail_failed = not send_now(message.send)


@transaction.atomic
def invite(*, actor: Actor, team: Team, email: str, role: str) -> tuple[Invitation, str]:
    """Invite an address and return the invitation with its token, which is not kept. An older one is replaced."""
    email = email.strip().lower()
    check_role(actor, team, role)
    hold(team)  # of two that invite one address at once, the second replaces the first's
    if Membership.objects.filter(team=team, user__email__iexact=email).exists():
        raise Conflict(f"{email} is a member of {team} already.", param="email")
    Invitation.objects.filter(team=team, email__iexact=email, accepted_at=None, revoked_at=None).update(
        revoked_at=now()
    )
    token = secrets.token_urlsafe(32)
    invitation = Invitation.objects.create(
        team=team,
        email=email,
        role=role,
        token_digest=digest(token),
        invited_by_id=person_behind(actor),
        expires_at=now() + _lifetime(),
    )
    record(
        actions.INVITATION_SENT,
        actor=actor,
        target=invitation,
        target_name=email,
        detail={"after": {"role": role, "expires_at": invitation.expires_at}},
    )
    transaction.on_commit(lambda: _send(invitation, token, actor), robust=True)
    return invitation, token


@transaction.atomic
def resend_invitation(*, actor: Actor, invitation: Invitation) -> tuple[Invitation, str]:
    """Send a new link for days to come; the old one stops working.

    Whoever does it sees the link and vouches for it from now on, so it takes the rights that inviting takes.
    """
    check_role(actor, invitation.team, invitation.role)
    token = secrets.token_urlsafe(32)
    invitation.token_digest, invitation.expires_at = digest(token), now() + _lifetime()
    invitation.invited_by_id = person_behind(actor)
    open_ones = Invitation.objects.filter(pk=invitation.pk, accepted_at=None, revoked_at=None)
    if not open_ones.update(
        token_digest=invitation.token_digest,
        expires_at=invitation.expires_at,
        invited_by_id=invitation.invited_by_id,
    ):
        raise Conflict("This invitation has been accepted or revoked meanwhile.")
    record(actions.INVITATION_RESENT, actor=actor, target=invitation, target_name=invitation.email)
    transaction.on_commit(lambda: _send(invitation, token, actor), robust=True)
    return invitation, token


@transaction.atomic
def revoke_invitation(*, actor: Actor, invitation: Invitation) -> None:
    if not Invitation.objects.filter(pk=invitation.pk, accepted_at=None, revoked_at=None).update(revoked_at=now()):
        raise Conflict("This invitation has been accepted or revoked meanwhile.")
    record(actions.INVITATION_REVOKED, actor=actor, target=invitation, target_name=invitation.email)


def _is_vouched_for(invitation: Invitation) -> bool:
    """Return whether whoever invited could still give that role; a removed owner's invitations are worth nothing."""
    if invitation.invited_by is None:
        return True
    return RIGHTS[invitation.role] <= rights_in_team(invitation.invited_by, invitation.team_id)


def find_invitation(token: str) -> Invitation:
    """Return the invitation a link belongs to, if it still works; looking at it changes nothing."""
    found = (
        Invitation.objects.select_related("team", "invited_by").filter(token_digest=digest(token), **_open()).first()
    )
    if found is None or not _is_vouched_for(found):
        raise NotFound(GONE)
    return found


def team_joined(token: str, user: User) -> Team | None:
    """Return the team a person joined by the invitation of a link, as long as they are in it."""
    used = Invitation.objects.select_related("team").filter(
        token_digest=digest(token),
        email__iexact=user.email,
        accepted_at__isnull=False,
        team__memberships__user=user,
        team__archived_at=None,
    )
    found = used.first()
    return found.team if found else None


def open_invitations(email: str) -> list[Invitation]:
    """Return the invitations an address could accept now; whoever asks has proven that the address is theirs."""
    found = Invitation.objects.select_related("team", "invited_by").filter(email__iexact=email, **_open())
    return [invitation for invitation in found if _is_vouched_for(invitation)]


def actor_of(user: User, actor: Actor) -> Actor:
    return Actor("user", user.pk, str(user), client_address=actor.client_address, request_id=actor.request_id)


@transaction.atomic
def accept_invitation(*, actor: Actor, invitation: Invitation, user: User) -> Membership | None:
    """Make the invited person a member; the address must be theirs. None when they are one already."""
    if user.email.lower() != invitation.email.lower():
        raise NotFound(GONE)
    if not Invitation.objects.filter(pk=invitation.pk, **_open()).update(accepted_at=now()):
        raise NotFound(GONE)
    record(actions.INVITATION_ACCEPTED, actor=actor, target=invitation, target_name=invitation.email)
    if Membership.objects.filter(team=invitation.team, user=user).exists():
        return None
    return join(actor=actor, team=invitation.team, user=user, role=invitation.role)


@transaction.atomic
def join_with_new_account(*, actor: Actor, invitation: Invitation, name: str, password: str) -> User:
    """Create the invited person's account and make them a member. The link proves the address."""
    user = create_person(actor=actor, email=invitation.email, name=name, password=password)
    accept_invitation(actor=actor_of(user, actor), invitation=invitation, user=user)
    return user
