"""Rerun a run from the beginning or from a step; earlier steps are reused, not repeated."""

from django.db import transaction

from agents_app.models import Agent, Run, RunNote
from agents_app.queries.reruns import Base, base_of
from agents_app.services.runs import Origin, start_run
from agents_app.tools.notes.kind import written_by
from console.core.errors import Conflict
from console.teams.actors import Actor


def rerun(*, actor: Actor, agent: Agent, run: Run, origin: Origin) -> Run:
    """Start a run of the same version with the same input, in the name of who asks."""
    if run.version is None:
        raise Conflict("A try-out of a draft is tried again as a new one, with the draft as it is now.")
    return _repeat(actor, agent, Base(run), origin)


@transaction.atomic
def rerun_from(*, actor: Actor, agent: Agent, run: Run, number: int, origin: Origin) -> Run:
    """Start a run that continues from this step of another: its version, prompt and input, in the name of who asks.

    Answers and outcomes before the step are taken over with their records, and so are the run's notes of then. Limits
    and cost begin at nothing, but how often a tool may be called, or the same in a row, counts what was taken over.
    """
    base = base_of(run, number)
    new = _repeat(actor, agent, base, origin)
    if not RunNote.objects.filter(run=new).exists():
        notes = written_by(base.taken_over)
        RunNote.objects.bulk_create([RunNote(run=new, name=name, text=text) for name, text in notes.items()])
    return new


def _repeat(actor: Actor, agent: Agent, base: Base, origin: Origin) -> Run:
    run = base.run
    return start_run(
        actor=actor,
        agent=agent,
        definition=run.version,
        input=run.input,
        environment=run.environment,
        origin=origin,
        base=base,
    )
