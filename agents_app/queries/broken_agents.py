"""Live agents that cannot answer, because their alias or the label of their prompt is gone."""

from collections.abc import Sequence

from agents_app.models import Agent, AgentVersion
from agents_app.readiness import alias_check
from console.catalog.models import Alias
from console.teams.models import Team
from prompts_app.models import Label

MOST = 500


def unready(teams: Sequence[Team]) -> list[tuple[Agent, str]]:
    """Return agents of these teams with what is wrong. What costs a rendering each is left to the agent's own page."""
    rows = Agent.objects.filter(team__in=teams, archived_at=None, live__isnull=False) if teams else Agent.objects.none()
    agents = [
        (agent, agent.live) for agent in rows.select_related("live", "team").order_by("name")[:MOST] if agent.live
    ]
    if not agents:
        return []
    names = {live.alias for _, live in agents}
    aliases = {one.name: one for one in Alias.objects.filter(name__in=names).prefetch_related("teams", "pins")}
    slugs = {live.prompt_slug for _, live in agents}
    labels = set(Label.objects.filter(prompt__slug__in=slugs).values_list("prompt__slug", "name"))
    found = []
    for agent, live in agents:
        problem = alias_check(agent.team, live, aliases.get(live.alias)).problem or _label_problem(live, labels)
        if problem:
            found.append((agent, problem))
    return found


def _label_problem(live: AgentVersion, labels: set[tuple[str, str]]) -> str:
    label = live.prompt_label or "production"
    if not live.prompt_slug or live.prompt_number is not None or (live.prompt_slug, label) in labels:
        return ""
    return f"The prompt {live.prompt_slug} has no label {label} any more."
