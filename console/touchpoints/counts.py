"""Count for the signals: the last 30 days beside the 30 before, with one query each."""

import datetime as dt
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Sum

from console.chat.models import Conversation, Feedback
from console.touchpoints import sources
from console.touchpoints.rows import DAYS
from prompts_app.models import LabelMove, PromptUse
from usage_app.models import UsageTouchpoint
from usage_app.queries.touchpoints import Uses, uses_over

T = TypeVar("T")
# The label whose moves are publishing: what is called without naming another.
LIVE = "production"
# What a channel is to whoever reads its answers; batches are programs, and what is only tried out is none.
CHANNELS = {"chat": "chat", "widget": "chat", "api": "api", "batch": "api", "agent": "agent"}


class Both(NamedTuple, Generic[T]):
    """The last 30 days, and the 30 days before."""

    now: T
    before: T


@dataclass(frozen=True, slots=True)
class Months:
    """`start` to `turn` are the 30 days before, `turn` to `end` the last ones. Roll-ups know whole days, UTC."""

    start: dt.datetime
    turn: dt.datetime
    end: dt.datetime

    @classmethod
    def until(cls, end: dt.datetime) -> "Months":
        return cls(end - dt.timedelta(days=2 * DAYS), end - dt.timedelta(days=DAYS), end)

    def halves(self, field: str) -> Both[Q]:
        return Both(Q(**{f"{field}__gte": self.turn}), Q(**{f"{field}__lt": self.turn}))

    def days(self, field: str = "day") -> Both[Q]:
        turn = self.turn.date()
        return Both(Q(**{f"{field}__gte": turn}), Q(**{f"{field}__lt": turn}))


@dataclass(frozen=True, slots=True)
class Part:
    """Some of all: escalated conversations, answers that did not help."""

    some: int
    all: int

    @property
    def percent(self) -> float | None:
        return self.some * 100 / self.all if self.all else None


@dataclass(frozen=True, slots=True)
class Published:
    """What went live in a month: how often, how often back, and how long after it was saved (the median)."""

    versions: int
    rolled_back: int
    lead: dt.timedelta | None


def _parts(rows: QuerySet[Any], halves: Both[Q], those: Q) -> Both[Part]:
    found = rows.order_by().aggregate(
        now=Count("pk", filter=halves.now),
        now_some=Count("pk", filter=halves.now & those),
        before=Count("pk", filter=halves.before),
        before_some=Count("pk", filter=halves.before & those),
    )
    return Both(Part(found["now_some"], found["now"]), Part(found["before_some"], found["before"]))


def escalations(teams: Collection[uuid.UUID], months: Months) -> Both[Part]:
    """Return how many conversations visitors began, and how many of them came to need a person."""
    rows = Conversation.objects.filter(team__in=teams, widget__isnull=False, created_at__gte=months.start)
    return _parts(rows, months.halves("created_at"), Q(escalated_at__isnull=False))


def unhelpful(teams: Collection[uuid.UUID], months: Months) -> Both[Part]:
    """Return how many answers people and visitors rated, and how many of them did not help."""
    rows = Feedback.objects.filter(message__conversation__team__in=teams, given_at__gte=months.start)
    return _parts(rows, months.halves("given_at"), Q(is_good=False))


def shared_prompts(teams: Collection[uuid.UUID], months: Months) -> Both[Part]:
    """Return how many prompts of these teams were called, and how many of them through more than one channel."""
    days = months.days()
    rows = PromptUse.objects.filter(
        prompt__team__in=teams, day__gte=months.start.date(), surface__in=CHANNELS
    ).order_by()
    spoken = Both[dict[uuid.UUID, set[str]]]({}, {})
    for prompt, surface, now, before in (
        rows.values("prompt_id", "surface")
        .annotate(lately=Sum("calls", filter=days.now), before=Sum("calls", filter=days.before))
        .values_list("prompt_id", "surface", "lately", "before")
    ):
        for calls, prompts in ((now, spoken.now), (before, spoken.before)):
            if calls:
                prompts.setdefault(prompt, set()).add(CHANNELS[surface])
    return Both(*(Part(sum(len(one) > 1 for one in prompts.values()), len(prompts)) for prompts in spoken))


def published(teams: Collection[uuid.UUID], months: Months) -> Both[Published]:
    """Return what went live of these teams' prompts. A version that had been live before is no new one."""
    been_live = LabelMove.objects.filter(
        prompt=OuterRef("prompt"), label=LIVE, to_version=OuterRef("to_version"), moved_at__lt=OuterRef("moved_at")
    )
    moves = LabelMove.objects.filter(
        prompt__team__in=teams, label=LIVE, to_version__isnull=False, moved_at__gte=months.start
    )
    leads, back = Both[list[dt.timedelta]]([], []), [0, 0]
    for at, saved, to, came_from, was_live in moves.values_list(
        "moved_at", "to_version__created_at", "to_version__number", "from_version__number", Exists(been_live)
    ):
        month = int(at < months.turn)
        if came_from is not None and to < came_from:
            back[month] += 1
        elif not was_live:
            leads[month].append(max(at - saved, dt.timedelta()))
    return Both(*(Published(len(one), times, _median(one)) for one, times in zip(leads, back, strict=True)))


def _median(times: list[dt.timedelta]) -> dt.timedelta | None:
    """Return the middle one; of two the earlier, so that it is one that happened."""
    return sorted(times)[(len(times) - 1) // 2] if times else None


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls of a month by what made them, and whose models answered."""

    by_kind: Mapping[str, int]
    providers: frozenset[str]


def calls(lately: Uses, payers: Collection[uuid.UUID], months: Months) -> Both[Calls]:
    """Return the calls these teams paid for as chat, api and agent; `lately` is what the last month's came to."""
    both = Both(lately, uses_over(payers, since=months.start.date(), until=months.turn.date()))
    agents = {subject for uses in both for kind, subject in uses if kind == UsageTouchpoint.Kind.AGENT}
    assistants = sources.assistants(agents)
    return Both(*(_calls(uses, assistants) for uses in both))


def _calls(uses: Uses, assistants: Collection[str]) -> Calls:
    by_kind, providers = {"chat": 0, "api": 0, "agent": 0}, set[str]()
    for (kind, subject), use in uses.items():
        is_chat = kind == UsageTouchpoint.Kind.WIDGET or (kind == UsageTouchpoint.Kind.AGENT and subject in assistants)
        by_kind["chat" if is_chat else "api" if kind == UsageTouchpoint.Kind.KEY else "agent"] += use.requests
        providers.update(model.partition("/")[0] for model in use.models)
    return Calls(by_kind, frozenset(providers))
