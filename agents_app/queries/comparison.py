"""Compare two runs step by step."""

from dataclasses import dataclass

from django.db.models import QuerySet

from agents_app.models import Run
from agents_app.queries.runs import Row
from agents_app.queries.trace import TraceRow, trace


@dataclass(frozen=True, slots=True)
class Pair:
    """Two steps that stand at the same place; None where one of the runs had ended."""

    old: TraceRow | None
    new: TraceRow | None
    is_same: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    old: Row
    new: Row
    pairs: list[Pair]
    figures: list[tuple[str, int, int, str]]  # name, old, new, how it is shown


def neighbour(run: Run, visible: QuerySet[Run]) -> Run | None:
    """Return the run this one repeats, or the one of the same agent before it."""
    rows = visible.select_related("agent__team", "team", "version")
    if run.parent_id and (parent := rows.filter(pk=run.parent_id).first()):
        return parent
    return rows.filter(agent=run.agent_id, pk__lt=run.pk).order_by("-pk").first()


def candidates(run: Run, visible: QuerySet[Run]) -> list[Run]:
    return list(visible.filter(agent=run.agent_id).exclude(pk=run.pk).order_by("-pk")[:30])


def comparison(old: Run, new: Run, *, with_content: bool) -> Comparison:
    """Return two runs step by step; steps are the same when they did the same with the same."""
    before, after = trace(old).rows, trace(new).rows
    pairs = []
    for at in range(max(len(before), len(after))):
        left = before[at] if at < len(before) else None
        right = after[at] if at < len(after) else None
        pairs.append(Pair(left, right, left is not None and right is not None and _alike(left, right, with_content)))
    figures = [
        ("Steps", old.steps_done, new.steps_done, "number"),
        ("Model calls", old.model_calls, new.model_calls, "number"),
        ("Tool calls", old.tool_calls, new.tool_calls, "number"),
        ("Tokens", old.tokens, new.tokens, "number"),
        ("Cost", old.cost_micros, new.cost_micros, "money"),
    ]
    return Comparison(Row(old), Row(new), pairs, figures)


def _alike(left: TraceRow, right: TraceRow, with_content: bool) -> bool:
    one, two = left.step, right.step
    if (one.kind, one.state, one.tool_name) != (two.kind, two.state, two.tool_name):
        return False
    return not with_content or (one.arguments, one.output) == (two.arguments, two.output)
