"""Touchpoints on Facet: keys, widgets, assistants and agents, each as a line of the inventory.

Read from the rooms they live in, in a few queries for any number; access.py says for which teams.
"""

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.urls import reverse

from agents_app.models import Agent, Trigger
from agents_app.sql import run_durations
from console.chat.models import Widget
from console.teams.lineage import chain_of, older_of
from console.teams.models import ApiKey
from console.teams.roles import SCOPES
from console.touchpoints.latency import Durations, Observed
from console.touchpoints.models import Kind
from console.touchpoints.rows import DAYS, Touchpoint
from prompts_app.models import PromptKeyUse
from usage_app.queries.touchpoints import Use, Uses, together

_OF_KEYS = ("name", "team_id", "owner_id", "environment", "created_at", "last_used_at", "replaced_by_id")
_NOBODY = uuid.UUID(int=0)  # stands in an address for the id of each
_CALLING = [scope for scope, right in SCOPES.items() if right == "use_models"]


@dataclass(frozen=True, slots=True)
class Reach:
    """Whose touchpoints are shown, and what their reader may see and do beside that.

    `payers` are the teams whose calls are counted: a shared agent is called by others than its owners.
    """

    teams: frozenset[uuid.UUID]
    payers: frozenset[uuid.UUID]
    keys_in: frozenset[uuid.UUID]  # where the pages of keys open
    edits_in: frozenset[uuid.UUID]
    checks_log: bool  # whether the log's seal is theirs to know of


def calling_keys(teams: Collection[uuid.UUID], now: dt.datetime) -> QuerySet[ApiKey]:
    """Return the living keys that may call models; others are no place where AI is used."""
    lives = Q(revoked_at=None) & (Q(expires_at=None) | Q(expires_at__gt=now))
    return ApiKey.objects.filter(lives, team__in=teams, scopes__overlap=_CALLING)


def living_widgets(teams: Collection[uuid.UUID]) -> QuerySet[Widget]:
    return Widget.objects.filter(team__in=teams, deleted_at=None)


def answering_agents(teams: Collection[uuid.UUID]) -> QuerySet[Agent]:
    return Agent.objects.filter(team__in=teams, archived_at=None, live__isnull=False)


def fill(row: Touchpoint, use: Use | None) -> Touchpoint:
    """Add what was counted."""
    if use is None:
        return row
    row.requests, row.errors, row.cost_micros = use.requests, use.errors, use.cost_micros
    row.observed = Observed(use)
    row.aliases, row.models = use.aliases, use.models
    row.last_used_at = max(filter(None, (row.last_used_at, use.last_at)), default=None)
    return row


# Keys ----------------------------------------------------------------------------------------------------------------


def keys(reach: Reach, uses: Uses, now: dt.datetime) -> Iterable[tuple[Touchpoint, list[uuid.UUID]]]:
    """Yield each key with the ids of itself and of those it replaced. Three queries."""
    older = older_of(reach.teams)
    # Teams and owners are few: each is read once, not with every key.
    rows = calling_keys(reach.teams, now).prefetch_related("team", "owner").only(*_OF_KEYS)
    living = {key.pk: key for key in rows}
    page = reverse("teams:key", args=[_NOBODY])
    prompts = _prompts_of_keys(reach, (now - dt.timedelta(days=DAYS)).date())
    chains = {pk: chain_of(pk, older) for pk in living}
    replaced = {one for pk, chain in chains.items() for one in chain if one != pk}
    for pk, key in living.items():
        if pk in replaced:
            continue
        counted = [use for one in chains[pk] if (use := uses.get(("key", str(one)))) is not None]
        row = Touchpoint(
            source="key",
            id=pk,
            name=key.name,
            team=key.team,
            kinds=(Kind.API,),
            created_at=min(living[one].created_at for one in chains[pk] if one in living),
            url=page.replace(str(_NOBODY), str(pk)) if key.team_id in reach.keys_in else "",
            owner=str(key.owner) if key.owner else "",
            environment=key.environment,
            last_used_at=max(
                (at for one in chains[pk] if one in living and (at := living[one].last_used_at)), default=None
            ),
        )
        fill(row, together(counted) if counted else None)
        called = sorted({slug for one in chains[pk] for slug in prompts.get(one, ())})
        if called:
            aliases = sorted({alias.partition("@")[0] for alias in row.aliases})
            row.same = ("api", *aliases, "prompts", *called)
        yield row, chains[pk]


def _prompts_of_keys(reach: Reach, since: dt.date) -> dict[uuid.UUID, set[str]]:
    rows = PromptKeyUse.objects.filter(team_id__in=reach.teams, day__gte=since, prompt__deleted_at=None)
    found: dict[uuid.UUID, set[str]] = defaultdict(set)
    for key_id, slug in rows.values_list("key_id", "prompt__slug").distinct():
        found[key_id].add(slug)
    return found


# Widgets and agents --------------------------------------------------------------------------------------------------


def widgets(reach: Reach, uses: Uses) -> Iterable[Touchpoint]:
    """Yield each widget; one that is switched off too. One query."""
    for widget in living_widgets(reach.teams).select_related("team", "agent__live"):
        row = Touchpoint(
            source="widget",
            id=widget.pk,
            name=widget.name,
            team=widget.team,
            kinds=(Kind.CHAT,),
            created_at=widget.created_at,
            url=reverse("chat:widget", args=[widget.pk]),
            place=", ".join(widget.origins[:2]),
            environment="production",
            same=_same("chat", widget.agent),
            agent_id=widget.agent_id,
        )
        fill(row, uses.get(("widget", str(widget.pk))))
        if not row.aliases and widget.agent.live:
            row.aliases = [widget.agent.live.alias]
        yield row


def agents(reach: Reach, uses: Uses, now: dt.datetime) -> Iterable[Touchpoint]:
    """Yield each agent that answers, with what starts it, and each assistant of the chat page. Four queries.

    An assistant that only widgets speak with is listed as those.
    """
    found = list(answering_agents(reach.teams).select_related("team", "live"))
    behind = set(living_widgets(reach.teams).values_list("agent_id", flat=True))
    triggers: dict[uuid.UUID, list[Trigger]] = defaultdict(list)
    for trigger in Trigger.objects.filter(agent__in=found, is_enabled=True).order_by("name", "pk"):
        triggers[trigger.agent_id].append(trigger)
    working = {agent.pk for agent in found if agent.pk in triggers or (agent.live and agent.live.grants)}
    durations = run_durations(list(working), list(reach.payers), now - dt.timedelta(days=DAYS))
    for agent in found:
        is_working = agent.pk in working
        use = uses.get(("agent", agent.slug))
        if not is_working and use is None and agent.pk in behind:
            continue
        row = _agent(agent, triggers.get(agent.pk, []), is_working=is_working)
        fill(row, use)
        if not row.aliases and agent.live:
            row.aliases = [agent.live.alias]
        if is_working:
            row.observed = Observed(Durations(*durations.get(agent.pk, (None, None))), is_of_runs=True)
        yield row


def _agent(agent: Agent, triggers: list[Trigger], *, is_working: bool) -> Touchpoint:
    is_scheduled = any(trigger.kind == Trigger.Kind.SCHEDULE for trigger in triggers)
    kinds = (Kind.AGENT, Kind.SCHEDULED) if is_scheduled else (Kind.AGENT,)
    return Touchpoint(
        source="agent" if is_working else "assistant",
        id=agent.pk,
        name=agent.name,
        team=agent.team,
        kinds=kinds if is_working else (Kind.CHAT,),
        created_at=agent.created_at,
        url=reverse("agents:agent", args=[agent.slug]),
        place=", ".join(map(_started_by, triggers)),
        environment="production",
        same=_same("agent" if is_working else "chat", agent),
        agent_id=agent.pk,
    )


def _started_by(trigger: Trigger) -> str:
    if trigger.kind == Trigger.Kind.SCHEDULE:
        return f"{trigger.name}: {trigger.config.get('cron', '')} {trigger.config.get('time_zone', '')}".strip()
    return f"{trigger.name} ({trigger.get_kind_display().lower()})"


def _same(how: str, agent: Agent) -> tuple[str, ...]:
    """Return what makes two of the same sort alike; nothing without a prompt of the library."""
    live = agent.live
    return (how, live.alias, live.prompt_slug) if live is not None and live.prompt_slug else ()


def assistants(slugs: Collection[str]) -> set[str]:
    """Return which of these agents people talk to, by short name; of one that was given twice, whom has it now.

    An archived agent counts as what it was. One without tools and triggers is talked to, and so is one of a widget.
    """
    found = (
        Agent.objects.filter(slug__in=slugs, live__isnull=False)
        .order_by(F("archived_at").asc(nulls_last=True), "created_at", "id")
        .values_list(
            "slug",
            Q(live__grants=[]) & ~Exists(Trigger.objects.filter(agent=OuterRef("pk"), is_enabled=True)),
            Exists(Widget.objects.filter(agent=OuterRef("pk"), deleted_at=None)),
        )
    )
    return {slug for slug, is_talked_to in {slug: any(told) for slug, *told in found}.items() if is_talked_to}
