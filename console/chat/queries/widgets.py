"""Queries of the pages of widgets: usage of the day, and reasons why one does not answer."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Count, F, Q, QuerySet

from agents_app.models import Agent, Audience
from console.chat.embed.limits import limits_of
from console.chat.models import Allowance, Conversation, Widget
from console.chat.queries.visits import waiting_in
from console.chat.widget_fields import COST, LIMIT_TITLES, fields_of
from console.core.clock import now, period_start
from console.teams.models import Team

MOST_WIDGETS = 200
_TITLES = {
    "name": "Name",
    "title": "Title",
    "greeting": "Greeting",
    "colour": "Colour",
    "position": "Corner",
    "suggested_questions": "Suggested questions",
    "language": "Language",
    "origins": "Sites",
    "needs_identity": "Only visitors the site vouches for",
}


@dataclass(frozen=True, slots=True)
class Today:
    """A widget's day of UTC so far. The cost holds what is set aside for answers being written."""

    messages: int
    visitors: int
    cost_micros: int


@dataclass(frozen=True, slots=True)
class Row:
    widget: Widget
    today: Today
    is_answered: bool
    waiting: int = 0  # visitors who wait for a person

    @property
    def cap_micros(self) -> int:
        return limits_of(self.widget.limits)[COST]

    @property
    def percent(self) -> float:
        cap = self.cap_micros
        return 100 * self.today.cost_micros / cap if cap else 0.0

    @property
    def tone(self) -> str:
        return "bad" if self.percent >= 100 else "warn" if self.percent >= 80 else "brand"

    @property
    def problem(self) -> str:
        """Why a widget that is switched on answers nobody, empty when it does."""
        if not self.widget.origins:
            return "No site may show it yet, so it answers nobody."
        if not self.is_answered:
            agent = self.widget.agent
            if agent.live is not None and agent.live.grants:
                return f"{agent.name} has tools, and works in runs, so it answers no visitor. Choose another assistant."
            return f"{agent.name} does not answer {self.widget.team} any more. Choose another assistant."
        return ""


def rows(widgets: QuerySet[Widget]) -> list[Row]:
    found = list(widgets.select_related("team", "agent__live").order_by("name", "pk")[:MOST_WIDGETS])
    ids = [widget.pk for widget in found]
    days, fine, waiting = today_of(ids), answered(ids), waiting_in(ids)
    return [Row(widget, days[widget.pk], widget.pk in fine, waiting.get(widget.pk, 0)) for widget in found]


def row(widget: Widget) -> Row:
    return Row(widget, today_of([widget.pk])[widget.pk], bool(answered([widget.pk])))


def today_of(widgets: Sequence[uuid.UUID]) -> dict[uuid.UUID, Today]:
    """Return the day so far of those that had one, by the counts their limits go by."""
    start = period_start("day", now())
    counts = Allowance.objects.filter(widget__in=widgets, subject="", period_start=start, name__in=("widget_day", COST))
    used = {(widget, name): amount for widget, name, amount in counts.values_list("widget", "name", "used")}
    talks = Conversation.objects.filter(widget__in=widgets, last_at__gte=start, deleted_at=None).order_by()
    visitors = dict(talks.values_list("widget").annotate(Count("visitor", distinct=True)))
    return {
        one: Today(used.get((one, "widget_day"), 0), visitors.get(one, 0), used.get((one, COST), 0)) for one in widgets
    }


def answered(widgets: Sequence[uuid.UUID]) -> set[uuid.UUID]:
    """Return those whose assistant answers, and answers their team."""
    shared = Q(agent__audience=Audience.TEAMS, agent__shared_with=F("team"))
    ours = Q(agent__team=F("team")) | Q(agent__audience=Audience.ORGANISATION) | shared
    rows = Widget.objects.filter(ours, pk__in=widgets, agent__archived_at=None, agent__live__grants=[])
    return set(rows.values_list("pk", flat=True))


def snippet_of(widget: Widget) -> str:
    """Return the one line a site adds."""
    return f'<script src="{settings.BASE_URL}/embed/{widget.public_id}.js" async></script>'


def agents_answering(team: Team) -> QuerySet[Agent]:
    """Return the agents that answer for a team: its own, those shared with it, those of the organisation.

    Those with tools work in runs, which are no conversation.
    """
    shared = Agent.objects.filter(audience=Audience.TEAMS, shared_with=team).values("pk")
    ours = Q(team=team) | Q(audience=Audience.ORGANISATION) | Q(pk__in=shared)
    return Agent.objects.filter(ours, archived_at=None, live__grants=[], team__archived_at=None).order_by("name")


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing two states say differently; an empty side says nothing about it."""

    name: str
    was: str
    now: str


def differences(old: Widget, new: Widget) -> list[Difference]:
    was, is_now = _lines(old), _lines(new)
    names = dict.fromkeys([*is_now, *was])
    return [Difference(n, was.get(n, ""), is_now.get(n, "")) for n in names if was.get(n, "") != is_now.get(n, "")]


def _lines(widget: Widget) -> dict[str, str]:
    fields = fields_of(widget)
    limits = fields.pop("limits")
    found = {"Assistant": widget.agent.name}
    found |= {_TITLES[name]: _text(value) for name, value in fields.items()}
    found |= {title: _limit(name, limits[name]) for name, title in LIMIT_TITLES.items() if name in limits}
    return {name: text for name, text in found.items() if text}


def _limit(name: str, value: int) -> str:
    return f"{value / 1_000_000:,.2f}" if name == COST else f"{value:,}"


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "Yes" if value else ""
    return "\n".join(value) if isinstance(value, list) else str(value)
