"""Decide requests of runs. A decision is for one exact call, is made once, and wakes the run."""

import datetime as dt
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models.functions import Now

from agents_app.definition import RUN_LIMITS
from agents_app.errors import AlreadyDecided
from agents_app.grants.authority import why_not_run
from agents_app.grants.decision import decide
from agents_app.grants.digest import canonical, digest_of
from agents_app.grants.parsing import DENY, grants_of
from agents_app.grants.schemas import check_arguments
from agents_app.models import Approval, Run, Step
from agents_app.queries.run_state import actor_of, calls_of, definition_of, requesters_of, starters_of, tool_named
from agents_app.services.runs import wake
from console.audit import actions
from console.audit.models import Status
from console.audit.services import changes, record
from console.core.clock import now
from console.core.errors import BadInput, Refusal
from console.teams.actors import Actor
from console.teams.models import User
from console.teams.rights import rights_of_actor

Kind = Approval.Kind
RightsIn = Callable[[Actor, uuid.UUID], frozenset[str] | None]
_LONGEST_MESSAGE = 1000
_LONGEST_RESULT = 20_000
# Of an approval of kind `outcome`: what a person says became of the call.
OUTCOMES = ("done", "not_done")
MOST_EXTENDED = dt.timedelta(seconds=RUN_LIMITS["approval_seconds"])


@transaction.atomic
def decide_approval(
    *,
    actor: Actor,
    approval: Approval,
    is_approved: bool,
    seen_sha256: str,
    message: str = "",
    edited_arguments: Mapping[str, Any] | None = None,
    answer: Mapping[str, Any] | None = None,
) -> Approval:
    """Decide once. `seen_sha256` is the digest of what the person saw.

    `edited_arguments` replaces the arguments of a call, where its grant allows that. `answer` is what a question's form
    came to, or `{"outcome": "done" | "not_done", "result": "…"}` of a call nobody knows the end of; rejecting that one
    stops the run.
    """
    message = message.replace("\x00", "").strip()
    if len(message) > _LONGEST_MESSAGE:
        raise BadInput(
            f"The message has {len(message):,} characters; {_LONGEST_MESSAGE:,} is the most.", param="message"
        )
    locked = _locked(approval)
    check_may_decide(actor, locked)
    if locked.sha256 != seen_sha256:
        raise AlreadyDecided("What this asks about is not what you saw. Look again before you decide.")
    before = locked.arguments
    if is_approved and edited_arguments is not None and canonical(dict(edited_arguments)) != canonical(before):
        _edit(locked, dict(edited_arguments))
    if is_approved:
        locked.answer = _answer(locked, answer)
    locked.state = Approval.State.APPROVED if is_approved else Approval.State.REJECTED
    locked.message = message
    locked.decided_by = User.objects.get(pk=actor.id) if actor.id else None
    locked.decided_by_name, locked.decided_at = actor.name[:200], now()
    locked.save()
    detail: dict[str, Any] = {"decision": locked.state, "tool": locked.tool_name, "sha256": locked.sha256}
    if names := _changed(before, locked.arguments):
        detail |= {
            said: {name: value[name] for name in sorted(names & value.keys())}
            for said, value in (("before", before), ("after", locked.arguments))
        }
    _note(actions.APPROVAL_DECIDED, actor, locked, detail, reason=message)
    Run.objects.filter(pk=locked.run_id, state=Run.State.WAITING).update(wake_at=Now())
    wake(locked.run)
    return locked


@dataclass(frozen=True, slots=True)
class Decision:
    """What somebody wants to become of one approval: the arguments of `decide_approval`."""

    approval_id: uuid.UUID
    is_approved: bool
    seen_sha256: str
    message: str = ""
    edited_arguments: Mapping[str, Any] | None = None
    answer: Mapping[str, Any] | None = None


def decide_several(
    *, actor: Actor, decisions: Collection[Decision], find: Callable[[uuid.UUID], Approval]
) -> dict[uuid.UUID, Refusal | PermissionDenied]:
    """Decide each by itself, as if it were the only one; return why, by approval, what could not be decided.

    `find` returns an approval the actor may see, and refuses others. Whoever tries what their role does not allow is
    recorded, as for a request that comes to nothing.
    """
    refused: dict[uuid.UUID, Refusal | PermissionDenied] = {}
    found = []
    for decision in decisions:
        try:
            found.append((find(decision.approval_id), decision))
        except Refusal as refusal:
            refused[decision.approval_id] = refusal
    # In one order: where all is one transaction, two who decide at once would wait for each other's runs.
    for approval, decision in sorted(found, key=lambda one: (one[0].run_id, one[0].pk)):
        try:
            decide_approval(
                actor=actor,
                approval=approval,
                is_approved=decision.is_approved,
                seen_sha256=decision.seen_sha256,
                message=decision.message,
                edited_arguments=decision.edited_arguments,
                answer=decision.answer,
            )
        except Refusal as refusal:
            refused[approval.pk] = refusal
        except PermissionDenied as denied:
            refused[approval.pk] = denied
            _note(
                actions.REQUEST_REFUSED,
                actor,
                approval,
                {},
                reason=str(denied),
                status=Status.REFUSED,
                http_status=403,
                code="policy_denied",
            )
    return refused


@transaction.atomic
def extend_approval(*, actor: Actor, approval: Approval, seconds: int) -> Approval:
    """Give people more time to decide, counted from now: never less, and no more than an agent may from the start."""
    if not 60 <= seconds <= MOST_EXTENDED.total_seconds():
        raise BadInput("More time is from one minute to 30 days.", param="seconds")
    locked = _locked(approval)
    check_may_decide(actor, locked)
    latest, until = locked.created_at + MOST_EXTENDED, now() + dt.timedelta(seconds=seconds)
    if until > latest:
        raise BadInput(
            f"An approval waits {MOST_EXTENDED.days} days in all at most: this one until {latest:%Y-%m-%d %H:%M} UTC.",
            param="seconds",
        )
    if until <= locked.expires_at:
        raise BadInput(
            f"It waits until {locked.expires_at:%Y-%m-%d %H:%M} UTC already, which is later.", param="seconds"
        )
    before, locked.expires_at = locked.expires_at, until
    locked.save(update_fields=["expires_at"])
    detail = changes({"expires_at": before}, {"expires_at": locked.expires_at})
    _note(actions.APPROVAL_EXTENDED, actor, locked, detail)
    return locked


def check_may_decide(actor: Actor, approval: Approval) -> None:
    """Refuse who may not decide this now, with the reason. Needs `run` and `team`."""
    if reason := why_not_decide(actor, approval):
        raise PermissionDenied(reason)


def why_not_decide(actor: Actor, approval: Approval, rights_in: RightsIn = rights_of_actor) -> str:
    """Return why an actor may not decide, empty when they may: a person, with the right at this moment.

    `rights_in` is asked what the actor may do in a team. Who asks of many approvals gives one that remembers.
    """
    if actor.kind != "user":
        return "Approvals are decided by people."
    is_requester = actor.id in starters_of(approval.run)
    if approval.is_for_others and is_requester:
        return "You started this run, and this agent's rule wants somebody else to decide."
    if approval.is_for_others and actor.id in requesters_of(approval.run):
        return "You set up what started this run, and this agent's rule wants somebody else to decide."
    if approval.kind in {Kind.QUESTION, Kind.STEP} and is_requester and rights_in(actor, approval.run.team_id):
        return ""
    rights = rights_in(actor, approval.team_id)
    if rights is not None and "approve" not in rights:
        return f"Your role in {approval.team} does not allow you to decide this. Approvers and owners can."
    return ""


def _locked(approval: Approval) -> Approval:
    """Return an approval that still waits, its run's row and its own held until commit, in the engine's order."""
    Run.objects.select_for_update(no_key=True).get(pk=approval.run_id)
    rows = Approval.objects.select_for_update(no_key=True, of=("self",))
    row = rows.select_related("run__agent__team", "run__team", "run__version", "step", "team").get(pk=approval.pk)
    if row.state == Approval.State.WAITING and row.expires_at > now():
        return row
    if row.decided_by_name:
        verb = "approved" if row.state == Approval.State.APPROVED else "rejected"
        raise AlreadyDecided(f"{row.decided_by_name} {verb} this at {row.decided_at:%H:%M:%S} UTC.")
    if row.state == Approval.State.CANCELLED:
        raise AlreadyDecided("The run ended, so there is nothing to decide any more.")
    raise AlreadyDecided(f"The time to decide ended at {row.expires_at:%Y-%m-%d %H:%M:%S} UTC.")


def _edit(approval: Approval, edited: dict[str, Any]) -> None:
    """Put other arguments in a call's place: only those that may be edited, and the whole is decided about again."""
    if approval.kind != Kind.CALL:
        raise BadInput("There are no arguments to change here.", param="edited_arguments")
    if fixed := sorted(_changed(approval.arguments, edited) - set(approval.editable)):
        raise BadInput(f"The argument {fixed[0][:60]} may not be changed.", param=f"edited_arguments.{fixed[0][:60]}")
    run, step = approval.run, approval.step
    decision = decide(
        name=step.tool_name,
        grant=grants_of(definition_of(run).grants).get(step.tool_name),
        tool=tool_named(run, step.tool_name),
        arguments=edited,
        problem=why_not_run(actor_of(run), run.agent, run.team),
        calls_before=calls_of(run, step.tool_name),
    )
    if decision.effect == DENY:
        raise BadInput(f"With these arguments it may not be called. {decision.reason}", param="edited_arguments")
    step.arguments = edited
    step.decisions = [*step.decisions, decision.as_kept() | {"edited": True}]
    approval.arguments, approval.sha256 = edited, digest_of(run, step, edited)
    Step.objects.filter(pk=step.pk).update(arguments=edited, decisions=step.decisions)


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> set[str]:
    """Return the names of what differs as JSON: 1 is not true, and null is not the same as nothing."""
    written = [{name: canonical(value) for name, value in one.items()} for one in (before, after)]
    return {name for name in written[0].keys() | written[1].keys() if written[0].get(name) != written[1].get(name)}


def _answer(approval: Approval, answer: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if approval.kind == Kind.QUESTION:
        return check_arguments(approval.form or {}, dict(answer or {}))
    if approval.kind != Kind.OUTCOME:
        return None
    given = dict(answer or {})
    outcome, result = given.get("outcome"), given.get("result", "")
    if outcome not in OUTCOMES or not isinstance(result, str) or len(result) > _LONGEST_RESULT:
        raise BadInput("Say what happened: done, with the result in words, or not_done.", param="answer")
    return {"outcome": outcome, "result": result.replace("\x00", "")}


def _note(
    action: actions.Action, actor: Actor, approval: Approval, detail: dict[str, Any], reason: str = "", **more: Any
) -> None:
    record(
        action,
        actor=actor,
        target=approval,
        target_name=f"{approval.run.public_id} step {approval.step.number}",
        team=approval.team,
        detail=detail,
        reason=reason,
        surface="agent",
        **more,
    )
