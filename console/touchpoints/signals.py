"""Four signals of whether the move was worth it, each this month beside the month before.

An organisation that comes over expects fewer services to know, answers that agree, one log to check and changes that
reach everything sooner. None of these is a hard number, so each has a direction, and the figures it is read from.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from console.audit.services.seal import state as sealed
from console.core.clock import now as present
from console.core.formatting import exact_duration, number, percent, plural
from console.touchpoints import counts
from console.touchpoints.counts import Both, Months, Part
from console.touchpoints.models import LegacyTouchpoint
from console.touchpoints.queries import inventory
from console.touchpoints.rows import DAYS, Touchpoint
from console.touchpoints.sources import Reach
from usage_app.queries.touchpoints import all_together

# Of fewer conversations, ratings or changes in a month than these nobody can say where it goes.
ENOUGH, ENOUGH_CHANGES = 20, 3
# What differs by less is the same: points of a hundred, a share of a time, and seconds whatever their share.
SAME_POINTS, SAME_SHARE, SAME_SECONDS = 2.0, 0.1, 60.0

Unit = Literal["count", "percent", "seconds"]


class Direction(StrEnum):
    BETTER = "better"
    STEADY = "steady"
    WORSE = "worse"
    REACHED = "reached"
    UNKNOWN = "unknown"

    @property
    def words(self) -> str:
        return _DIRECTIONS[self][0]

    @property
    def tone(self) -> str:
        return _DIRECTIONS[self][1]


_DIRECTIONS = {
    Direction.BETTER: ("Getting better", "ok"),
    Direction.STEADY: ("About the same", ""),
    Direction.WORSE: ("Getting worse", "warn"),
    Direction.REACHED: ("Reached", "ok"),
    Direction.UNKNOWN: ("Too little to tell", "line"),
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One line below a signal. None is not known; `of` is what a share is a share of."""

    name: str
    label: str
    unit: Unit
    values: Both[float | None]
    of: Both[int] | None = None

    @property
    def now(self) -> str:
        return self._words(self.values.now)

    @property
    def before(self) -> str:
        return self._words(self.values.before)

    def _words(self, value: float | None) -> str:
        if value is None:
            return ""
        if self.unit == "percent":
            return percent(round(value, 1))
        return _span(value) if self.unit == "seconds" else number(round(value))


@dataclass(frozen=True, slots=True)
class Signal:
    """One expectation of the move: where it goes, why that is said, and what it is read from."""

    name: str
    title: str
    about: str
    direction: Direction
    said: str
    figures: Sequence[Figure]


def signals(reach: Reach, *, now: dt.datetime | None = None) -> list[Signal]:
    """Return the four signals of these teams. As many queries whatever there is."""
    now = now or present()
    months, found = Months.until(now), inventory(reach, now=now)
    live = [row for row in found.rows if row.legacy is None]
    legacy = [row.legacy for row in found.rows if row.legacy is not None]
    lately = all_together(uses for team, uses in found.counted.items() if team in reach.teams)
    made = counts.calls(lately, reach.teams, months)
    # One that was listed since was there before it was listed: the list is of what there is, not of what is new.
    left = Both(*(sum(one.over_at is None or one.over_at > at for one in legacy) for at in (now, months.turn)))
    return [
        _services(legacy, left, Both(*(len(one.providers) for one in made)), months),
        _answers(reach, live, months),
        _one_log(len(live), left, Both(*(one.by_kind for one in made)), is_broken=reach.checks_log and _is_broken()),
        _changes(reach, months),
    ]


def _services(legacy: Sequence[LegacyTouchpoint], left: Both[int], providers: Both[int], months: Months) -> Signal:
    ends = [one.over_at for one in legacy if one.over_at]
    came = Both(sum(months.turn <= at for at in ends), sum(months.start <= at < months.turn for at in ends))
    if not legacy:
        direction, message = Direction.UNKNOWN, "No place is listed that was not on Facet from the start."
    elif not left.now:
        direction, message = Direction.REACHED, "Nothing that is listed is left elsewhere."
    elif came.now:
        direction = Direction.BETTER
        message = f"{plural(came.now, 'place')} migrated in {DAYS} days, {left.now:,} {_are(left.now)} left."
    else:
        direction = Direction.STEADY
        message = f"{plural(left.now, 'place')} left elsewhere, as {DAYS} days ago or later."
    return Signal(
        "fewer_services",
        "Fewer services to know",
        "What is left elsewhere has a client, a bill and documents of its own.",
        direction,
        message,
        [
            Figure("left_elsewhere", "Places left elsewhere", "count", Both(*left)),
            Figure("came_over", "Migrated or retired", "count", Both(*came)),
            Figure("providers", "Providers behind the one API", "count", Both(*providers)),
        ],
    )


def _answers(reach: Reach, live: Sequence[Touchpoint], months: Months) -> Signal:
    used = [row for row in live if row.requests]
    library = Part(sum(bool(row.same) for row in used), len(used))
    shared = counts.shared_prompts(reach.teams, months)
    escalated = counts.escalations(reach.teams, months)
    unhelpful = counts.unhelpful(reach.teams, months)
    read = next((parts for parts in (escalated, unhelpful) if min(part.all for part in parts) >= ENOUGH), None)
    if read is None:
        direction = Direction.UNKNOWN
        message = f"It takes {ENOUGH} conversations of visitors, or {ENOUGH} rated answers, in each of two months."
    else:
        now, before = read.now.percent or 0.0, read.before.percent or 0.0
        direction = _falling(now, before, SAME_POINTS)
        what = "of the conversations needed a person" if read is escalated else "of the rated answers did not help"
        message = f"{percent(round(now, 1))} {what}, after {percent(round(before, 1))} the month before."
    return Signal(
        "consistent_answers",
        "Answers that agree",
        "The same prompts behind chat, programs and agents, and fewer visitors who have to ask a person.",
        direction,
        message,
        [
            _share("escalated", "Visitors’ conversations that needed a person", escalated),
            _share("unhelpful", "Rated answers that did not help", unhelpful),
            Figure(
                "from_the_library",
                "Touchpoints in use that name a prompt",
                "percent",
                Both(library.percent, None),
                Both(library.all, 0),
            ),
            Figure(
                "shared_prompts",
                "Prompts used in more than one channel",
                "count",
                Both(shared.now.some, shared.before.some),
                Both(shared.now.all, shared.before.all),
            ),
        ],
    )


def _is_broken() -> bool:
    """Return whether the log is not what was sealed: for those who look after it, and no news to whoever broke it."""
    return bool(sealed().problem)


def _one_log(live: int, left: Both[int], made: Both[Mapping[str, int]], *, is_broken: bool) -> Signal:
    all_of_it = live + left.now
    if is_broken:
        direction, message = Direction.WORSE, "The log was changed after it was sealed. The audit log shows where."
    elif not live:
        direction, message = Direction.UNKNOWN, "Nothing here calls a model through Facet yet."
    elif left.now:
        direction = Direction.BETTER if left.now < left.before else Direction.STEADY
        message = (
            f"{live:,} of {all_of_it:,} touchpoints are in the one log; those elsewhere have to be asked one by one."
        )
    else:
        direction, message = Direction.REACHED, "Every touchpoint that is listed writes into the one log."
    return Signal(
        "one_log",
        "One log to check",
        "All questions and answers are in one log, whichever channel they came from.",
        direction,
        message,
        [
            Figure("in_the_log", "Touchpoints in the log", "percent", Both(Part(live, all_of_it).percent, None),
                   Both(all_of_it, 0)),
            Figure("chat_calls", "Calls of chats", "count", Both(made.now["chat"], made.before["chat"])),
            Figure("api_calls", "Calls of programs", "count", Both(made.now["api"], made.before["api"])),
            Figure("agent_calls", "Calls of agents", "count", Both(made.now["agent"], made.before["agent"])),
        ],
    )  # fmt: skip


def _changes(reach: Reach, months: Months) -> Signal:
    went = counts.published(reach.teams, months)
    leads = Both(*(one.lead.total_seconds() if one.lead else None for one in went))
    if min(one.versions for one in went) < ENOUGH_CHANGES or leads.now is None or leads.before is None:
        direction = Direction.UNKNOWN
        message = f"It takes {ENOUGH_CHANGES} versions published in each of two months."
    else:
        direction = _falling(leads.now, leads.before, max(SAME_SECONDS, leads.before * SAME_SHARE))
        message = (
            f"Half of the changes were live within {_span(leads.now)}; the month before it took {_span(leads.before)}."
        )
    return Signal(
        "faster_changes",
        "Changes that reach everything sooner",
        "A published prompt is in the next answer of chat, programs and agents alike.",
        direction,
        message,
        [
            Figure("lead_time", "From saved to live, median", "seconds", leads),
            Figure("published", "Versions published", "count", Both(*(one.versions for one in went))),
            Figure("rolled_back", "Rolled back", "count", Both(*(one.rolled_back for one in went))),
        ],
    )


def _share(name: str, label: str, parts: Both[Part]) -> Figure:
    return Figure(name, label, "percent", Both(*(part.percent for part in parts)), Both(*(part.all for part in parts)))


def _falling(now: float, before: float, same: float) -> Direction:
    """Say where something goes of which less is better."""
    if abs(now - before) <= same:
        return Direction.STEADY
    return Direction.BETTER if now < before else Direction.WORSE


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _span(seconds: float) -> str:
    """Write how long people took: 45 s, 12 min 5 s, 4 h 10 min, 3.2 days."""
    if seconds >= 2 * 86_400:
        return f"{number(round(seconds / 86_400, 1))} days"
    exact = 60 if seconds >= 3600 else 1
    return exact_duration(max(1, round(seconds / exact) * exact))
