"""What the engine reads of a run."""

import uuid

from django.db.models import Sum

from agents_app.models import AgentDraft, Approval, Definition, Run, Step, Tool
from console.core.formatting import tally
from console.core.ids import parse_id, parse_response_id
from console.teams.actors import Actor
from console.teams.lineage import answering_for


def definition_of(run: Run) -> Definition:
    """Return what the run began with: its version, or the draft it tries out."""
    if run.version is not None:
        return run.version
    return AgentDraft(agent=run.agent, **(run.definition or {}))


def actor_of(run: Run) -> Actor:
    """Return in whose name the run acts."""
    return Actor(run.actor_kind, run.actor_id, run.actor_name, run.client_address)


def run_said(name: str) -> Run | None:
    """Return the run a request says it is made for (`X-Facet-Run`); one there is not here says nothing."""
    identifier = parse_id(name, "run_")
    return Run.objects.filter(pk=identifier).first() if identifier else None


def is_for(run: Run, end_user: str) -> bool:
    """Return whether a run may be this end user's: it is, or one of the two is not known."""
    return not (run.end_user and end_user) or run.end_user == end_user


def call_of_answer(name: str) -> uuid.UUID | None:
    """Return the call that gave the last word of a run, by the run's id or its response's; None where there is none.

    Who may do what with that call is for whoever asks to find out.
    """
    identifier = parse_id(name, "run_") if name.startswith("run_") else parse_response_id(name)
    if identifier is None:
        return None
    calls = Step.objects.filter(run=identifier, kind=Step.Kind.MODEL, state=Step.State.DONE, request_id__isnull=False)
    return calls.order_by("-number").values_list("request_id", flat=True).first()


def requesters_of(run: Run) -> set[uuid.UUID]:
    """Return the people who asked for a run or for one that called it: started it, set it up, answer for its key."""
    people: set[uuid.UUID | None] = set()
    keys: set[uuid.UUID | None] = set()
    one: Run | None = run
    while one is not None:
        (keys if one.actor_kind == "key" else people).add(one.actor_id)
        people.add(one.set_up_by_id)
        for key, person in one.queue_items.values_list("put_by_id", "put_for_id"):
            keys.add(key)
            people.add(person)
        one = one.called_by
    people |= answering_for([key for key in keys if key])
    return {person for person in people if person is not None}


def starters_of(run: Run) -> set[uuid.UUID]:
    """Return whose a run is: the person who started it, or those who answer by now for the key that did."""
    if run.actor_id is None or run.actor_kind not in {"user", "key"}:
        return set()
    return answering_for([run.actor_id]) if run.actor_kind == "key" else {run.actor_id}


def waits_for(run: Run) -> str:
    """Return what people are asked before the run continues, the oldest question first; empty when nothing is."""
    approvals = Approval.objects.filter(run=run, state=Approval.State.WAITING).order_by("created_at", "id")
    return tally(approval.tool_name or "the next step" for approval in approvals)


def tokens_of(run: Run) -> tuple[int, int]:
    """Return how many tokens the models of a run read and wrote until now, those that its tools called too."""
    used = run.steps.aggregate(prompt=Sum("prompt_tokens"), completion=Sum("completion_tokens"))
    return used["prompt"] or 0, used["completion"] or 0


def tool_named(run: Run, name: str) -> Tool | None:
    """Return the living tool of exactly this name of the agent's team. Needs `run.agent`."""
    tools = Tool.objects.select_related("server")
    return tools.filter(team=run.agent.team_id, slug=name, deleted_at=None).first() if "\x00" not in name else None


_BEGUN = (Step.State.INTENDED, Step.State.DONE, Step.State.FAILED, Step.State.UNKNOWN)


def is_begun(step: Step) -> bool:
    """Return whether a step is a call that was begun, whatever came of it: it counts against `most_calls`."""
    return step.kind == Step.Kind.TOOL and step.state in _BEGUN


def calls_of(run: Run, name: str) -> int:
    """Return how many calls of a tool the run has begun."""
    return Step.objects.filter(run=run, kind=Step.Kind.TOOL, tool_name=name, state__in=_BEGUN).count()
