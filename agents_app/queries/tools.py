"""Queries of the pages of tools, servers and queues."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.core.paginator import Page
from django.db.models import Count, Q, QuerySet

from agents_app.models import Agent, Queue, QueueItem, Tool, ToolServer
from agents_app.queries.paging import page_of
from agents_app.tools.base import Kind, written_json
from agents_app.tools.mcp.offers import Offer, offers_in
from agents_app.tools.registry import KINDS


@dataclass(frozen=True, slots=True)
class Row:
    tool: Tool
    kind: Kind
    agents: int

    @property
    def state(self) -> tuple[str, str]:
        """Return what its badge says, and in which tone."""
        if self.tool.suspended:
            return "Suspended", "bad"
        if not self.tool.is_callable:
            return "Off", ""
        return "On", "ok"


def tool_rows(tools: QuerySet[Tool], words: str, number: int) -> tuple[Page[Tool], list[Row]]:
    """Return one page of the tools that have the words, by short name, and its rows."""
    page = page_of(tools.order_by("slug", "team__name", "id"), words, number)
    uses = _uses({tool.team_id for tool in page})
    return page, [Row(tool, KINDS[tool.kind], uses.get((tool.team_id, tool.slug), 0)) for tool in page]


def _uses(teams: Iterable[object]) -> dict[tuple[object, str], int]:
    """Return how many agents of a team are granted a tool, live or in their draft."""
    rows = Agent.objects.filter(team_id__in=list(teams), archived_at=None)
    counted: dict[tuple[object, str], int] = {}
    for team_id, live, draft in rows.values_list("team_id", "live__grants", "draft__grants"):
        for slug in {grant["tool"] for grant in [*(live or []), *(draft or [])]}:
            counted[team_id, slug] = counted.get((team_id, slug), 0) + 1
    return counted


@dataclass(frozen=True, slots=True)
class Offered:
    """One offer of a server beside the tool made of it."""

    offer: Offer
    tool: Tool | None

    @property
    def schema(self) -> str:
        return written_json(self.offer.schema)

    @property
    def is_changed(self) -> bool:
        return self.tool is not None and self.tool.digest != self.offer.digest


def offered(server: ToolServer) -> list[Offered]:
    """Return what the server offers, and the tools it does not offer any more."""
    made = {tool.config["name"]: tool for tool in Tool.objects.filter(server=server, deleted_at=None)}
    found = [Offered(offer, made.pop(offer.name, None)) for offer in offers_in(server.found)]
    gone = [Offered(Offer(name, tool.description, {}, "", trouble="gone"), tool) for name, tool in made.items()]
    return found + gone


def server_rows(servers: QuerySet[ToolServer]) -> QuerySet[ToolServer]:
    living = Q(tools__deleted_at=None)
    return servers.annotate(
        taken=Count("tools", filter=living), suspended=Count("tools", filter=living & ~Q(tools__suspended=""))
    ).order_by("name")


def queue_rows(queues: QuerySet[Queue]) -> QuerySet[Queue]:
    counts = {state.value: Count("items", filter=Q(items__state=state)) for state in QueueItem.State}
    return queues.annotate(**{f"are_{name}": count for name, count in counts.items()}).order_by("name")
