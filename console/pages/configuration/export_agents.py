"""The part of an export about queues, tools, agents, triggers and widgets."""

from typing import Any

from django.db.models import Q

from agents_app.definition import fields_of
from agents_app.grants.pinned import lost_by
from agents_app.models import Agent, Broker, Definition, Queue, Tool, ToolServer, Trigger
from agents_app.readiness import problems
from agents_app.tools.registry import kind_of
from console.chat.models import Widget
from console.chat.queries.widgets import answered
from console.chat.widget_fields import fields_of as widget_fields
from console.core.errors import BadInput
from console.notices.models import Channel
from console.pages.configuration.plan_agents import NOTHING, prompt_of, shown_limits
from console.teams.models import Team, User


def variable(*words: str) -> str:
    """Return the environment variable that stands for a secret: `support`, `crm` gives SUPPORT_CRM_SECRET."""
    name = "_".join("".join(c if c.isascii() and c.isalnum() else "_" for c in word).upper() for word in words)
    return f"_{name}_SECRET" if name[0].isdigit() else f"{name}_SECRET"


def queues() -> list[dict[str, Any]]:
    rows = Queue.objects.filter(archived_at=None, team__archived_at=None).select_related("team")
    return [
        _named(
            {"slug": queue.slug, "team": queue.team.slug, "name": queue.name, "description": queue.description},
            lease_seconds=queue.lease_seconds,
            most_attempts=queue.most_attempts,
            keep_days=queue.keep_days,
            **({"callback_addresses": queue.callback_addresses} if queue.callback_addresses else {}),
            **({"secret": {"env": variable(queue.team.slug, queue.slug)}} if queue.secret else {}),
        )
        for queue in rows.order_by("team__slug", "slug")
    ]


def channels() -> list[dict[str, Any]]:
    rows = Channel.objects.filter(team__archived_at=None).select_related("team")
    parts = []
    for channel in rows.order_by("team__slug", "name"):
        team = {"team": channel.team.slug} if channel.team is not None else {}
        row: dict[str, Any] = {"name": channel.name, **team, "kind": channel.kind, "wants": channel.wants}
        if channel.kind == Channel.Kind.EMAIL:
            row["addresses"] = channel.addresses
        else:
            row["url"] = {"env": variable(*team.values(), channel.name)}
        if channel.secret:
            row["secret"] = {"env": variable(*team.values(), channel.name, "signing")}
        parts.append(row if channel.is_active else {**row, "is_active": False})
    return parts


def brokers() -> list[dict[str, Any]]:
    rows = Broker.objects.filter(team__archived_at=None).select_related("team").order_by("team__slug", "slug")
    return [
        {
            "slug": broker.slug,
            "team": broker.team.slug,
            "name": broker.name,
            "url": {"env": variable(broker.team.slug, broker.slug)},
        }
        for broker in rows
    ]


def servers() -> list[dict[str, Any]]:
    rows = []
    found = ToolServer.objects.filter(deleted_at=None, team__archived_at=None).select_related("team")
    for server in found.order_by("team__slug", "slug"):
        row: dict[str, Any] = {"slug": server.slug, "team": server.team.slug, "name": server.name}
        row |= {"transport": server.transport, "address": server.address}
        if server.secret:
            row["secret"] = {"env": variable(server.team.slug, server.slug)}
        if not server.is_enabled:
            row["is_enabled"] = False
        taken = [
            {"name": t.config["name"], "digest": t.digest, "effect": t.effect, "is_idempotent": t.is_idempotent}
            | ({} if t.is_enabled else {"is_enabled": False})
            for t in server.tools.filter(deleted_at=None).order_by("slug")
        ]
        rows.append(row | ({"tools": taken} if taken else {}))
    return rows


def tools(left_out: list[str]) -> list[dict[str, Any]]:
    """Return the tools of teams' own. One that lost what it names could not be made elsewhere."""
    rows = []
    found = Tool.objects.filter(deleted_at=None, team__archived_at=None).select_related("team", "server")
    for tool in found.order_by("team__slug", "slug"):
        if tool.server is not None:
            continue
        if lost := lost_by(tool, tool.team):
            left_out.append(f"the tool {tool.slug} of {tool.team.slug}, which cannot do its work: {lost}")
            continue
        row: dict[str, Any] = {"slug": tool.slug, "team": tool.team.slug, "kind": tool.kind, "name": tool.name}
        row["description"] = tool.description
        if not _has_fixed_arguments(tool):
            row["parameters"] = tool.parameters
        row["config"] = tool.config
        if tool.secret:
            row["secret"] = {"env": variable(tool.team.slug, tool.slug)}
        row |= {name: getattr(tool, name) for name in ("effect", "is_idempotent", "timeout_seconds", "most_bytes")}
        rows.append(row | ({} if tool.is_enabled else {"is_enabled": False}))
    return rows


def _has_fixed_arguments(tool: Tool) -> bool:
    """Return whether a tool's arguments follow from its kind and configuration alone."""
    try:
        follows = kind_of(tool.kind).schema(tool.config, {})
    except BadInput:
        return False
    return bool(follows == tool.parameters)


def agents(aliases: set[str], left_out: list[str]) -> list[dict[str, Any]]:
    """Return the agents. One that could not be published as it is now comes as a draft."""
    rows = []
    found = Agent.objects.filter(archived_at=None, team__archived_at=None).select_related("team", "live", "draft")
    triggers: dict[Any, list[Trigger]] = {}
    for trigger in Trigger.objects.filter(agent__archived_at=None).select_related("owner").order_by("name", "id"):
        triggers.setdefault(trigger.agent_id, []).append(trigger)
    in_a_team = Q(is_superuser=True) | Q(memberships__team__archived_at=None, memberships__isnull=False)
    people = set(User.objects.filter(in_a_team, is_active=True).values_list("pk", flat=True))
    for agent in found.prefetch_related("shared_with").order_by("slug"):
        row: dict[str, Any] = {"slug": agent.slug, "team": agent.team.slug, "name": agent.name}
        row |= {"description": agent.description} if agent.description else {}
        row["audience"] = agent.audience
        shared = sorted(team.slug for team in agent.shared_with.all() if team.archived_at is None)
        row |= {"shared_with": shared} if shared else {}
        missing = _missing(agent.team, agent.live, aliases) if agent.live is not None else ""
        is_live = agent.live is not None and not missing
        fields = fields_of(agent.live if agent.live is not None and is_live else agent.draft)
        if missing:
            left_out.append(f"that the agent {agent.slug} is live: {missing}")
        elif agent.live is not None and fields_of(agent.draft) != fields:
            left_out.append(f"the draft of the agent {agent.slug}, which is not published.")
        row |= {"prompt": prompt_of(fields)} if fields["prompt_slug"] else {}
        row |= _definition(fields)
        row |= {} if is_live else {"publish": False}
        starts = _triggers(agent, triggers.get(agent.pk, []), people, left_out)
        rows.append(row | ({"triggers": starts} if starts else {}))
    return rows


def _missing(team: Team, live: Definition, aliases: set[str]) -> str:
    """Return what keeps a version from being published elsewhere; empty when nothing does."""
    if live.alias and live.alias not in aliases:
        return f"its alias {live.alias} is left out."
    return " ".join(problems(team, live))


def _definition(fields: dict[str, Any]) -> dict[str, Any]:
    row = {
        name: fields[name]
        for name in ("prompt_variables", "alias", "parameters", "knowledge", "opening_message", "suggested_questions")
        if fields[name]
    }
    if fields["limits"]:
        row["limits"] = shown_limits(fields["limits"])
    if fields["grants"]:
        row["grants"] = [{k: v for k, v in grant.items() if v not in NOTHING} for grant in fields["grants"]]
    return row | {name: fields[name] for name in ("input_schema", "output_schema") if fields[name]}


def _triggers(agent: Agent, found: list[Trigger], people: set[Any], left_out: list[str]) -> list[dict[str, Any]]:
    rows = []
    for trigger in found:
        if [one.name for one in found].count(trigger.name) > 1:
            left_out.append(f"the trigger {trigger.name!r} of {agent.slug}, whose name is not unique.")
            continue
        if trigger.owner is None:
            left_out.append(f"the trigger {trigger.name!r} of {agent.slug}, whose owner is gone.")
            continue
        if trigger.owner_id not in people:
            message = f"the trigger {trigger.name!r} of {agent.slug}, whose owner is disabled or no longer in a team."
            left_out.append(message)
            continue
        row: dict[str, Any] = {"name": trigger.name, "kind": trigger.kind, "config": trigger.config}
        row |= {"owner": trigger.owner.email, "environment": trigger.environment}
        if trigger.secret:
            row["secret"] = {"env": variable(agent.slug, trigger.name)}
        rows.append(row | ({} if trigger.is_enabled else {"is_enabled": False}))
    return rows


def widgets(agents: list[dict[str, Any]], left_out: list[str]) -> list[dict[str, Any]]:
    """Return the widgets. One that none of the file's agents answers could not be made elsewhere."""
    rows = []
    live = {agent["slug"] for agent in agents if agent.get("publish", True)}
    found = list(Widget.objects.filter(deleted_at=None, team__archived_at=None).select_related("team", "agent"))
    fine = answered([widget.pk for widget in found])
    names = [(widget.team_id, widget.name) for widget in found]
    for widget in sorted(found, key=lambda w: (w.team.slug, w.name)):
        if names.count((widget.team_id, widget.name)) > 1:
            left_out.append(f"the widget {widget.name!r} of {widget.team.slug}, whose name is not unique.")
            continue
        if widget.pk not in fine or widget.agent.slug not in live:
            left_out.append(f"the widget {widget.name!r} of {widget.team.slug}, which no agent of this file answers.")
            continue
        row: dict[str, Any] = {"name": widget.name, "team": widget.team.slug, "agent": widget.agent.slug}
        kept = {name: value for name, value in widget_fields(widget).items() if name != "name" and value}
        if "limits" in kept:
            kept["limits"] = shown_limits(kept["limits"])
        if widget.identity_secret:
            row["identity_secret"] = {"env": variable(widget.team.slug, widget.name)}
        rows.append(row | kept | ({} if widget.is_enabled else {"is_enabled": False}))
    return rows


def _named(row: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value != ""} | more
