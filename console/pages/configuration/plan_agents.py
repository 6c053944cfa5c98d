"""The part of a plan about agents."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from agents_app.definition import checked, fields_of
from agents_app.models import Agent
from agents_app.services import agents as agent_services
from agents_app.services.drafts import save_draft
from agents_app.services.versions import publish_agent
from console.core.errors import BadInput
from console.pages.configuration import steps
from console.pages.configuration.document import Place
from console.pages.configuration.forms import Entry
from console.pages.configuration.free import plain
from console.pages.configuration.plan_prompts import PromptPlan
from console.pages.configuration.plan_triggers import TriggerPlan
from console.pages.configuration.shape_agents import COST
from console.pages.configuration.steps import FieldChange, differences
from console.teams.models import Team
from prompts_app.text.refs import Ref, parse_ref

if TYPE_CHECKING:
    from console.pages.configuration.plan import Plan

_MICROS = 1_000_000
_GIVEN = (
    *("prompt_variables", "alias", "parameters", "opening_message", "suggested_questions", "knowledge"),
    *("input_schema", "output_schema"),
)
_WORDS = ("name", "description", "audience")
# What a grant says nothing by.
NOTHING: tuple[Any, ...] = ("", None, False, [], {})
# What services call a field, and what a file does.
_NAMES = {"prompt_slug": "prompt", "prompt_label": "prompt", "prompt_number": "prompt"}


class AgentPlan:
    """Adds the steps of agents to a plan: first its instructions, then the agent, then its triggers."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        rows = Agent.objects.filter(archived_at=None).select_related("team", "live", "draft")
        self.agents = {agent.slug: agent for agent in rows.prefetch_related("shared_with")}
        self.prompts, self.triggers = PromptPlan(plan), TriggerPlan(plan)

    def agent(self, entry: Entry) -> None:
        slug, row = entry["slug"], self.agents.get(entry["slug"])
        if row is not None and row.team.slug != entry["team"]:
            self.plan.problem(entry, "slug", f"The agent {slug!r} is of another team; choose another short name.")
            return
        definition = self._definition(entry, row)
        if definition is None:
            return
        of_team = f"{entry['team']}/"
        needs: frozenset[steps.Ref] = frozenset(
            {("tool", f"{entry['team']}/{grant['tool']}") for grant in definition.get("grants", [])}
            | ({("alias", definition["alias"])} if definition.get("alias") else set())
            | {("collection", f"{whose}{slug}") for slug in definition.get("knowledge", []) for whose in (of_team, "")}
        )
        if entry.has("instructions"):
            needs |= self.prompts.instructions(entry, definition["prompt_slug"], definition["prompt_label"])
        if row is None:
            self._create(entry, definition, needs)
        else:
            self._change(entry, row, definition, needs)
        self.triggers.triggers(entry)

    def _definition(self, entry: Entry, row: Agent | None) -> dict[str, Any] | None:
        """Return the fields of `Definition` the file gives, ready to be kept; None when one of them is wrong."""
        wanted = {name: plain(entry[name]) for name in _GIVEN if entry.has(name)}
        if wanted.get("opening_message", "") is None:
            wanted["opening_message"] = ""
        if entry.has("limits"):
            wanted["limits"] = limits_of(entry["limits"])
        if entry.has("grants"):
            wanted["grants"] = [grant_of(grant, row) for grant in entry["grants"] if grant.has("tool")]
        if entry.has("prompt") or entry.has("instructions"):
            ref = parse_ref(entry.get("prompt") or self._named(entry, row))
            if ref is None:
                return None  # the value's own form has said so
            wanted |= {"prompt_slug": ref.slug, "prompt_label": ref.label or "", "prompt_number": ref.number}
            if ref.number and entry.has("instructions"):
                self.plan.problem(
                    entry, "prompt", "A numbered version never changes; leave the number or the text out."
                )
                return None
        kept: dict[str, Any] = {}
        for name, value in wanted.items():
            try:
                kept |= checked({name: value})
            except BadInput as refusal:
                self.plan.problem_at(_find(entry, refusal.param or name), refusal.message)
        return kept if len(kept) == len(wanted) else None

    def _named(self, entry: Entry, row: Agent | None) -> str:
        """Return the prompt instructions are kept in when the file does not say: the agent's, or one of its name."""
        return (
            (row.live or row.draft).prompt_slug if row and (row.live or row.draft).prompt_slug else str(entry["slug"])
        )

    def _create(self, entry: Entry, definition: dict[str, Any], needs: frozenset[steps.Ref]) -> None:
        words = {name: entry[name] or "" for name in _WORDS if entry.has(name)}
        shared = [slug for slug in entry.get("shared_with", []) if self._is_team(entry, slug)]
        publishes = entry.get("publish", True)

        def make() -> None:
            agent = agent_services.create_agent(
                actor=self.plan.actor,
                team=self.plan.team(entry),
                slug=entry["slug"],
                shared_with=Team.objects.filter(slug__in=shared),
                **({"name": entry["slug"]} | words),
                **definition,
            )
            if publishes:
                self._publish(agent)

        said = words | ({"shared_with": shared} if shared else {}) | _as_in_file(definition) | {"publish": publishes}
        self.plan.create(entry, "agent", entry["slug"], said, make, needs, lambda param: _find(entry, param))

    def _change(self, entry: Entry, row: Agent, definition: dict[str, Any], needs: frozenset[steps.Ref]) -> None:
        words: dict[str, Any] = {name: entry[name] or "" for name in _WORDS if entry.has(name)}
        fields = differences({name: (getattr(row, name), value) for name, value in words.items()})
        had = sorted(team.slug for team in row.shared_with.all() if team.archived_at is None)
        shared: list[str] | None = None
        if entry.has("shared_with"):
            shared = sorted({slug for slug in entry["shared_with"] if self._is_team(entry, slug)})
            fields += differences({"shared_with": (had, shared)})
        publishes = entry.get("publish", True)
        basis = fields_of(row.live if row.live is not None and publishes else row.draft)
        wanted = basis | definition
        moved = differences(
            {name: (_comparable(basis, name), _comparable(wanted, name)) for name in _as_in_file(definition)}
        )
        if publishes and row.live is None:
            moved.append(FieldChange("published", "no", "yes"))
        if moved and publishes and row.live is not None and not self._may_replace(entry, row, wanted):
            return

        def change() -> None:
            if words or shared is not None:
                teams = None if shared is None else Team.objects.filter(slug__in=shared)
                agent_services.change_agent(actor=self.plan.actor, agent=row, shared_with=teams, **words)
            if moved:
                save_draft(actor=self.plan.actor, agent=row, seen_revision=row.draft.revision, **wanted)
                if publishes:
                    self._publish(row)

        locate = lambda param: _find(entry, param)  # noqa: E731
        self.plan.change(entry, "agent", row.slug, fields + moved, change, needs, locate)

    def _may_replace(self, entry: Entry, row: Agent, wanted: dict[str, Any]) -> bool:
        """Refuse to publish over what somebody is working on, unless it is what the file says."""
        draft = fields_of(row.draft)
        if row.live is None or draft in (fields_of(row.live), wanted):
            return True
        self.plan.problem(
            entry,
            "",
            f"{row.draft.changed_by_name} changed the draft of {row.slug} at {row.draft.changed_at:%Y-%m-%d %H:%M} UTC"
            " and did not publish it. Publish it or take it back first; the file does not overwrite it unseen.",
        )
        return False

    def _publish(self, agent: Agent) -> None:
        agent.refresh_from_db()
        agent.draft.refresh_from_db()
        message = f"Applied from {self.plan.source}"[:500]
        publish_agent(actor=self.plan.actor, agent=agent, message=message, seen_revision=agent.draft.revision)

    def _is_team(self, entry: Entry, slug: str) -> bool:
        return self.plan.is_there(entry, "shared_with", "team", slug)


def limits_of(entry: Entry) -> dict[str, int]:
    """Return limits as rows keep them: costs in micro-units."""
    return {COST.get(n, n): int(value * _MICROS) if n in COST else value for n, value in entry.values.items()}


def shown_limits(kept: dict[str, int]) -> dict[str, Any]:
    """Return limits as a file says them: costs in the installation's currency."""
    names = {theirs: mine for mine, theirs in COST.items()}
    return {names.get(name, name): _money(value) if name in names else value for name, value in kept.items()}


def _money(micros: int) -> int | float:
    value = Decimal(micros) / _MICROS
    return int(value) if value == int(value) else float(value)


def grant_of(entry: Entry, row: Agent | None) -> dict[str, Any]:
    """Return a grant as it is kept. Which description of a tool was meant stays, unless the file names another."""
    said = {name: plain(value) for name, value in entry.values.items() if name != "rules"}
    if entry.has("rules"):
        said["rules"] = [{name: plain(value) for name, value in rule.values.items()} for rule in entry["rules"]]
    if row is not None and not entry.has("digest"):
        kept: dict[str, Any] = next((g for g in (row.live or row.draft).grants if g["tool"] == entry["tool"]), {})
        said |= {"digest": kept["digest"]} if kept.get("digest") else {}
    return said


def _find(entry: Entry, param: str) -> Place:
    """Return where a field is that a service names its own way."""
    for mine, theirs in COST.items():
        param = param.replace(f"limits.{theirs}", f"limits.{mine}")
    name, _, rest = param.partition(".")
    number, _, inner = rest.partition(".")
    if name == "grants" and number.isdigit() and int(number) < len(entry.get("grants", [])):
        grant: Entry = entry["grants"][int(number)]
        return grant.find(inner) if inner else grant.place
    return entry.find(_NAMES.get(param, param))


def prompt_of(fields: dict[str, Any]) -> str:
    return str(Ref(fields["prompt_slug"], fields["prompt_number"], fields["prompt_label"] or None))


def _comparable(fields: dict[str, Any], name: str) -> Any:
    """Return a field as people compare it: the three of a prompt are one ref, a grant is what it says."""
    if name == "prompt":
        return prompt_of(fields)
    if name == "limits":
        return shown_limits(fields["limits"])
    if name == "grants":
        return [{key: value for key, value in grant.items() if value not in NOTHING} for grant in fields["grants"]]
    return fields[name]


def _as_in_file(definition: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a definition under the names a file has for them."""
    said = {name: _comparable(definition, name) for name in definition if name not in _NAMES}
    if "prompt_slug" in definition:
        said = {"prompt": _comparable(definition, "prompt")} | said
    return said
