"""From which steps a run can be rerun, what the new run would reuse, and what it may do again."""

from dataclasses import dataclass, field

from agents_app.errors import CannotGoOnFrom, Forgotten, UnknownStep
from agents_app.models import Run, Step, Tool

Kind, State = Step.Kind, Step.State


@dataclass(frozen=True, slots=True)
class Base:
    """What a new run repeats of `run`: all of it, or it begins with these steps and continues with number `first`."""

    run: Run
    first: int | None = None
    taken_over: list[Step] = field(default_factory=list)
    # Calls that changed something, or may have: the model may ask for them again, which would be new calls.
    made_after: list[Step] = field(default_factory=list)


def base_of(run: Run, number: int) -> Base:
    """Return what a run from this step begins with; a refusal says why there is none, and where there is.

    A turn is taken over whole or not at all: the model is asked at its beginning, when all calls before are over.
    Earlier attempts of the same question are left behind with it.
    """
    steps = list(Step.objects.filter(run=run).select_related("tool").order_by("number"))
    step = next((one for one in steps if one.number == number), None)
    if step is None:
        raise UnknownStep
    if run.forgotten_at is not None:
        raise Forgotten
    if run.version_id is None:
        raise CannotGoOnFrom("A try-out of a draft is tried again from the agent's page, with the draft as it is now.")
    if step.kind != Kind.MODEL:
        raise CannotGoOnFrom(_elsewhere(steps, step))
    before = [one for one in steps if one.turn < step.turn]
    if any(one.state not in Step.OVER for one in before):
        raise CannotGoOnFrom("What came before this step is not over, so it cannot be taken over.")
    after = steps[len(before) :]
    return Base(run, after[0].number, before, [one for one in after if _may_have_changed(one)])


def _elsewhere(steps: list[Step], step: Step) -> str:
    asked = [one.number for one in steps if one.kind == Kind.MODEL]
    earlier = max((number for number in asked if number < step.number), default=None)
    later = min((number for number in asked if number > step.number), default=None)
    choices = " or ".join(f"step {number}" for number in (earlier, later) if number is not None)
    what = (
        "is a call, one of those a model asked for together"
        if step.kind == Kind.TOOL
        else "is no question to the model"
    )
    return f"Step {step.number} {what}. A run goes on where the model is asked: choose {choices}."


def _may_have_changed(step: Step) -> bool:
    if step.kind != Kind.TOOL or step.state not in {State.DONE, State.UNKNOWN, State.INTENDED}:
        return False
    return step.tool is None or step.tool.effect != Tool.Effect.READ
