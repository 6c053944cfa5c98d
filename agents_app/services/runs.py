"""Start and cancel runs. Starting commits the run and the request to work on it; a worker does the rest."""

import json
import uuid
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from agents_app.definition import fields_of, run_limits
from agents_app.engine.ending import end
from agents_app.errors import Forgotten, NotReady, TooDeep
from agents_app.grants.authority import MayNotRun, paying_team, why_not_run
from agents_app.grants.schemas import check_arguments
from agents_app.instructions import rendered
from agents_app.models import Agent, AgentDraft, AgentVersion, Definition, Run, Step
from agents_app.queries.reruns import Base
from agents_app.services.names import check_environment
from console.audit import actions
from console.audit.services import record
from console.core.clock import now
from console.core.errors import BadInput, Conflict
from console.core.races import hold
from console.core.tasks import enqueue_on_commit
from console.teams.actors import Actor
from console.teams.models import Team
from console.teams.queries import owner_of

MESSAGE_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"message": {"type": "string", "minLength": 1, "maxLength": 60_000}},
    "required": ["message"],
}
_LONGEST_TITLE = 120


def wake(run: Run) -> None:
    """Have a worker look at a run once this is committed."""
    enqueue_on_commit("agents.advance", run.pk)


@dataclass(frozen=True, slots=True)
class Origin:
    """What starts a run, and for whom.

    The same `dedupe_key` starts one run. `called_by` is the run one of whose tools starts this one. `set_up_by_id` is
    who set the trigger up; for a key it is who answers for it now, whoever it is handed to later. `end_user` is whose
    run it is and `metadata` what it is for, as the log keeps them.
    """

    trigger: str
    trigger_name: str = ""
    set_up_by_id: uuid.UUID | None = None
    dedupe_key: str | None = None
    called_by: Run | None = None
    end_user: str = ""
    metadata: dict[str, str] | None = None


@transaction.atomic
def start_run(
    *,
    actor: Actor,
    agent: Agent,
    input: Any,
    environment: str,
    origin: Origin,
    definition: AgentVersion | AgentDraft | None = None,
    base: Base | None = None,
    is_simulated: bool = False,
    is_step_by_step: bool = False,
) -> Run:
    """Start a run of an agent's live version, or of the version or draft in `definition`.

    `base` is what of an earlier run it repeats. An origin that does not say an end user, metadata or who set it up has
    those of the run above this one, if that is the same team's: a run's id is no leave to know whom another team
    serves. How deep runs call each other counts whosever they are.
    """
    if origin.dedupe_key is not None and (earlier := _earlier(agent, origin.dedupe_key)) is not None:
        return earlier
    if base is not None and base.run.forgotten_at is not None:
        raise Forgotten
    check_environment(environment)
    team = paying_team(actor, agent)
    if problem := why_not_run(actor, agent, team):
        raise MayNotRun(problem)
    definition = definition or agent.live
    if definition is None or definition.agent_id != agent.pk:
        raise NotReady([f"No version of {agent.name} is published."])
    values = check_input(definition, input)
    above = _run_of_team(team, origin.called_by or (base.run if base else None))
    run = Run(
        agent=agent,
        team=team,
        version=None if isinstance(definition, AgentDraft) else definition,
        definition=fields_of(definition) if isinstance(definition, AgentDraft) else None,
        prompt=base.run.prompt if base and base.first else _pinned(agent, definition, environment),
        environment=environment,
        title=_title(agent, values, definition.input_schema),
        input=values,
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_name=actor.name[:200],
        client_address=actor.client_address,
        end_user=origin.end_user or (above.end_user if above else ""),
        metadata=origin.metadata or (above.metadata if above else None),
        trigger=origin.trigger,
        trigger_name=origin.trigger_name[:200],
        set_up_by_id=origin.set_up_by_id or _set_up_by(actor, _run_of_team(team, origin.called_by)),
        dedupe_key=origin.dedupe_key,
        parent=base.run if base else None,
        parent_step=base.first if base else None,
        called_by=origin.called_by,
        depth=_depth(agent, origin.called_by),
        is_simulated=is_simulated,
        is_step_by_step=is_step_by_step,
        limits=run_limits(definition),
        created_at=now(),
    )
    if (earlier := _save(run)) is not None:
        return earlier
    taken_over = base.taken_over if base else []
    Step.objects.bulk_create([_taken_over(run, step) for step in taken_over])
    _note_start(actor, run, definition, len(taken_over))
    wake(run)
    return run


def _run_of_team(team: Team, above: Run | None) -> Run | None:
    """Return the run above another if it is this team's."""
    return above if above is not None and above.team_id == team.pk else None


def _save(run: Run) -> Run | None:
    """Insert a run; return the one that its key started meanwhile instead."""
    try:
        with transaction.atomic():
            run.save(force_insert=True)
    except IntegrityError:
        earlier = _earlier(run.agent, run.dedupe_key) if run.dedupe_key is not None else None
        if earlier is None:
            raise
        return earlier
    return None


def _note_start(actor: Actor, run: Run, definition: AgentVersion | AgentDraft, taken_over: int) -> None:
    detail: dict[str, Any] = {
        "agent": _named(run.agent, definition),
        "trigger": run.trigger,
        "trigger_name": run.trigger_name,
        "limits": run.limits,
    }
    if run.parent is not None:
        detail |= {"repeats": run.parent.public_id, "from_step": run.parent_step, "taken_over": taken_over}
    if run.called_by is not None:
        detail |= {"called_by": run.called_by.public_id, "depth": run.depth}
    record(
        actions.RUN_STARTED, actor=actor, target=run, target_name=run.public_id, team=run.team, detail=detail,
        surface="agent",
    )  # fmt: skip


@transaction.atomic
def cancel_run(*, actor: Actor, run: Run) -> Run:
    """Stop a run: at once when nobody works on it, otherwise within moments. One that is over stays as it is."""
    locked = hold(run, "agent__team", "team")
    if locked.is_over or locked.state == Run.State.CANCELLING:
        return locked
    record(
        actions.RUN_CANCELLED,
        actor=actor,
        target=locked,
        target_name=locked.public_id,
        team=locked.team,
        surface="agent",
    )
    trouble = f"{actor.name[:200]} cancelled it."
    if not Run.objects.filter(pk=run.pk, lease_until__gt=Now()).exists():
        end(locked, Run.State.CANCELLED, code="cancelled", trouble=trouble)
    else:
        Run.objects.filter(pk=run.pk).update(state=Run.State.CANCELLING, trouble=trouble, wake_at=None)
        wake(locked)
    locked.refresh_from_db()
    return locked


def check_input(definition: Definition, value: Any) -> dict[str, Any]:
    """Return what a run is given, if it fits what the version asks for: a message, unless it says otherwise."""
    try:
        return check_arguments(definition.input_schema or MESSAGE_SCHEMA, value)
    except BadInput as wrong:
        complaint = wrong.message.removeprefix("The arguments do not fit: ")
        if not isinstance(value, dict):
            names = (definition.input_schema or MESSAGE_SCHEMA).get("properties") or {"message": {}}
            complaint = "It is a JSON object, such as " + json.dumps(
                dict.fromkeys(list(names)[:3], "…"), ensure_ascii=False
            )
        raise BadInput(f"The input does not fit. {complaint}", param="input", code="input_does_not_fit") from None


def _depth(agent: Agent, called_by: Run | None) -> int:
    """Return how many runs stand above one this run calls; TooDeep names them when they are too many."""
    if called_by is None:
        return 0
    if called_by.depth < settings.AGENT_MOST_DEPTH:
        return called_by.depth + 1
    chain, above = [agent.slug], called_by
    while len(chain) < settings.AGENT_MOST_DEPTH + 2:
        # Agents of other teams are not named: the id of a run is no leave to know them.
        chain.append(above.agent.slug if above.agent.team_id == agent.team_id else "another team's agent")
        if above.called_by is None:
            break
        above = above.called_by
    raise TooDeep(chain[::-1], settings.AGENT_MOST_DEPTH)


# What a step was: the record stays with the run that made it, and so does what it cost.
_AS_IT_WAS = (
    "number", "turn", "kind", "state", "tool_id", "tool_name", "call_id", "arguments", "decisions", "output",
    "is_error", "trouble", "note", "idempotency_key", "request_id", "model", "attempts", "created_at", "intended_at",
    "ended_at",
)  # fmt: skip


def _taken_over(run: Run, step: Step) -> Step:
    """Return a recorded step as another run has it: by the same record, and free."""
    return Step(run=run, is_taken_over=True, **{name: getattr(step, name) for name in _AS_IT_WAS})


def _earlier(agent: Agent, dedupe_key: str) -> Run | None:
    earlier = Run.objects.filter(dedupe_key=dedupe_key).first()
    if earlier is not None and earlier.agent_id != agent.pk:
        raise Conflict("This key has started a run of another agent.")
    return earlier


def _set_up_by(actor: Actor, called_by: Run | None) -> uuid.UUID | None:
    answers = owner_of(actor.id) if actor.kind == "key" else None
    return answers or (called_by.set_up_by_id if called_by else None)


def _pinned(agent: Agent, definition: Definition, environment: str) -> dict[str, Any] | None:
    """Return the prompt by number, as a call names it: the run keeps it, whatever its labels come to mean."""
    filled = rendered(agent.team_id, definition, environment)
    if filled is None:
        return None
    return {
        "id": definition.prompt_slug,
        "version": filled.version.number,
        "variables": definition.prompt_variables,
    }


def _title(agent: Agent, given: dict[str, Any], schema: dict[str, Any] | None) -> str:
    """Name a run by the first line of what it was given, the first that it needs before all others."""
    values = [given.get(name) for name in (schema or {}).get("required", [])] + list(given.values())
    words = next((value for value in values if isinstance(value, str) and value.strip()), agent.name)
    line = " ".join(words.strip().splitlines()[0].split())
    return line if len(line) <= _LONGEST_TITLE else line[: _LONGEST_TITLE - 1] + "…"


def _named(agent: Agent, definition: AgentVersion | AgentDraft) -> str:
    return f"{agent.slug}@{definition.number}" if isinstance(definition, AgentVersion) else f"{agent.slug} (draft)"
