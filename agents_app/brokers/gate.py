"""Check whether a trigger may start a run, before a message is taken."""

from dataclasses import dataclass

from agents_app.grants.authority import MayNotRun, paying_team, why_not_run
from agents_app.models import Firing, Run, Trigger
from agents_app.triggers.firings import actor_of
from console.core.clock import now
from usage_app.models import Mode
from usage_app.queries.quotas import remaining


@dataclass(frozen=True, slots=True)
class Hold:
    """Why no run may start. A brief one passes by itself, when a run ends."""

    why: str
    is_brief: bool = False


def hold_on(trigger: Trigger) -> Hold | None:
    """Return why no run may start now, None when one may. Needs `agent__team`, `agent__live`."""
    agent, live = trigger.agent, trigger.agent.live
    if live is None:
        return Hold(f"No version of {agent.name} is published.")
    actor = actor_of(trigger)
    try:
        team = paying_team(actor, agent)
    except MayNotRun:
        return Hold(f"{trigger.owner_name}, for whom it acts, may not run {agent.name} any more.")
    if problem := why_not_run(actor, agent, team):
        return Hold(problem)
    most = trigger.config["at_once"]
    under_way = Firing.objects.filter(trigger=trigger, run__isnull=False).exclude(run__state__in=Run.OVER)
    if under_way[most - 1 : most].exists():
        return Hold(f"{most} of its runs are under way, the most it may have; it reads on when one ends.", True)
    for state in remaining(team.pk, None, live.alias, agent=agent.slug, now=now()):
        if state.is_exhausted and state.quota.mode == Mode.HARD:
            metric = state.quota.get_metric_display().lower()
            return Hold(f"A quota of {team} is used up ({metric}); it reads on when there is more.")
    return None
