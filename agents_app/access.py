"""The only way to get an agent, a run, an approval, a tool or a queue for somebody.

Members see the agents of their teams; whoever may call models in a team also sees, and uses, those shared with it or
with everybody. Everything else looks like nothing. Building needs the right `build` in the agent's own team.
Runs are seen by whoever started them (a key's also by those it was rotated into), and by those who see the audit log
of the agent's team or of the team that pays.
"""

import uuid
from collections.abc import Collection, Iterable
from typing import TypeVar

from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet

from agents_app.errors import (
    UnknownAgent,
    UnknownAgentVersion,
    UnknownApproval,
    UnknownBroker,
    UnknownItem,
    UnknownMessage,
    UnknownQueue,
    UnknownRun,
    UnknownServer,
    UnknownTool,
)
from agents_app.models import (
    Agent,
    AgentVersion,
    Approval,
    Audience,
    Broker,
    Firing,
    Queue,
    QueueItem,
    Run,
    Tool,
    ToolServer,
)
from console.core.clock import now
from console.core.errors import NotFound
from console.core.ids import parse_id
from console.core.sql import get_or_raise, only
from console.teams.access import denied, teams_for
from console.teams.callers import Caller
from console.teams.models import Team
from console.teams.sql import keys_answered_for

_Owned = TypeVar("_Owned", Tool, ToolServer, Queue, Broker)

# A broker's address reaches into private networks, so connecting one is for owners.
# `inspect` is to see what it is made of: sharing an agent does not share its instructions.
RIGHTS = {"view": "view_team", "inspect": "view_team", "use": "use_models", "edit": "build", "connect": "manage_team"}


def agents_for(caller: Caller, to: str = "view") -> QuerySet[Agent]:
    """Return the living agents the caller may view, inspect, use (those that answer) or edit."""
    agents = Agent.objects.filter(archived_at=None, team__archived_at=None)
    if to == "use":
        agents = agents.filter(live__isnull=False)
    if caller.is_operator:
        return agents if caller.may(RIGHTS[to]) else agents.none()
    mine = Q(team__in=[team_id for team_id, rights in caller.rights.items() if RIGHTS[to] in rights])
    using = [team_id for team_id, rights in caller.rights.items() if "use_models" in rights]
    if to in {"view", "use"} and using:
        shared = Agent.objects.filter(audience=Audience.TEAMS, shared_with__in=using)
        mine |= Q(audience=Audience.ORGANISATION) | Q(pk__in=shared.values("pk"))
    return agents.filter(mine)


def agent_for(caller: Caller, slug: str, to: str = "view") -> Agent:
    """Return the agent, 404 for those who cannot see it, 403 for those who may not do `to` with it."""
    rows = agents_for(caller).select_related("team", "live", "draft")
    agent = only(rows.filter(slug=slug)) if "\x00" not in slug else None
    if agent is None:
        raise UnknownAgent(slug.replace("\x00", "?"))
    if to != "view" and not may(caller, agent, to):
        raise denied(agent.team, caller, RIGHTS[to])
    return agent


def may(caller: Caller, agent: Agent, to: str) -> bool:
    """Return whether the caller may do `to` with an agent they can see."""
    return agents_for(caller, to).filter(pk=agent.pk).exists()


def version_for(agent: Agent, number: int) -> AgentVersion:
    version = only(AgentVersion.objects.filter(agent=agent, number=number)) if number < 2**31 else None
    if version is None:
        raise UnknownAgentVersion(agent.slug, number)
    version.agent = agent
    return version


def building_teams(caller: Caller) -> QuerySet[Team]:
    """Return the teams in which the caller may make agents."""
    return teams_for(caller, "build")


def teams_to_connect(caller: Caller) -> QuerySet[Team]:
    """Return the teams for which the caller may connect brokers."""
    return teams_for(caller, RIGHTS["connect"])


def _teams_with(caller: Caller, *rights: str) -> list[uuid.UUID]:
    return [team_id for team_id, held in caller.rights.items() if held & set(rights)]


def _own_ids(caller: Caller) -> Collection[uuid.UUID]:
    """Return in whose names the caller starts runs, or started them: a key has those of the keys rotated into it."""
    return caller.own_keys or ({caller.actor.id} if caller.actor.id else ())


def _own(caller: Caller, run: str = "") -> Q:
    """Return what finds runs the caller started in the teams they still belong to; `run` is the path to them."""
    started = {f"{run}actor_kind": caller.actor.kind, f"{run}actor_id__in": _own_ids(caller)}
    return Q(**started, **{f"{run}team__in": list(caller.rights)})


def _of_their_keys(caller: Caller, run: str = "") -> Q:
    """Return what finds runs of keys that a person answers for; `run` is the path to them."""
    if caller.user is None or not caller.rights:
        return Q(pk__in=[])
    theirs = keys_answered_for(caller.user.pk, caller.rights)
    return Q(**{f"{run}actor_kind": "key", f"{run}actor_id__in": theirs})


def runs_for(caller: Caller, to: str = "view") -> QuerySet[Run]:
    """Return the runs the caller may view, or stop (`cancel`).

    Those are their own, as long as they belong to the team, and those of agents they build or approve for; to view,
    also those of keys they answer for.
    """
    runs = Run.objects.all()
    if caller.is_operator:
        return runs
    own_runs = _own(caller)
    if to == "cancel":
        return runs.filter(own_runs | Q(agent__team__in=_teams_with(caller, "build", "approve")))
    watching = _teams_with(caller, "view_audit")
    return runs.filter(own_runs | _of_their_keys(caller) | Q(agent__team__in=watching) | Q(team__in=watching))


def runs_seen(caller: Caller, runs: Iterable[uuid.UUID | None]) -> set[uuid.UUID]:
    """Return which of these runs the caller may view: their titles are the beginning of what they were given."""
    return set(runs_for(caller).filter(pk__in={pk for pk in runs if pk}).values_list("pk", flat=True))


def run_for(caller: Caller, run_id: str, to: str = "view") -> Run:
    """Return a run by its id or `run_…`: 404 for those who cannot see it, 403 for those who may not do `to` with it."""
    identifier = parse_id(run_id, "run_")
    runs = runs_for(caller).select_related("agent__team", "team", "version")
    run = only(runs.filter(pk=identifier)) if identifier else None
    if run is None:
        raise UnknownRun
    if to != "view" and not runs_for(caller, to).filter(pk=run.pk).exists():
        raise denied(run.agent.team, caller)
    return run


def may_read(caller: Caller, run: Run) -> bool:
    """Return whether the caller may see the content of a run: who started it, and who may read content."""
    is_own = run.actor_kind == caller.actor.kind and run.actor_id in _own_ids(caller)
    return (is_own and (caller.is_operator or run.team_id in caller.rights)) or caller.may(
        "read_content", run.agent.team_id
    )


def approvals_for(caller: Caller, to: str = "view") -> QuerySet[Approval]:
    """Return the approvals the caller may see or decide.

    Those are of teams they approve for, questions of their own runs, and of the runs of keys they answer for.
    """
    approvals = Approval.objects.all()
    if caller.is_operator:
        return approvals if to == "view" or "approve" not in caller.withheld else approvals.none()
    questions = Q(kind__in=[Approval.Kind.QUESTION, Approval.Kind.STEP])
    asked = Q() if to == "view" else questions
    own = asked & _own(caller, "run__")
    own |= questions & _of_their_keys(caller, "run__")
    rights = ["approve"] if to == "decide" else ["approve", "view_audit"]
    return approvals.filter(own | Q(team__in=_teams_with(caller, *rights)))


def approval_for(caller: Caller, approval_id: uuid.UUID, to: str = "view") -> Approval:
    """Return an approval: 404 for those who cannot see it, 403 for those who may not decide it."""
    rows = approvals_for(caller).select_related("run__agent__team", "run__version", "step", "team")
    approval = get_or_raise(rows.filter(pk=approval_id), UnknownApproval)
    if to != "view" and not approvals_for(caller, to).filter(pk=approval.pk).exists():
        raise PermissionDenied(f"Your role in {approval.team} does not allow you to decide this.")
    return approval


def approvals_waiting(caller: Caller) -> int:
    """Return how many approvals wait for the caller's decision, up to a hundred: every page's navigation asks."""
    waiting = approvals_for(caller, to="decide").filter(state=Approval.State.WAITING, expires_at__gt=now())
    return waiting.order_by()[:100].count()


def waiting_for_anyone() -> QuerySet[Approval]:
    return Approval.objects.filter(state=Approval.State.WAITING)


def _get_owned(caller: Caller, rows: QuerySet[_Owned], pk: uuid.UUID, unknown: type[NotFound], to: str) -> _Owned:
    """Return a thing of a team among those the caller can see: 404 if it is not there, 403 for who may not do `to`."""
    row = get_or_raise(rows.filter(pk=pk), unknown)
    _check_may(caller, row.team, to)
    return row


def _check_may(caller: Caller, team: Team, to: str) -> None:
    if to != "view" and not caller.may(RIGHTS[to], team.pk):
        raise denied(team, caller, RIGHTS[to])


def tools_for(caller: Caller, to: str = "view") -> QuerySet[Tool]:
    """Return the tools of the teams in which the caller may view or edit what agents are made of."""
    rows = Tool.objects.filter(deleted_at=None, team__in=teams_for(caller, RIGHTS[to]))
    return rows.select_related("team", "server")


def tool_for(caller: Caller, tool_id: uuid.UUID, to: str = "view") -> Tool:
    return _get_owned(caller, tools_for(caller), tool_id, UnknownTool, to)


def servers_for(caller: Caller, to: str = "view") -> QuerySet[ToolServer]:
    rows = ToolServer.objects.filter(deleted_at=None, team__in=teams_for(caller, RIGHTS[to]))
    return rows.select_related("team")


def server_for(caller: Caller, server_id: uuid.UUID, to: str = "view") -> ToolServer:
    return _get_owned(caller, servers_for(caller), server_id, UnknownServer, to)


def queues_for(caller: Caller, to: str = "view") -> QuerySet[Queue]:
    rows = Queue.objects.filter(archived_at=None, team__in=teams_for(caller, RIGHTS[to]))
    return rows.select_related("team")


def queue_for(caller: Caller, queue_id: uuid.UUID, to: str = "view") -> Queue:
    return _get_owned(caller, queues_for(caller), queue_id, UnknownQueue, to)


def queue_items_for(caller: Caller) -> QuerySet[QueueItem]:
    return QueueItem.objects.filter(queue__in=queues_for(caller)).select_related("queue__team")


def item_for(caller: Caller, item_id: uuid.UUID, to: str = "view") -> QueueItem:
    item = get_or_raise(queue_items_for(caller).filter(pk=item_id), UnknownItem)
    _check_may(caller, item.queue.team, to)
    return item


def brokers_for(caller: Caller, to: str = "view") -> QuerySet[Broker]:
    return Broker.objects.filter(team__in=teams_for(caller, RIGHTS[to])).select_related("team")


def broker_for(caller: Caller, broker_id: uuid.UUID, to: str = "view") -> Broker:
    return _get_owned(caller, brokers_for(caller), broker_id, UnknownBroker, to)


def parked_messages_for(caller: Caller) -> QuerySet[Firing]:
    """Return the messages of queues outside that were set aside, of the agents the caller may inspect."""
    agents = agents_for(caller, "inspect")
    rows = Firing.objects.filter(trigger__agent__in=agents, trigger__config__has_key="broker")
    return rows.filter(state=Firing.State.PARKED).select_related("trigger__agent__team")


def parked_message_for(caller: Caller, firing_id: uuid.UUID, to: str = "inspect") -> Firing:
    firing = get_or_raise(parked_messages_for(caller).filter(pk=firing_id), UnknownMessage)
    if not may(caller, firing.trigger.agent, to):
        raise denied(firing.trigger.agent.team, caller, RIGHTS[to])
    return firing


def may_read_items(caller: Caller, team: Team) -> bool:
    """Return whether the caller may read what queue items say: it is content, as the log's is."""
    return caller.may("read_content", team.pk)
