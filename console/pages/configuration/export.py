"""Write the installation's configuration as a file `apply` reads. Secrets are named, never written."""

from decimal import Decimal
from typing import Any

from django.db import transaction

from console.audit import actions
from console.audit.services import record
from console.catalog.models import PARTS, Alias, ModelVersion, Price, Provider
from console.catalog.queries import price_now
from console.core.clock import now
from console.pages.configuration import export_agents, export_knowledge, export_library
from console.pages.configuration.document import LARGEST
from console.pages.configuration.export_knowledge import Beside
from console.pages.configuration.export_yaml import as_yaml
from console.pages.configuration.keys import Named, named_keys
from console.pages.configuration.plan_pins import AROUND, state_of
from console.pages.configuration.plan_providers import NUMBERS
from console.teams.actors import Actor
from console.teams.models import ApiKey, Environment, Invitation, Team, User
from console.teams.unknown_fields import policy_of
from usage_app.models import AlertRule, Metric, Quota
from usage_app.sql.counters import key_line

ACTOR = Actor(kind="system", id=None, name="manage.py export")
_ROOM_FOR_THE_REST = 100_000  # of a file with documents: collections without them, and the notes at the end
_SECRETS = ("url", "secret", "identity_secret")
_HEAD = """\
# Configuration of this Facet installation, written by `manage.py export`, read by `manage.py apply`.
# Secrets are not in here: set the environment variables named under `secret` before applying this file.
# Nor are texts of API keys (applying makes the keys that are not there and prints each once), passwords, second factors
# and invitations of people, and what happened: conversations, runs, batches, files, the log, and the history of pins,
# labels, agents and documents.
"""
_TOO_LARGE = """\
# This file is larger than the 8 MiB that `manage.py apply` reads. Take prompts out of it, and bring them by git:
# `manage.py prompts export`.
"""


@transaction.atomic
def export(*, actor: Actor = ACTOR, documents: str = "", files: dict[str, str] | None = None) -> str:
    """Return the file's text, with what it leaves out named at its end.

    With `documents`, the name of a folder beside the file, texts of documents are put into `files`, by path.
    """
    left_out: list[str] = []
    aliases = _aliases(left_out)
    named = {alias["name"] for alias in aliases}
    agents = export_agents.agents(named, left_out)
    widgets = export_agents.widgets(agents, left_out)
    lists: dict[str, Any] = {
        "providers": _providers(left_out),
        "models": _models(left_out),
        "aliases": aliases,
        "teams": _teams(named, {(widget["team"], widget["name"]) for widget in widgets}, left_out),
        "channels": export_agents.channels(),
        "alert_rules": [],
        "collections": [],
        "prompts": export_library.prompts(agents, left_out),
        "queues": export_agents.queues(),
        "brokers": export_agents.brokers(),
        "tool_servers": export_agents.servers(),
        "tools": export_agents.tools(left_out),
        "agents": agents,
        "widgets": widgets,
        "test_schedules": export_knowledge.test_schedules(left_out),
        "legacy_touchpoints": [],
    }
    lists["alert_rules"] = _alert_rules(lists, left_out)
    lists["legacy_touchpoints"] = export_knowledge.legacy_touchpoints(left_out, _names(lists))
    room = LARGEST - _ROOM_FOR_THE_REST - len(as_yaml(lists).encode())
    beside = Beside(folder=documents, room=room)
    lists["collections"] = export_knowledge.collections(left_out, beside)
    if files is not None:
        files |= beside.files
    _name_apart(lists)
    body = as_yaml({name: rows for name, rows in lists.items() if rows})
    record(actions.CONFIGURATION_EXPORTED, actor=actor)
    notes = "".join(f"# Not in this file: {' '.join(note.split())}\n" for note in left_out)
    if not any(lists.values()):
        return _HEAD + notes
    return _HEAD + (_TOO_LARGE if len(body.encode()) > LARGEST else "") + body + notes


def variable(slug: str) -> str:
    """Return the environment variable that stands for a provider's secret: `my-openai` gives MY_OPENAI_API_KEY."""
    name = slug.upper().replace("-", "_") + "_API_KEY"
    return f"_{name}" if name[0].isdigit() else name


def _names(lists: dict[str, Any]) -> set[tuple[str, str, str]]:
    """Return what a place's work can be said to be done by: its kind, its team and its name, as the file has them."""
    named = {("agent", row["team"], row["slug"]) for row in lists["agents"]}
    named |= {("widget", row["team"], row["name"]) for row in lists["widgets"]}
    return named | {("key", team["slug"], key["name"]) for team in lists["teams"] for key in team.get("keys", ())}


def _name_apart(lists: dict[str, Any]) -> None:
    """Give each secret a variable of its own: names are made of what things are called, and two may come to one."""
    seen: dict[str, int] = {}
    for row in (row for rows in lists.values() for row in rows):
        for owner in (row, *row.get("triggers", ())):
            for field in (field for field in _SECRETS if field in owner):
                name = owner[field].get("env") if isinstance(owner[field], dict) else None
                if name:
                    seen[name] = seen.get(name, 0) + 1
                    owner[field]["env"] = name if seen[name] == 1 else f"{name}_{seen[name]}"


def _number(value: Decimal | int) -> int | float:
    return int(value) if value == int(value) else float(value)


def _providers(left_out: list[str]) -> list[dict[str, Any]]:
    rows = []
    for provider in Provider.objects.order_by("slug"):
        if provider.is_builtin:
            left_out.append(f"the built-in model ({provider.slug}), which the installation sets up itself.")
            continue
        row: dict[str, Any] = {"slug": provider.slug, "kind": provider.kind, "base_url": provider.base_url}
        if provider.has_secret:
            row["secret"] = {"env": variable(provider.slug)}
        row |= {"name": provider.name} if provider.name != provider.slug else {}
        row |= {name: value for name in NUMBERS if (value := getattr(provider, name)) is not None}
        rows.append(row | ({} if provider.is_enabled else {"is_enabled": False}))
    return rows


def _models(left_out: list[str]) -> list[dict[str, Any]]:
    rows = []
    versions = ModelVersion.objects.filter(provider__is_builtin=False).select_related("provider", "successor__provider")
    for version in versions.prefetch_related("prices").order_by("provider__slug", "name"):
        if version.retired_at is not None:
            left_out.append(f"the retired model {version}.")
            continue
        row: dict[str, Any] = {
            "provider": version.provider.slug,
            "name": version.name,
            "context_tokens": version.context_tokens,
            "max_output_tokens": version.max_output_tokens,
            "capabilities": list(version.capabilities),
        }
        if version.description.strip():
            row["description"] = version.description
        if version.shutdown_on:
            row["shutdown_on"] = version.shutdown_on.isoformat()
        if version.successor is not None and version.successor.retired_at is None:
            row["successor"] = str(version.successor)
        price = price_now(version)
        if price is not None:
            row["price"] = _price(price)
        later = sorted((p for p in version.prices.all() if p.effective_from > now()), key=lambda p: p.effective_from)
        if later:
            row["later_prices"] = [{"from": p.effective_from.isoformat()} | _price(p) for p in later]
        rows.append(row)
    return rows


def _price(price: Price) -> dict[str, Any]:
    amounts = {name: getattr(price, name) for name in PARTS}
    return {name: _number(value) for name, value in amounts.items() if value is not None}


def _aliases(left_out: list[str]) -> list[dict[str, Any]]:
    rows = []
    for alias in Alias.objects.prefetch_related(*AROUND, "teams").order_by("name"):
        teams = alias.teams.all()
        if teams and all(team.archived_at for team in teams):  # one that no team names is for everybody
            left_out.append(f"the alias {alias.name}, whose teams are archived.")
            continue
        row: dict[str, Any] = {"name": alias.name} | ({"description": alias.description} if alias.description else {})
        pins = {pin.environment: pin for pin in alias.pins.all()}
        for environment in (e for e in Environment.values if e in pins):
            row[environment] = str(pins[environment].model_version)
        for environment in (e for e in Environment.values if e in pins):
            said = {name: value for name, value in state_of(pins[environment]).items() if value}
            if said:
                row[f"{environment}_pin"] = said
        if alias.needs_second_person:
            row["two_people"] = True
        if alias.needs_tests:
            row["needs_tests"] = True
        rows.append(row)
    return rows


def _teams(aliases: set[str], widgets: set[tuple[str, str]], left_out: list[str]) -> list[dict[str, Any]]:
    teams = Team.objects.filter(archived_at=None).order_by("slug").prefetch_related("memberships__user", "aliases")
    teams = teams.prefetch_related("label_rules")
    quotas: dict[Any, list[Quota]] = {}
    for quota in Quota.objects.select_related("key").order_by("metric", "window", "id"):
        quotas.setdefault(quota.team_id, []).append(quota)
    named = named_keys(team__in=teams)
    rows = []
    for team in teams:
        row: dict[str, Any] = {"slug": team.slug, "name": team.name}
        row |= {"requires_two_factor": True} if team.requires_two_factor else {}
        members = sorted(team.memberships.all(), key=lambda m: m.user.email)
        row["members"] = [{"email": m.user.email, "role": m.role} for m in members if m.user.is_active]
        # A file makes the people it names, and whom it makes may come in.
        left_out += [
            f"the member {m.user.email} of {team.slug}, who is disabled." for m in members if not m.user.is_active
        ]
        row["keys"] = _keys(team, named, left_out)
        row["aliases"] = sorted(alias.name for alias in team.aliases.all())
        row["quotas"] = []
        for quota in quotas.get(team.pk, []):
            limit = _quota(quota)
            if quota.key and (why := _unnamed(quota.key, named.get((team.slug, quota.key.name), []), row["keys"])):
                left_out.append(f"a quota of the key {quota.key.name!r} in {team.slug}, {why}.")
            elif quota.alias and quota.alias not in aliases:
                left_out.append(f"a quota of the alias {quota.alias} in {team.slug}, which is left out.")
            elif quota.widget_id and (team.slug, quota.widget) not in widgets:
                left_out.append(f"a quota of the widget {quota.widget!r} in {team.slug}, which is left out.")
            elif limit.keys() & {"key"} and any(_is_same(limit, other) for other in row["quotas"]):
                left_out.append(f"a second quota of the key {limit['key']!r} in {team.slug}.")
            else:
                row["quotas"].append(limit)
        row["label_rules"] = [
            {"label": rule.label, "needs_review": rule.needs_review, "needs_green_tests": rule.needs_green_tests}
            for rule in sorted(team.label_rules.all(), key=lambda rule: rule.label)
        ]
        rows.append({name: value for name, value in row.items() if value != []})
    invited = Invitation.objects.filter(team__in=teams, accepted_at=None, revoked_at=None, expires_at__gt=now())
    if count := invited.count():
        left_out.append(f"{count} invitations that are open; invite these people anew.")
    return rows


def _alert_rules(lists: dict[str, Any], left_out: list[str]) -> list[dict[str, Any]]:
    teams: dict[str, set[str]] = {alias["name"]: set() for alias in lists["aliases"]}
    for team in lists["teams"]:
        for name in team.get("aliases", ()):
            teams[name].add(team["slug"])
    rows = []
    found = AlertRule.objects.filter(team__archived_at=None).select_related("team")
    for rule in found.order_by("team__slug", "created_at", "id"):
        row: dict[str, Any] = {"team": rule.team.slug} if rule.team is not None else {}
        row |= {"metric": rule.metric, "environment": rule.environment} | ({"alias": rule.alias} if rule.alias else {})
        row |= {"minutes": rule.minutes, "threshold": rule.threshold, "least_calls": rule.least_calls}
        open_to = teams.get(rule.alias)
        if rule.alias and (open_to is None or (rule.team and open_to and rule.team.slug not in open_to)):
            left_out.append(f"the alert rule “{rule}” of {rule.team or 'all teams'}, which may not use this alias.")
        else:
            rows.append(row)
    return rows


def _keys(team: Team, named: Named, left_out: list[str]) -> list[dict[str, Any]]:
    """Return what a team's keys may do. One that answers to nobody any more can do nothing."""
    rows = []
    for (slug, name), keys in sorted(named.items()):
        for key in sorted(keys, key=lambda key: key.environment) if slug == team.slug else ():
            if [other.environment for other in keys].count(key.environment) > 1:
                left_out.append(f"a key of {slug} with the name {name!r}, which is not unique.")
            elif key.owner is None and key.was_personal:
                left_out.append(f"the key {name!r} of {slug}, whose owner is gone.")
            elif key.owner is not None and not _answers(key.owner, team):
                left_out.append(f"the key {name!r} of {slug}, whose owner is disabled or no longer in the team.")
            else:
                row: dict[str, Any] = {"name": name, "environment": key.environment, "scopes": key.scopes}
                row |= {"owner": key.owner.email} if key.owner is not None else {}
                row |= {field: value for field in ("aliases", "networks") if (value := getattr(key, field))}
                row["max_lane"] = key.max_lane
                # Applying is an operator's word: a laxer one that nobody but the team gave would begin to hold.
                is_heard = key.unknown_fields and policy_of(key) == key.unknown_fields
                row |= {"unknown_fields": key.unknown_fields} if is_heard else {}
                row |= {"expires_at": key.expires_at.isoformat()} if key.expires_at is not None else {}
                rows.append(row)
    return rows


def _answers(owner: User, team: Team) -> bool:
    """Return whether somebody can answer for a key of a team now."""
    return owner.is_operator or (owner.is_active and any(m.user_id == owner.pk for m in team.memberships.all()))


def _unnamed(key: ApiKey, named: list[ApiKey], written: list[dict[str, Any]]) -> str:
    """Return why a file cannot name a key by its name; nothing where the one of this name is it, or replaced it."""
    line = key_line(key.pk)
    if not any(other.pk in line for other in named):
        return "which has ended"
    if len(named) > 1:
        return "whose name is not unique"
    return "" if any(row["name"] == key.name for row in written) else "which is left out"


def _is_same(limit: dict[str, Any], other: dict[str, Any]) -> bool:
    """Return whether two quotas are of one thing in one window: a key's, and one of the key that replaced it."""
    return all(limit.get(name) == other.get(name) for name in ("key", "metric", "window", "purpose", "each_end_user"))


def _quota(quota: Quota) -> dict[str, Any]:
    row: dict[str, Any] = {"metric": quota.metric}
    if quota.window:
        row["window"] = quota.window
    row["limit"] = _number(Decimal(quota.limit) / 1_000_000) if quota.metric == Metric.COST else quota.limit
    row["mode"] = quota.mode
    if quota.key:
        row["key"] = quota.key.name
    if quota.alias:
        row["alias"] = quota.alias
    if quota.agent:
        row["agent"] = quota.agent
    if quota.widget_id:
        row["widget"] = quota.widget
    if quota.purpose:
        row["purpose"] = quota.purpose
    if quota.each_end_user:
        row |= {"each_end_user": True, "nameless": quota.nameless}
    return row
