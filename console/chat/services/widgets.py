"""Create and change widgets, switch them on and off, and manage the secret of signed identities.

Every write takes the widget's row first, so writers of one widget take their turn.
"""

import secrets
import string
from functools import partial
from typing import Any

from django.db import transaction

from agents_app.models import Agent, Audience
from console.audit import actions
from console.audit.actions import Action
from console.audit.services import changes, record
from console.chat import generation
from console.chat.errors import StaleWidget, UnknownWidget
from console.chat.models import Message, Widget
from console.chat.widget_fields import checked, fields_of
from console.core.clock import now
from console.core.crypto import encrypt
from console.core.errors import BadInput, check_revision
from console.core.signing import SHORTEST_SECRET
from console.core.sql import get_or_raise
from console.teams.actors import Actor
from console.teams.models import Team
from usage_app.services import quotas

_ALPHABET = string.ascii_lowercase + string.digits


@transaction.atomic
def create_widget(*, actor: Actor, team: Team, agent: Agent, name: str, **fields: Any) -> Widget:
    """Make a widget of a team that speaks with an agent. It answers nobody until it has an origin."""
    kept = checked({"name": name, **fields})
    if kept.get("needs_identity"):
        raise _no_secret()
    _check_agent(team, agent)
    public_id = "".join(secrets.choice(_ALPHABET) for _ in range(20))
    widget = Widget.objects.create(team=team, agent=agent, public_id=public_id, **kept)
    _note(actions.WIDGET_CREATED, actor, widget, {"after": _logged(widget)})
    return widget


@transaction.atomic
def change_widget(
    *, actor: Actor, widget: Widget, seen_revision: int | None = None, agent: Agent | None = None, **fields: Any
) -> Widget:
    """Change the given fields; the others stay. `seen_revision` is the state the person worked on."""
    widget = _locked(widget)
    check_revision(widget.name, widget.revision, seen_revision, StaleWidget)
    before, kept = _logged(widget), checked(fields)
    if kept.get("needs_identity") and not widget.identity_secret:
        raise _no_secret()
    if agent is not None and agent.pk != widget.agent_id:
        _check_agent(widget.team, agent)
        widget.agent = agent
    for name, value in kept.items():
        setattr(widget, name, value)
    after = _logged(widget)
    if before == after:
        return widget
    _save(widget, "agent", *kept)
    quotas.rename_widget(widget_id=widget.pk, name=widget.name)
    _note(actions.WIDGET_CHANGED, actor, widget, changes(before, after))
    return widget


@transaction.atomic
def enable_widget(*, actor: Actor, widget: Widget, is_enabled: bool) -> Widget:
    """Switch a widget on or off. Off, it takes no message from then on, and answers being written end."""
    widget = _locked(widget)
    if widget.is_enabled == is_enabled:
        return widget
    widget.is_enabled = is_enabled
    _save(widget, "is_enabled")
    _note(actions.WIDGET_ENABLED if is_enabled else actions.WIDGET_DISABLED, actor, widget, {})
    if not is_enabled:
        _stop_answers(widget)
    return widget


@transaction.atomic
def delete_widget(*, actor: Actor, widget: Widget) -> None:
    """Take a widget away for good, with what its visitors said. What the calls said stays in the log."""
    widget = _locked(widget)
    before = _logged(widget)
    widget.deleted_at, widget.identity_secret = now(), ""
    _save(widget, "deleted_at", "identity_secret")
    _note(actions.WIDGET_DELETED, actor, widget, {"before": before})
    quotas.remove_quotas_of_widget(actor=actor, widget_id=widget.pk)
    _stop_answers(widget)


@transaction.atomic
def make_identity_secret(*, actor: Actor, widget: Widget, secret: str | None = None) -> tuple[Widget, str]:
    """Make the secret with which the site signs who its visitors are, in place of the one before, which stops at once.

    Returns it too: this once, for it is kept encrypted and never shown again. `secret` is one the site has already.
    """
    if secret is not None and len(secret) < SHORTEST_SECRET:
        raise BadInput(f"The secret has {SHORTEST_SECRET} characters or more.", param="identity_secret")
    widget = _locked(widget)
    had_one = bool(widget.identity_secret)
    text = secret or f"fws_{secrets.token_urlsafe(32)}"
    widget.identity_secret = encrypt(text)
    _save(widget, "identity_secret")
    _note(actions.WIDGET_SECRET_MADE, actor, widget, {"before": {"secret": had_one}, "after": {"secret": True}})
    return widget, text


@transaction.atomic
def forget_identity_secret(*, actor: Actor, widget: Widget) -> Widget:
    """Forget the secret: nobody can vouch for visitors any more."""
    widget = _locked(widget)
    if widget.needs_identity:
        raise BadInput("Visitors must be vouched for; end that first, or nobody could write any more.")
    if not widget.identity_secret:
        return widget
    widget.identity_secret = ""
    _save(widget, "identity_secret")
    _note(actions.WIDGET_SECRET_FORGOTTEN, actor, widget, {"before": {"secret": True}, "after": {"secret": False}})
    return widget


def _locked(widget: Widget) -> Widget:
    """Return the widget as it is now, its row locked until commit."""
    rows = Widget.objects.select_for_update(no_key=True, of=("self",)).select_related("team", "agent")
    return get_or_raise(rows.filter(pk=widget.pk, deleted_at=None), UnknownWidget)


def _save(widget: Widget, *fields: str) -> None:
    widget.revision += 1
    widget.save(update_fields=["revision", *fields])


def _check_agent(team: Team, agent: Agent) -> None:
    """Refuse an agent that does not answer this team. Its row is locked: whoever archives it waits, or came first."""
    found = Agent.objects.select_for_update(no_key=True, of=("self",)).filter(pk=agent.pk, archived_at=None).first()
    if found is None or found.live_id is None:
        raise BadInput(f"{agent.name} does not answer; publish it, or choose another one.", param="agent")
    if found.live is not None and found.live.grants:
        message = f"{agent.name} has tools, and works in runs; visitors need an agent without. Choose another one."
        raise BadInput(message, param="agent")
    is_ours = found.team_id == team.pk or found.audience == Audience.ORGANISATION
    if not is_ours and not (found.audience == Audience.TEAMS and found.shared_with.filter(pk=team.pk).exists()):
        raise BadInput(f"{agent.name} is not shared with {team}.", param="agent")


def _no_secret() -> BadInput:
    return BadInput("Make the secret first: without it the site can vouch for nobody.", param="needs_identity")


def _stop_answers(widget: Widget) -> None:
    """End what is being written, here at once and elsewhere as soon as the row is looked at."""
    writing = Message.objects.filter(conversation__widget=widget, status=Message.Status.WRITING)
    ids = list(writing.values_list("pk", flat=True))
    Message.objects.filter(pk__in=ids, status=Message.Status.WRITING).update(
        status=Message.Status.STOPPED, ended_at=now(), lease_until=None
    )
    for message_id in ids:
        transaction.on_commit(partial(generation.stop, message_id))


def _logged(widget: Widget) -> dict[str, Any]:
    return {"agent": widget.agent.slug, **fields_of(widget)}


def _note(action: Action, actor: Actor, widget: Widget, detail: dict[str, Any]) -> None:
    record(action, actor=actor, target=widget, target_name=widget.name, team=widget.team, detail=detail)
