"""Run again from a step, as a new run: what came before is taken over, and nothing of it is done again."""

from typing import Any

from django.db import transaction

from agents_app.models import Agent, Run, RunNote
from agents_app.queries.rerunning import base_of
from agents_app.services.runs import start_run
from agents_app.tools.notes.kind import written_by
from console.teams.actors import Actor


@transaction.atomic
def rerun_from(
    *, actor: Actor, agent: Agent, run: Run, number: int, trigger: str = Run.Trigger.CONSOLE, **more: Any
) -> Run:
    """Start a run that goes on from this step of another: its version, prompt and input, in the name of who asks.

    Answers and outcomes before the step are taken over with their records, and so are the run's notes of then. Limits
    and cost begin at nothing, but how often a tool may be called, or the same in a row, counts what was taken over.
    """
    base = base_of(run, number)
    made = start_run(
        actor=actor,
        agent=agent,
        version=run.version,
        input=run.input,
        environment=run.environment,
        trigger=trigger,
        parent=run,
        parent_step=base.first,
        taken_over=base.taken_over,
        is_simulated=run.is_simulated,
        is_step_by_step=run.is_step_by_step,
        **more,
    )
    if not RunNote.objects.filter(run=made).exists():
        notes = written_by(base.taken_over)
        RunNote.objects.bulk_create([RunNote(run=made, name=name, text=text) for name, text in notes.items()])
    return made
