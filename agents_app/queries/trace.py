"""The steps of a run as a trace."""

import datetime as dt
from dataclasses import dataclass

from agents_app.explanations import message_of
from agents_app.models import Run, Step
from console.core.clock import now

_STEP_ICONS = {Step.Kind.MODEL: "sparkle", Step.Kind.TOOL: "wrench", Step.Kind.WAIT: "timer"}
_STEP_KINDS = {Step.Kind.MODEL: "model", Step.Kind.TOOL: "tool"}
_LEAST_WIDTH = 1.2  # percent: thinner cannot be seen
_LONGEST_LINE = 120
MOST_STEPS = 400


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
        """Return whether a run can continue from here: where the model was asked, with everything before it over."""
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
