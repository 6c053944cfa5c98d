"""Notify people of approvals that wait for them, and more people if nobody has decided in time.

A notice names the agent, the tool and the time left, and links to the page. Arguments stay in the console.
"""

import uuid
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.template.loader import render_to_string

from agents_app.models import Approval
from agents_app.queries.run_state import requesters_of, starters_of
from console.audit import actions
from console.audit.services import record
from console.core.clock import now
from console.notices import services as notices
from console.notices.kinds import NoticeKind
from console.notices.services import People
from console.teams.actors import SYSTEM
from console.teams.models import Membership, Role, User


@transaction.atomic
def send(approval_id: uuid.UUID) -> bool:
    """Send the notices of an approval that are due, once each; return whether there were any."""
    approval = (
        Approval.objects.select_related("team", "run__agent", "step")
        .filter(pk=approval_id, state=Approval.State.WAITING)
        .first()
    )
    if approval is None:
        return False
    is_escalated = approval.escalate_at is not None and approval.escalate_at <= now()
    if not _claim(approval, is_escalated=is_escalated):
        return False
    facts = _facts(approval, is_escalated=is_escalated)
    return notices.notify(
        NoticeKind.APPROVAL,
        team=approval.team,
        title=_title(approval, is_escalated=is_escalated),
        text=_text(approval, is_escalated=is_escalated),
        url=f"/approvals/{approval.pk}/",
        facts=facts,
        key=f"{approval.pk}:{facts['type']}",
        people=_people(approval, is_escalated=is_escalated),
    )


def _claim(approval: Approval, *, is_escalated: bool) -> bool:
    """Claim a notice: whoever updates the row first sends it."""
    moment = now()
    waiting = Approval.objects.filter(pk=approval.pk, state=Approval.State.WAITING)
    if not is_escalated:
        return bool(waiting.filter(told_at=None).update(told_at=moment))
    if not waiting.filter(escalated_at=None).update(escalated_at=moment, told_at=moment):
        return False
    record(
        actions.APPROVAL_ESCALATED,
        actor=SYSTEM,
        target=approval,
        target_name=f"{approval.run.public_id} step {approval.step.number}",
        surface="agent",
    )
    return True


def _facts(approval: Approval, *, is_escalated: bool) -> dict[str, Any]:
    return {
        "type": "approval.escalated" if is_escalated else "approval.asked",
        "id": str(approval.pk),
        "kind": approval.kind,
        "team": approval.team.slug,
        "agent": approval.run.agent.slug,
        "run": approval.run.public_id,
        "step": approval.step.number,
        "tool": approval.tool_name,
        "rule": approval.rule,
        "expires_at": approval.expires_at.isoformat(),
        "url": f"{settings.BASE_URL}/approvals/{approval.pk}/",
    }


def _people(approval: Approval, *, is_escalated: bool) -> People:
    """Return who may decide, whose the run is that asks a question, and with an escalation the operators.

    Whoever is not in the run's team any more is told nothing of it, though a key that nobody took over is still theirs.
    """
    requesters = requesters_of(approval.run) if approval.is_for_others else set()
    active = User.objects.filter(is_active=True).exclude(pk__in=requesters)
    roles = [Role.OWNER, Role.APPROVER]
    starters = starters_of(approval.run) if approval.kind in {Approval.Kind.QUESTION, Approval.Kind.STEP} else set()
    is_there = Q(is_superuser=True) | Q(pk__in=Membership.objects.filter(team=approval.run.team_id).values("user"))

    def addresses(people: QuerySet[User]) -> list[str]:
        return list(people.values_list("email", flat=True))

    return People(
        of_team=addresses(active.filter(memberships__team=approval.team_id, memberships__role__in=roles)),
        operators=addresses(active.filter(is_superuser=True)) if is_escalated else (),
        always=addresses(active.filter(is_there, pk__in=starters)) if starters else (),
    )


def _title(approval: Approval, *, is_escalated: bool) -> str:
    about = f"{approval.run.agent} asks about {approval.tool_name or 'its next step'}"
    return f"Still waiting: {about}" if is_escalated else about


def _text(approval: Approval, *, is_escalated: bool) -> str:
    context = {"approval": approval, "run": approval.run.public_id, "is_escalated": is_escalated}
    return render_to_string("agents/approval_mail.txt", context)
