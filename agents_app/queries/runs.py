"""Lists of runs."""

import datetime as dt
from dataclasses import dataclass

from django.db.models import QuerySet

from agents_app.models import Run
from console.core.clock import now
from console.core.ids import parse_id

PAGE = 30
# A list that looks again every few seconds counts no further.
MOST_COUNTED = 10_000
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
    "open": ("Running", [State.QUEUED, State.RUNNING, State.CANCELLING]),
    "waiting": ("Waiting", [State.WAITING]),
    "failed": ("Failed", [State.FAILED]),
    "over": ("Finished", list(Run.OVER)),
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
            return f"Waiting: {self.run.waits_for}" if self.run.waits_for else "Waiting"
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
    total: int
    are_more: bool

    @property
    def is_moving(self) -> bool:
        return any(not row.run.is_over for row in self.rows)


def page(runs: QuerySet[Run], state: str = "", cursor: str = "") -> Page:
    """Return one page, newest first; `state` is a word of FILTERS, the cursor the last id seen."""
    if state in FILTERS:
        runs = runs.filter(state__in=FILTERS[state][1])
    everything = runs
    if last := parse_id(cursor):
        runs = runs.filter(pk__lt=last)
    found = list(runs.select_related("agent", "version", "team").order_by("-pk")[: PAGE + 1])
    older = found[PAGE - 1].pk.hex if len(found) > PAGE else None
    total = len(found) if not (older or cursor) else everything.order_by()[: MOST_COUNTED + 1].count()
    rows = [Row(run) for run in found[:PAGE]]
    return Page(rows, older, not cursor, min(total, MOST_COUNTED), total > MOST_COUNTED)
