"""Tell people of what waits for them: once when it is asked, and more people when nobody has decided.

A notice names the agent, the tool and the time that is left, and leads to the page; arguments stay in the console.
"""

import json
import logging
import time
import uuid
from smtplib import SMTPException
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import transaction
from django.template.loader import render_to_string

from agents_app.models import Approval
from agents_app.queries.running import requesters_of
from agents_app.tools import web
from agents_app.tools.base import ToolFailed
from agents_app.triggers import signing
from console.audit import actions
from console.audit.services import record
from console.core.clock import now
from console.gateway import sync
from console.teams.actors import SYSTEM
from console.teams.models import Role, User

log = logging.getLogger(__name__)
_SECONDS = 10.0


def tell(approval_id: uuid.UUID) -> bool:
    """Send the notices that are due of an approval, by mail and webhook; return whether there were any. Once each."""
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
    notice = _notice(approval, is_escalated=is_escalated)
    _mail(approval, notice)
    _post(approval, notice)
    return True


def _claim(approval: Approval, *, is_escalated: bool) -> bool:
    """Take on a notice; whoever changes the row first sends it, and a mail that is lost is not sent twice."""
    moment = now()
    waiting = Approval.objects.filter(pk=approval.pk, state=Approval.State.WAITING)
    if not is_escalated:
        return bool(waiting.filter(told_at=None).update(told_at=moment))
    with transaction.atomic():
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


def _notice(approval: Approval, *, is_escalated: bool) -> dict[str, Any]:
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


def recipients(approval: Approval, *, is_escalated: bool) -> list[str]:
    """Return the addresses of those who may decide; with an escalation the operators' too."""
    roles = [Role.OWNER, Role.APPROVER]
    found = User.objects.filter(is_active=True, memberships__team=approval.team_id, memberships__role__in=roles)
    starter = approval.run.actor_id if approval.run.actor_kind == "user" else None
    if is_escalated:
        found = found.union(User.objects.filter(is_active=True, is_superuser=True))
    if starter is not None and approval.kind in {Approval.Kind.QUESTION, Approval.Kind.STEP}:
        found = found.union(User.objects.filter(is_active=True, pk=starter))
    requesters = requesters_of(approval.run) if approval.is_for_others else set()
    return sorted({user.email for user in found if user.pk not in requesters})


def _mail(approval: Approval, notice: dict[str, Any]) -> None:
    is_escalated = notice["type"] == "approval.escalated"
    about = f"{approval.run.agent} asks about {approval.tool_name or 'its next step'}"
    subject = f"Still waiting: {about}" if is_escalated else about
    context = {
        "approval": approval,
        "notice": notice,
        "is_escalated": is_escalated,
        "installation": settings.INSTALLATION_NAME,
    }
    body = render_to_string("agents/approval_mail.txt", context)
    mails = [
        EmailMessage(subject=" ".join(subject.split()), body=body, to=[address])
        for address in recipients(approval, is_escalated=is_escalated)
    ]
    try:
        get_connection().send_messages(mails)
    except (SMTPException, OSError):
        log.exception("The mail about the approval %s could not be sent; it stands in the inbox.", approval.pk)


def _post(approval: Approval, notice: dict[str, Any]) -> None:
    """Send the notice to the webhook of the installation, if there is one: signed, so that it can be believed."""
    if not settings.APPROVAL_WEBHOOK_URL:
        return
    body = json.dumps(notice).encode()
    signature = signing.sign(settings.APPROVAL_WEBHOOK_SECRET, body, int(time.time()))
    headers = {"Content-Type": "application/json", "X-Facet-Signature": signature}
    url = settings.APPROVAL_WEBHOOK_URL
    try:
        sent = web.exchange("POST", url, headers=headers, body=body, seconds=_SECONDS, may_change=True, is_tool=False)
        answer = sync.run(sent)
    except ToolFailed as failed:
        log.warning("The webhook for approvals did not take the notice of %s: %s", approval.pk, failed.sentence)
        return
    if answer.status >= 400:
        log.warning("The webhook for approvals answered %d to the notice of %s.", answer.status, approval.pk)
