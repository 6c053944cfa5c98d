"""What the pages of runs show; never writes."""

import datetime as dt
import json
import uuid
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from agents_app.explaining import cited, message_of
from agents_app.models import Approval, Run, RunQuestion, Step
from console.core.clock import now

PAGE = 30
State = Run.State
_TONES = {State.SUCCEEDED: "ok", State.FAILED: "bad", State.WAITING: "warn", State.CANCELLING: "warn"}
_ICONS = {
    State.QUEUED: "clock",
    State.RUNNING: "loader-circle",
    State.WAITING: "hand",
    State.SUCCEEDED: "check",
    State.FAILED: "x",
}
FILTERS = {
    "open": ("Under way", [State.QUEUED, State.RUNNING, State.CANCELLING]),
    "waiting": ("Waiting", [State.WAITING]),
    "failed": ("Failed", [State.FAILED]),
    "over": ("Over", list(Run.OVER)),
}


@dataclass(frozen=True, slots=True)
class Row:
    """A run as the lists show it. Needs `agent`, `version` and `team`."""

    run: Run

    @property
    def tone(self) -> str:
        return _TONES.get(State(self.run.state), "")

    @property
    def icon(self) -> str:
        return _ICONS.get(State(self.run.state), "ban")

    @property
    def said(self) -> str:
        """Say the state in words: what it waits for, why it failed."""
        if self.run.state == State.WAITING:
            return self.run.waits_for or "Waiting"
        return self.run.get_state_display()

    @property
    def agent(self) -> str:
        number = f"v{self.run.version.number}" if self.run.version else "draft"
        return f"{self.run.agent.name} {number}"

    @property
    def started_by(self) -> str:
        if self.run.trigger in {Run.Trigger.CONSOLE, Run.Trigger.API, Run.Trigger.CHAT, Run.Trigger.TRY_OUT}:
            return self.run.actor_name
        return self.run.trigger_name or self.run.get_trigger_display()

    @property
    def took_us(self) -> float | None:
        if self.run.started_at is None:
            return None
        return ((self.run.ended_at or now()) - self.run.started_at) / dt.timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Page:
    rows: list[Row]
    older: str | None
    is_first: bool

    @property
    def is_moving(self) -> bool:
        return any(not row.run.is_over for row in self.rows)


def page(runs: QuerySet[Run], state: str = "", cursor: str = "") -> Page:
    """Return one page, newest first; `state` is a word of FILTERS, the cursor the last id seen."""
    if state in FILTERS:
        runs = runs.filter(state__in=FILTERS[state][1])
    if cursor:
        runs = runs.filter(pk__lt=_after(cursor))
    found = list(runs.select_related("agent", "version", "team").order_by("-pk")[: PAGE + 1])
    older = found[PAGE - 1].pk.hex if len(found) > PAGE else None
    return Page([Row(run) for run in found[:PAGE]], older, is_first=not cursor)


def _after(cursor: str) -> uuid.UUID:
    try:
        return uuid.UUID(hex=cursor)
    except ValueError:
        return uuid.UUID(int=(1 << 128) - 1)


# The trace -----------------------------------------------------------------------------------------------------------

_STEP_ICONS = {Step.Kind.MODEL: "sparkle", Step.Kind.TOOL: "wrench", Step.Kind.WAIT: "timer"}
_STEP_KINDS = {Step.Kind.MODEL: "model", Step.Kind.TOOL: "tool"}
_LEAST_WIDTH = 1.2  # percent: thinner cannot be seen
_LONGEST_LINE = 120


@dataclass(frozen=True, slots=True)
class TraceRow:
    """One step with its place on the line of work, in percent; waiting for people is not work."""

    step: Step
    start: float
    width: float
    seconds: float | None

    @property
    def took_us(self) -> float | None:
        return None if self.seconds is None else self.seconds * 1_000_000

    @property
    def may_go_on(self) -> bool:
        """Say whether a run can go on from here: where the model was asked, with everything before it over."""
        return self.step.kind == Step.Kind.MODEL

    @property
    def is_waiting(self) -> bool:
        return self.step.state in {Step.State.WAITING, Step.State.UNKNOWN}

    @property
    def is_bad(self) -> bool:
        return self.step.is_error or self.step.state in {Step.State.FAILED, Step.State.DENIED}

    @property
    def icon(self) -> str:
        if self.is_waiting:
            return "hand"
        if self.step.state == Step.State.DENIED:
            return "ban"
        return _STEP_ICONS.get(Step.Kind(self.step.kind), "archive")

    @property
    def kind(self) -> str:
        if self.is_waiting:
            return "hold"
        return "bad" if self.is_bad else _STEP_KINDS.get(Step.Kind(self.step.kind), "root")

    @property
    def bar(self) -> str:
        return f"g-{self.kind}"

    @property
    def title(self) -> str:
        if self.step.kind == Step.Kind.TOOL:
            return self.step.tool_name
        if self.step.kind == Step.Kind.MODEL:
            return "Answer" if self.is_answer else "Think"
        return self.step.get_kind_display()

    @property
    def is_answer(self) -> bool:
        return not message_of(self.step).get("tool_calls") and self.step.state == Step.State.DONE

    @property
    def said(self) -> str:
        """Return one line about the step: its note, its trouble, or how its output begins."""
        if self.step.trouble:
            return self.step.trouble[:_LONGEST_LINE]
        if self.step.note:
            return self.step.note
        return self.step.model or ("" if self.step.state == Step.State.DONE else self.step.get_state_display().lower())

    @property
    def tokens(self) -> int:
        return self.step.prompt_tokens + self.step.completion_tokens


@dataclass(frozen=True, slots=True)
class Trace:
    rows: list[TraceRow]
    seconds: float  # of work
    done: int
    is_cut: bool

    @property
    def work_us(self) -> float:
        return self.seconds * 1_000_000


def trace(run: Run) -> Trace:
    """Return the steps of a run on one line of work: hours in which it waited for a person take no room."""
    steps = list(Step.objects.filter(run=run).defer("decisions").order_by("number")[: MOST_STEPS + 1])
    shown = steps[:MOST_STEPS]
    spans = {step.pk: _span(step) for step in shown}
    work = _Work([span for span in spans.values() if span is not None])
    rows = []
    for step in shown:
        span = spans[step.pk]
        if step.is_taken_over:
            rows.append(TraceRow(step, 0, 0, None))
            continue
        if span is None:
            rows.append(TraceRow(step, min(work.percent(step.created_at), 97.0), 3.0, None))
            continue
        start, end = work.percent(span[0]), work.percent(span[1])
        width = max(end - start, _LEAST_WIDTH)
        rows.append(TraceRow(step, min(start, 100 - width), width, (span[1] - span[0]).total_seconds()))
    done = sum(step.state in Step.OVER for step in shown)
    return Trace(rows, work.seconds, done, is_cut=len(steps) > MOST_STEPS)


MOST_STEPS = 400


def _span(step: Step) -> tuple[dt.datetime, dt.datetime] | None:
    """Return when a step worked; None for one that waits, did not begin, or was done by another run."""
    begun = step.intended_at
    if (
        begun is None
        or step.is_taken_over
        or step.state in {Step.State.WAITING, Step.State.UNKNOWN, Step.State.PLANNED}
    ):
        return None
    return begun, max(begun, step.ended_at or now())


class _Work:
    """The moments in which anything worked, joined to one line."""

    def __init__(self, spans: list[tuple[dt.datetime, dt.datetime]]) -> None:
        self._pieces: list[tuple[dt.datetime, dt.datetime, float]] = []  # from, to, seconds of work before
        self.seconds = 0.0
        for start, end in sorted(spans):
            if self._pieces and start <= self._pieces[-1][1]:
                first, last, before = self._pieces[-1]
                if end > last:
                    self.seconds += (end - last).total_seconds()
                    self._pieces[-1] = (first, end, before)
                continue
            self._pieces.append((start, end, self.seconds))
            self.seconds += (end - start).total_seconds()

    def percent(self, at: dt.datetime) -> float:
        """Return where on the line a moment lies; one between two pieces lies at the end of the first."""
        if not self.seconds:
            return 0.0
        done = 0.0
        for start, end, before in self._pieces:
            if at < start:
                break
            done = before + (min(at, end) - start).total_seconds()
        return 100 * done / self.seconds


# One step -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Part:
    """One thing a step holds, as people read it."""

    title: str
    text: str


def parts_of(step: Step) -> list[Part]:
    """Return what went in and what came out."""
    found = []
    if step.arguments is not None:
        found.append(Part("Arguments", laid_out(step.arguments)))
    output = step.output
    if step.kind == Step.Kind.MODEL:
        message = message_of(step)
        if message.get("content"):
            found.append(Part("Said", str(message["content"])))
        calls = message.get("tool_calls") or []
        found += [Part(f"Asked for {_name(call)}", laid_out(_arguments(call))) for call in calls]
        if isinstance(output, dict) and output.get("feedback"):
            found.append(Part("Told why that does not do", str(output["feedback"])))
    elif isinstance(output, dict) and isinstance(output.get("content"), str):
        found.append(Part("Result", _text(output["content"])))
    elif output is not None:
        found.append(Part("Result", _text(output) if isinstance(output, str) else laid_out(output)))
    return found


def _name(call: Any) -> str:
    return str(call.get("function", {}).get("name", "")) if isinstance(call, dict) else ""


def _arguments(call: Any) -> Any:
    raw = call.get("function", {}).get("arguments", "") if isinstance(call, dict) else ""
    try:
        return json.loads(raw)
    except (TypeError, ValueError, RecursionError):
        return raw


def laid_out(value: Any) -> str:
    """Return JSON as people read it; a text as it is."""
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def outcome(output: Any) -> str:
    """Return what a run came to as people read it: the value its schema asked for, or its words."""
    if isinstance(output, dict):
        output = output.get("value", output.get("text", output))
    return "" if output is None else laid_out(output)


def _text(text: str) -> str:
    """Lay JSON out; leave every other text as it is."""
    try:
        return laid_out(json.loads(text))
    except (ValueError, RecursionError):  # a server's words, which may nest without end
        return text


def step_of(run: Run, number: int) -> Step | None:
    return Step.objects.filter(run=run, number=number).select_related("tool").first()


def open_approvals(run: Run) -> list[Approval]:
    """Return what the run waits for, the most pressing first."""
    rows = Approval.objects.filter(run=run, state=Approval.State.WAITING)
    return list(rows.select_related("run__agent__team", "run__version", "step", "team").order_by("expires_at", "pk"))


# Questions ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answered:
    """A question about a run; the answer in pieces: texts, and the numbers of the steps they cite."""

    question: RunQuestion
    pieces: list[tuple[str, int | None]]


def questions_of(run: Run) -> list[Answered]:
    numbers = frozenset(Step.objects.filter(run=run).values_list("number", flat=True))
    asked = list(RunQuestion.objects.filter(run=run).order_by("-created_at")[:MOST_QUESTIONS])[::-1]
    return [Answered(one, cited(one.answer, numbers)) for one in asked]


MOST_QUESTIONS = 50


# Two runs -------------------------------------------------------------------------------------------------------------


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


def neighbour(run: Run, seen: QuerySet[Run]) -> Run | None:
    """Return the run this one repeats, or the one of the same agent before it."""
    rows = seen.select_related("agent__team", "team", "version")
    if run.parent_id and (parent := rows.filter(pk=run.parent_id).first()):
        return parent
    return rows.filter(agent=run.agent_id, pk__lt=run.pk).order_by("-pk").first()


def candidates(run: Run, seen: QuerySet[Run]) -> list[Run]:
    return list(seen.filter(agent=run.agent_id).exclude(pk=run.pk).order_by("-pk")[:30])


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
