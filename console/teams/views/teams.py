"""Pages of teams, members and invitations."""

import uuid

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from console.core.clock import now
from console.core.errors import Refusal
from console.core.formatting import with_article
from console.core.forms import posted, refusals_at
from console.core.htmx import go
from console.teams import access, queries
from console.teams.access import OPERATOR, SIGNED_IN, needs
from console.teams.callers import TeamRequest
from console.teams.forms.base import Confirm
from console.teams.forms.teams import ChangeTeamForm, CreateTeamForm, InviteForm, RemoveMemberForm, RoleForm
from console.teams.models import Invitation, Role, Team, User
from console.teams.services import invitations
from console.teams.services import teams as services
from console.teams.views.questions import Question, ask, go_back, shown_once

_SENT = "We sent this link by e-mail. You can also pass it on yourself; it is not shown again."
_FAILED = "Pass this link on yourself: the mail server did not take the mail. It is not shown again."
_NOT_SENT = "Pass this link on yourself: no mail server is set up here. It is not shown again."


def _question(team: Team, title: str, text: str, verb: str, *, is_destructive: bool = False) -> Question:
    return Question(
        title=title,
        text=text,
        verb=verb,
        back=_url(team),
        back_label=team.name,
        active="teams",
        is_destructive=is_destructive,
    )


def _url(team: Team) -> str:
    return reverse("teams:team", args=[team.slug])


@needs(SIGNED_IN)
@require_safe
def teams(request: TeamRequest) -> HttpResponse:
    rows = queries.team_rows(access.teams_for(request.caller), request.caller.user)
    return render(request, "teams/teams.html", {"active": "teams", "rows": rows})


@needs(OPERATOR)
@require_http_methods(["GET", "HEAD", "POST"])
def create_team(request: TeamRequest) -> HttpResponse:
    form = CreateTeamForm(posted(request))
    if form.is_valid():
        with refusals_at(form):
            team = services.create_team(actor=request.caller.actor, **form.cleaned_data)
            return go(request, _url(team), f"{team.name} is created. Invite its first owner.")
    question = Question(
        title="New team",
        text="Keys, quotas, prompts and records belong to a team, and its people see nothing of other teams.",
        verb="Create team",
        back=reverse("teams:teams"),
        back_label="Teams",
        active="teams",
    )
    return ask(request, question, form)


@needs("view_team")
@require_safe
def team(request: TeamRequest, slug: str) -> HttpResponse:
    found = access.team_for(request.caller, slug)
    manages = request.caller.may("manage_members", found.pk)
    context = {
        "active": "teams",
        "team": found,
        "page": queries.team_page(found, with_invitations=manages),
        "manages_members": manages,
        "manages_team": request.caller.may("manage_team", found.pk),
        "now": now(),
        "manages_keys": request.caller.may("manage_keys", found.pk),
    }
    return render(request, "teams/team.html", context)


@needs("manage_team")
@require_http_methods(["GET", "HEAD", "POST"])
def change_team(request: TeamRequest, slug: str) -> HttpResponse:
    team = access.team_for(request.caller, slug, to="manage_team")
    form = ChangeTeamForm(posted(request), team=team)
    if form.is_valid():
        with refusals_at(form):
            services.change_team(actor=request.caller.actor, team=team, **form.cleaned_data)
            return go(request, _url(team), "The team is changed.")
    return ask(request, _question(team, f"Settings of {team.name}", "", "Save changes"), form)


@needs("manage_team")
@require_http_methods(["GET", "HEAD", "POST"])
def archive_team(request: TeamRequest, slug: str) -> HttpResponse:
    team = access.team_for(request.caller, slug, to="manage_team")
    form = Confirm(posted(request))
    if form.is_valid():
        with refusals_at(form):
            services.archive_team(actor=request.caller.actor, team=team)
            return go(request, reverse("teams:teams"), f"{team.name} is archived.")
    text = "Its keys stop with the next call and nobody sees it any more. Its records stay in the audit log."
    return ask(request, _question(team, f"Archive {team.name}?", text, "Archive team", is_destructive=True), form)


# Members --------------------------------------------------------------------------------------------------------------


@needs("manage_members")
@require_http_methods(["GET", "HEAD", "POST"])
def change_role(request: TeamRequest, slug: str, membership_id: uuid.UUID) -> HttpResponse:
    team = access.team_for(request.caller, slug, to="manage_members")
    member = access.member_for(team, membership_id)
    form = RoleForm(posted(request), initial={"role": member.role})
    if form.is_valid():
        with refusals_at(form):
            services.change_role(actor=request.caller.actor, membership=member, **form.cleaned_data)
            return go(
                request, _url(team), f"{member.user} is now {with_article(member.get_role_display())} of {team.name}."
            )
    text = "It applies at once, to the person's keys too: a key can never do more than who answers for it."
    return ask(request, _question(team, f"Role of {member.user}", text, "Change role"), form)


@needs("view_team")
@require_http_methods(["GET", "HEAD", "POST"])
def remove_member(request: TeamRequest, slug: str, membership_id: uuid.UUID) -> HttpResponse:
    """Take somebody out of the team; everybody may take themselves out."""
    team = access.team_for(request.caller, slug)
    member = access.member_to_remove(request.caller, team, membership_id)
    leaves = member.user == request.caller.user
    keys = queries.keys_of(member.user, team)
    people = User.objects.filter(memberships__team=team, is_active=True).exclude(pk=member.user_id)
    form = RemoveMemberForm(posted(request), people=people, has_keys=bool(keys))
    if form.is_valid():
        with refusals_at(form):
            services.remove_member(actor=request.caller.actor, membership=member, **form.cleaned_data)
            message = f"You have left {team.name}." if leaves else f"{member.user} is no longer in {team.name}."
            stays = request.caller.is_operator or not leaves
            return go(request, _url(team) if stays else reverse("teams:teams"), message)
    title = f"Leave {team.name}?" if leaves else f"Remove {member.user} from {team.name}?"
    text = "Sessions, keys and runs lose the team's rights at once."
    question = Question(
        title=title,
        text=text,
        verb="Leave team" if leaves else "Remove member",
        back=_url(team),
        back_label=team.name,
        active="teams",
        is_destructive=True,
        losses=[f"{key.name} {key.shown}" for key in keys],
    )
    return ask(request, question, form)


# Invitations ----------------------------------------------------------------------------------------------------------


@needs("manage_members")
@require_http_methods(["GET", "HEAD", "POST"])
def invite(request: TeamRequest, slug: str) -> HttpResponse:
    team = access.team_for(request.caller, slug, to="manage_members")
    first = None if team.memberships.exists() else {"role": Role.OWNER}
    form = InviteForm(posted(request), initial=first)
    if form.is_valid():
        with refusals_at(form):
            invitation, token = invitations.invite(actor=request.caller.actor, team=team, **form.cleaned_data)
            return _show_link(request, team, invitation, token)
    text = "A link that works once makes the person a member."
    return ask(request, _question(team, f"Invite somebody to {team.name}", text, "Send invitation"), form)


def _show_link(request: TeamRequest, team: Team, invitation: Invitation, token: str) -> HttpResponse:
    context = {
        "active": "teams",
        "title": f"{invitation.email} is invited",
        "text": _NOT_SENT if not settings.EMAIL_HOST else _FAILED if invitation.mail_failed else _SENT,
        "link": invitations.link_to(token),
        "ends_at": invitation.expires_at,
        "back": _url(team),
        "back_label": team.name,
    }
    return shown_once(request, "teams/reveal_link.html", context)


@needs("manage_members")
@require_POST
def resend_invitation(request: TeamRequest, slug: str, invitation_id: uuid.UUID) -> HttpResponse:
    team = access.team_for(request.caller, slug, to="manage_members")
    invitation = access.invitation_for(team, invitation_id)
    try:
        invitation, token = invitations.resend_invitation(actor=request.caller.actor, invitation=invitation)
    except Refusal as refusal:
        return go_back(request, _url(team), refusal)
    return _show_link(request, team, invitation, token)


@needs("manage_members")
@require_POST
def revoke_invitation(request: TeamRequest, slug: str, invitation_id: uuid.UUID) -> HttpResponse:
    team = access.team_for(request.caller, slug, to="manage_members")
    invitation = access.invitation_for(team, invitation_id)
    try:
        invitations.revoke_invitation(actor=request.caller.actor, invitation=invitation)
    except Refusal as refusal:
        return go_back(request, _url(team), refusal)
    return go(request, _url(team), f"The invitation of {invitation.email} is revoked.")
