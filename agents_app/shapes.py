"""The agents in the gateway's snapshot: plain values, no rows."""

import uuid

from agents_app.instructions import as_named_in_a_call, knowledge_of
from agents_app.models import Agent, Audience
from console.gateway.agents import Agents, AgentShape


def agent_shapes() -> Agents:
    """Return every agent that answers, by slug, in two queries."""
    living = Agent.objects.filter(archived_at=None, team__archived_at=None, live__isnull=False)
    shared: dict[uuid.UUID, set[uuid.UUID]] = {}
    for agent_id, team_id in living.filter(audience=Audience.TEAMS).values_list("pk", "shared_with"):
        shared.setdefault(agent_id, set()).add(team_id)
    found = {}
    for agent in living.select_related("live").defer("live__opening_message", "live__suggested_questions"):
        live = agent.live
        if live is None:
            continue
        found[agent.slug] = AgentShape(
            id=agent.pk,
            slug=agent.slug,
            team_id=agent.team_id,
            is_for_all=agent.audience == Audience.ORGANISATION,
            team_ids=frozenset(shared.get(agent.pk, ())),
            created_at=agent.created_at,
            version_id=live.pk,
            number=live.number,
            prompt=as_named_in_a_call(live),
            alias=live.alias,
            parameters=live.parameters,
            most_output=live.limits.get("output_tokens"),
            most_messages=live.limits.get("messages"),
            has_tools=bool(live.grants),
            knowledge=knowledge_of(live),
        )
    return found
