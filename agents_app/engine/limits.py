"""The limits of a run: usage is counted in its row with each step, and checked before the next one."""

import datetime as dt
from collections.abc import Sequence

from django.db.models import F

from agents_app.grants.digest import canonical
from agents_app.limit_text import limit_text
from agents_app.models import Run, Step, Tool
from agents_app.tools.completion import Completion
from console.core.clock import now

REACHED = "limit_reached"
_LETTERS_A_TOKEN = 4
# How each is said behind its number: "It reached its limit of 20 steps." Seconds spent waiting do not count.
NAMES = {
    "steps": "steps",
    "model_calls": "calls of its model",
    "tool_calls": "calls of tools",
    "tokens": "tokens",
    "cost_micros": "of cost",
    "seconds": "of work",
    "identical_calls": "identical calls in a row",
}


class LimitReached(Exception):
    """The run may not continue; the message names the limit."""

    def __init__(self, name: str, limit: int) -> None:
        super().__init__(f"It reached its limit of {limit_text(name, limit)} {NAMES[name]}.")


def check(run: Run, *, steps: int = 0, model_calls: int = 0, tool_calls: int = 0, tokens: int = 0) -> None:
    """Raise LimitReached if the run may not do so much more. What it has done must be fresh from the database."""
    comes_to = {
        "steps": run.steps_done + steps,
        "model_calls": run.model_calls + model_calls,
        "tool_calls": run.tool_calls + tool_calls,
        "tokens": run.tokens + tokens,
    }
    for name, number in comes_to.items():
        if (limit := run.limits.get(name)) is not None and number > limit:
            raise LimitReached(name, limit)
    if (most := run.limits.get("cost_micros")) is not None and run.cost_micros >= most:
        raise LimitReached("cost_micros", most)
    check_time(run)


def check_time(run: Run) -> None:
    if seconds_left(run) <= 0:
        raise LimitReached("seconds", run.limits["seconds"])


def seconds_left(run: Run) -> float:
    return (run.ends_by - now()).total_seconds() if run.ends_by else float(run.limits["seconds"])


def tokens_left(run: Run) -> int | None:
    limit = run.limits.get("tokens")
    return None if limit is None else max(limit - run.tokens, 0)


def has_room_beside(run: Run, step: Step, tool: Tool, begun: Sequence[tuple[Step, Tool]]) -> bool:
    """Return whether a call may begin beside those of the same turn, which are not counted before they end.

    Calls that are paid for share what is left of the run's tokens. What they will cost nobody knows before, so a run
    with a limit of cost makes them one after the other.
    """
    paid = [one for one in begun if one[1].kind == Completion.slug]
    if tool.kind != Completion.slug or not paid:
        return True
    if run.limits.get("cost_micros") is not None:
        return False
    left = tokens_left(run)
    return left is None or sum(_most_tokens(*one) for one in [*paid, (step, tool)]) <= left


def _most_tokens(step: Step, tool: Tool) -> int:
    return int(tool.config["output_tokens"]) + len(canonical(step.arguments)) // _LETTERS_A_TOKEN


def check_repeats(run: Run, step: Step, earlier: list[Step]) -> None:
    """Raise LimitReached when a call is the same as all those before it, once too often."""
    limit = run.limits.get("identical_calls")
    if limit is None:
        return
    wanted, same = (step.tool_name, canonical(step.arguments)), 1
    for one in reversed(earlier):
        if (one.tool_name, canonical(one.arguments)) != wanted:
            break
        same += 1
    if same > limit:
        raise LimitReached("identical_calls", limit)


def starts(run: Run) -> dict[str, object]:
    """Return what is written when a run is worked on for the first time, or again after a wait.

    Time in which no worker had it does not count: it waited for a person or its turn, or the console was off.
    """
    moment, fields = now(), {"state": Run.State.RUNNING, "waits_for": ""}
    if run.started_at is None:
        ends_by = moment + dt.timedelta(seconds=run.limits["seconds"])
        return {**fields, "started_at": moment, "ends_by": ends_by, "waiting_since": None}
    free_since = run.waiting_since or run.lease_until  # of a worker that is gone
    if free_since is not None:
        waited = max(moment - free_since, dt.timedelta())
        return {**fields, "waiting_since": None, "ends_by": F("ends_by") + waited}
    return dict(fields)
