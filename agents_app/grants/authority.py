"""On whose behalf a run acts, checked at its start and before each step."""

from agents_app.models import Agent, Audience
from console.core.errors import NotAllowed
from console.teams.actors import Actor
from console.teams.callers import why_refused
from console.teams.lineage import successor_of
from console.teams.models import ApiKey, Team, User
from console.teams.rights import key_rights, rights_in_team, rights_of


class MayNotRun(NotAllowed):
    code = "may_not_run"


def why_not_run(actor: Actor, agent: Agent, team: Team) -> str:
    """Return why an actor may not run an agent for a team now, empty when they may. Needs `agent.team`."""
    if agent.archived_at is not None:
        return f"The agent {agent.slug} is archived."
    for one in (agent.team, team):
        if one.archived_at is not None:
            return f"{one} is archived."
    if not _is_for(agent, team):
        return f"{team} may not use the agent {agent.slug} any more."
    return _why_not(actor, team)


def paying_team(actor: Actor, agent: Agent) -> Team:
    """Return the team an actor runs an agent for: a key's own; of a person's teams the agent's, or one it is for."""
    if (key := _key(actor)) is not None:
        return key.team
    if (user := _user(actor)) is not None and user.is_active:
        if "use_models" in rights_in_team(user, agent.team_id):
            return agent.team
        mine = [team_id for team_id, rights in rights_of(user).items() if "use_models" in rights]
        for team in Team.objects.filter(pk__in=mine, archived_at=None).order_by("name"):
            if _is_for(agent, team):
                return team
    raise MayNotRun(f"You may not run {agent.name}. An owner of {agent.team} can share it with your team.")


def _key(actor: Actor) -> ApiKey | None:
    if actor.kind != "key" or actor.id is None:
        return None
    return ApiKey.objects.select_related("team", "owner").filter(pk=actor.id).first()


def _user(actor: Actor) -> User | None:
    return User.objects.filter(pk=actor.id).first() if actor.kind == "user" and actor.id else None


def _is_for(agent: Agent, team: Team) -> bool:
    if team.pk == agent.team_id or agent.audience == Audience.ORGANISATION:
        return True
    return agent.audience == Audience.TEAMS and agent.shared_with.filter(pk=team.pk).exists()


def _why_not(actor: Actor, team: Team) -> str:
    if actor.kind == "key":
        key = _key(actor)
        if key is None:
            return "The key this run was started with is gone."
        if key.team_id != team.pk:
            return f"The key this run was started with does not belong to {team}."
        key = successor_of(key)
        if reason := why_refused(key, actor.client_address):
            return f"The key this run was started with is refused now: {reason}."
        return "" if "use_models" in key_rights(key) else "The key this run was started with may not call models."
    if actor.kind == "user":
        user = _user(actor)
        if user is None or not user.is_active:
            return f"{actor.name}, who started this run, cannot sign in any more."
        may = "use_models" in rights_in_team(user, team.pk)
        return "" if may else f"{actor.name}, who started this run, may not call models for {team} any more."
    return "Runs are started by a person or a key."
