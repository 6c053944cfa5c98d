"""The list of agents, a page at a time."""

from dataclasses import dataclass

from django.core.paginator import Page
from django.db.models import QuerySet

from agents_app.definition import fields_of
from agents_app.models import Agent
from agents_app.queries.paging import page_of


@dataclass(frozen=True, slots=True)
class Row:
    agent: Agent
    is_changed: bool  # the draft says something else than what is live

    @property
    def alias(self) -> str:
        return self.agent.live.alias if self.agent.live else self.agent.draft.alias


def listing(agents: QuerySet[Agent], words: str, number: int) -> tuple[Page[Agent], list[Row]]:
    """Return one page of the agents that have the words, by name, and its rows."""
    page = page_of(agents.select_related("team", "live", "draft").order_by("name", "slug"), words, number)
    return page, [Row(agent, is_changed(agent)) for agent in page]


def is_changed(agent: Agent) -> bool:
    """Return whether the draft waits to be published."""
    return agent.live is None or fields_of(agent.draft) != fields_of(agent.live)
