"""The list of agents, a page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.core.paginator import Paginator
from django.db.models import Q, QuerySet

from agents_app.definition import fields_of
from agents_app.models import Agent

PER_PAGE = 50


@dataclass(frozen=True, slots=True)
class Row:
    agent: Agent
    is_changed: bool  # the draft says something else than what is live

    @property
    def alias(self) -> str:
        return self.agent.live.alias if self.agent.live else self.agent.draft.alias


@dataclass(frozen=True, slots=True)
class Page:
    rows: Sequence[Row]
    total: int
    number: int
    before: int | None
    after: int | None


def listing(agents: QuerySet[Agent], words: str, number: int) -> Page:
    """Return one page of the agents whose name, short name or description has the words, by name."""
    for word in words.split()[:8]:
        agents = agents.filter(Q(name__icontains=word) | Q(slug__icontains=word) | Q(description__icontains=word))
    paginator = Paginator(agents.select_related("team", "live", "draft").order_by("name", "slug"), PER_PAGE)
    page = paginator.get_page(number)
    return Page(
        rows=[Row(agent, is_changed(agent)) for agent in page.object_list],
        total=paginator.count,
        number=page.number,
        before=page.previous_page_number() if page.has_previous() else None,
        after=page.next_page_number() if page.has_next() else None,
    )


def is_changed(agent: Agent) -> bool:
    """Say whether the draft waits to be published."""
    return agent.live is None or fields_of(agent.draft) != fields_of(agent.live)
