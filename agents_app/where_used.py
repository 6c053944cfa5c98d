"""What uses an agent, and which agents use a prompt, an alias or a collection."""

from collections.abc import Callable, Iterator, Sequence

from django.conf import settings
from django.db.models import Q
from django.urls import reverse

from agents_app.models import Agent, AgentDraft, Audience, Definition, Tool
from agents_app.models.triggers import Trigger
from console.core.where_used import Use
from console.knowledge.models import Collection
from console.teams.models import Team
from prompts_app.models import Prompt
from usage_app.models import Quota
from usage_app.scopes import Subject

SOURCES: list[Callable[[Agent], list[Use]]] = []


def uses_of(agent: Agent) -> list[Use]:
    """Return everything that uses an agent now."""
    return [use for source in SOURCES for use in source(agent)]


def quotas_of(agent: Agent) -> list[Use]:
    """Return the quotas of an agent; they hold it, as those of an alias hold that."""
    rows = Quota.objects.filter(agent=agent.slug).select_related("team", "key")
    return [Use("quota", row.title, row.team_id, row.team.name, url=reverse("usage:quotas")) for row in rows]


def triggers_of(agent: Agent) -> list[Use]:
    """Return what starts an agent by itself. It does not hold the agent, whose own it is."""
    url = reverse("agents:triggers", args=[agent.slug])
    return [
        Use(trigger.kind, trigger.name, agent.team_id, agent.team.name, holds=False, url=url)
        for trigger in agent.triggers.order_by("name", "id")
    ]


def tools_of(agent: Agent) -> list[Use]:
    """Return the tools with which other agents start this one: they put into a queue it reads, or call its address.

    They do not hold the agent: without it they fail, and say so.
    """
    wanted = Q(kind="http", config__url__istartswith=f"{settings.BASE_URL}/v1/agents/{agent.slug}/")
    for trigger in agent.triggers.all():
        if trigger.kind == Trigger.Kind.WEBHOOK:
            wanted |= Q(kind="http", config__url__icontains=f"/hooks/{trigger.pk}/")
        elif trigger.kind == Trigger.Kind.QUEUE and "broker" not in trigger.config:
            wanted |= Q(kind="queue", team=agent.team_id, config__action="put", config__queue=trigger.config["queue"])
    return [
        Use("tool", tool.name, tool.team_id, tool.team.name, holds=False, url=reverse("agents:tool", args=[tool.pk]))
        for tool in Tool.objects.filter(wanted, deleted_at=None).select_related("team").order_by("slug", "id")
    ]


def limited_in(teams: Sequence[Team]) -> Iterator[Subject]:
    """Yield the agents that quotas of these teams can limit: their own, and those that answer for them."""
    for agent in Agent.objects.filter(archived_at=None).select_related("team").prefetch_related("shared_with"):
        shared = set(agent.shared_with.all()) if agent.audience == Audience.TEAMS else set()
        for team in teams:
            if team == agent.team or agent.audience == Audience.ORGANISATION or team in shared:
                yield Subject("agent", agent.slug, agent.name, team.pk)


def agents_with_prompt(prompt: Prompt) -> list[Use]:
    """Return the agents whose live version or draft speaks with a prompt; only what is live holds it."""
    found: dict[str, Use] = {}
    live = Agent.objects.filter(archived_at=None, live__prompt_slug=prompt.slug).select_related("team", "live")
    drafts = AgentDraft.objects.filter(agent__archived_at=None, prompt_slug=prompt.slug).select_related("agent__team")
    uses: list[tuple[Agent, Definition, bool]] = [(agent, agent.live, True) for agent in live if agent.live]
    uses += [(draft.agent, draft, False) for draft in drafts]
    for agent, definition, is_live in uses:
        if agent.slug in found:
            continue
        which = f"version {definition.prompt_number}" if definition.prompt_number else ""
        which = which or (f"label {definition.prompt_label}" if definition.prompt_label else "the label of the caller")
        found[agent.slug] = Use(
            "agent",
            agent.slug,
            agent.team_id,
            agent.team.name,
            holds=is_live,
            url=reverse("agents:agent", args=[agent.slug]),
            detail=which if is_live else f"{which}, in its draft",
        )
    return [found[slug] for slug in sorted(found)]


def _teams_that_mean(collection: Collection) -> Q:
    """Return whose agents and tools mean this collection by its name: a team's own stands before the shared."""
    if collection.team_id is not None:
        return Q(team=collection.team_id)
    own = Collection.objects.filter(slug=collection.slug, deleted_at=None, team__isnull=False)
    return ~Q(team__in=own.values("team"))


def tools_in(collection: Collection) -> list[Use]:
    """Return the tools that search a collection, which hold it whether or not they are granted to anybody."""
    uses = Tool.objects.filter(
        _teams_that_mean(collection), kind="knowledge", deleted_at=None, config__collections__contains=[collection.slug]
    )
    return [
        Use(
            "tool",
            tool.name,
            tool.team_id,
            tool.team.name,
            url=reverse("agents:tool", args=[tool.pk]),
            detail=tool.slug,
        )
        for tool in uses.select_related("team").order_by("slug")
    ]


def agents_from(collection: Collection) -> list[Use]:
    """Return the agents whose live version or draft answers from a collection; only what is live holds it."""
    named = Agent.objects.filter(_teams_that_mean(collection), archived_at=None).select_related("team").order_by("slug")
    live = set(named.filter(live__knowledge__contains=[collection.slug]).values_list("pk", flat=True))
    wanted = named.filter(Q(pk__in=live) | Q(draft__knowledge__contains=[collection.slug]))
    return [
        Use(
            "agent",
            agent.slug,
            agent.team_id,
            agent.team.name,
            holds=agent.pk in live,
            url=reverse("agents:agent", args=[agent.slug]),
            detail="" if agent.pk in live else "in its draft",
        )
        for agent in wanted
    ]


def agents_with_alias(alias: str) -> list[Use]:
    """Return the agents that answer with an alias. A draft does not hold one: publishing checks it again."""
    agents = Agent.objects.filter(archived_at=None, live__alias=alias).select_related("team").order_by("slug")
    return [
        Use("agent", agent.slug, agent.team_id, agent.team.name, url=reverse("agents:agent", args=[agent.slug]))
        for agent in agents
    ]
