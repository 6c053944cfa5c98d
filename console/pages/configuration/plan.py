"""Compare a configuration file with the installation, and say what has to happen.

Reading only: what a step will do is in its `run`, which looks rows up again, since earlier steps may have made them.
"""

from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

from console.pages.configuration.document import Place, Problem
from console.pages.configuration.document_files import Texts
from console.pages.configuration.forms import Entry
from console.pages.configuration.plan_agents import AgentPlan
from console.pages.configuration.plan_alert_rules import AlertRulePlan
from console.pages.configuration.plan_alert_rules import ref_of as rule_of
from console.pages.configuration.plan_aliases import AliasPlan
from console.pages.configuration.plan_channels import ChannelPlan, channel_of
from console.pages.configuration.plan_knowledge import KnowledgePlan
from console.pages.configuration.plan_knowledge import ref_of as collection_of
from console.pages.configuration.plan_legacy import LegacyPlan
from console.pages.configuration.plan_legacy import ref_of as place_of
from console.pages.configuration.plan_library import LibraryPlan
from console.pages.configuration.plan_models import ModelPlan
from console.pages.configuration.plan_providers import ProviderPlan
from console.pages.configuration.plan_schedules import SchedulePlan
from console.pages.configuration.plan_schedules import ref_of as schedule_of
from console.pages.configuration.plan_secrets import read_secret
from console.pages.configuration.plan_teams import TeamPlan
from console.pages.configuration.plan_tools import Offers, ToolPlan
from console.pages.configuration.plan_widgets import WidgetPlan
from console.pages.configuration.steps import FieldChange, Ref, Step, brief
from console.teams.callers import Actor
from console.teams.models import Team

PlanOne = Callable[[Entry], None]


class Plan:
    """The steps of one file, in the order they run, and everything that is wrong with it."""

    def __init__(
        self,
        file: Entry,
        *,
        actor: Actor,
        source: str,
        folder: Path,
        environ: Mapping[str, str],
        offers: Offers,
        texts: Texts,
    ) -> None:
        self.actor, self.source, self.folder, self.environ = actor, source, folder, environ
        self.steps: list[Step] = []
        self.problems: list[Problem] = []
        self.will_be: set[Ref] = set()
        providers, models, aliases = ProviderPlan(self), ModelPlan(self), AliasPlan(self)
        self.teams = {team.slug: team for team in Team.objects.filter(archived_at=None)}
        self.aliases = aliases.rows
        self.known: dict[str, Mapping[str, Any]] = {
            "provider": providers.rows,
            "model": models.rows,
            "alias": aliases.rows,
            "team": self.teams,
        }
        self._each(file, "providers", lambda e: ("provider", e["slug"]), lambda: providers.provider)
        self._each(file, "models", lambda e: ("model", f"{e['provider']}/{e['name']}"), lambda: models.model)
        models.finish()
        self._each(file, "aliases", lambda e: ("alias", e["name"]), lambda: aliases.alias)
        teams = TeamPlan(self, file.get("teams", []))
        self._each(file, "teams", lambda e: ("team", e["slug"]), lambda: teams.team)
        teams.finish()
        self._each(file, "channels", channel_of, lambda: ChannelPlan(self).channel)
        self._each(file, "alert_rules", rule_of, lambda: AlertRulePlan(self).rule)
        self._each(file, "collections", collection_of, lambda: KnowledgePlan(self, texts).collection)
        library = LibraryPlan(self, file.get("prompts", []))
        self._each(file, "prompts", lambda e: ("prompt", e["slug"]), lambda: self._in_a_team(library.prompt))
        library.finish()
        tools = cache(lambda: ToolPlan(self, offers))
        for kind, noun, planner in (
            ("queues", "queue", lambda: self._in_a_team(tools().queue)),
            ("brokers", "broker", lambda: self._in_a_team(tools().broker)),
            ("tool_servers", "server", lambda: self._in_a_team(tools().server)),
            ("tools", "tool", lambda: self._in_a_team(tools().tool)),
        ):
            self._each(file, kind, partial(_of_team, noun, "slug"), planner)
        self._each(file, "agents", lambda e: ("agent", e["slug"]), lambda: self._in_a_team(AgentPlan(self).agent))
        widget_of = partial(_of_team, "widget", "name")
        self._each(file, "widgets", widget_of, lambda: self._in_a_team(WidgetPlan(self).widget))
        teams.quota_plan.finish()
        teams.rules()
        self._each(file, "test_schedules", schedule_of, lambda: SchedulePlan(self).schedule)
        self._each(file, "legacy_touchpoints", place_of, lambda: self._in_a_team(LegacyPlan(self).place))
        providers.finish()

    @property
    def reason(self) -> str:
        """Why labels move and versions come, as the log says it."""
        return f"Applied from {self.source}"[:200]

    def _in_a_team(self, plan_one: PlanOne) -> PlanOne:
        """Plan what belongs to a team there is, or will be."""

        def plan(entry: Entry) -> None:
            if not entry.has("team"):
                return
            if self.is_there(entry, "team", "team", entry["team"]):
                plan_one(entry)

        return plan

    def team(self, entry: Entry) -> Team:
        """Return the team a thing belongs to, once the steps before have run."""
        return Team.objects.get(slug=entry["team"], archived_at=None)

    def _each(self, file: Entry, kind: str, ref: Callable[[Entry], Ref], planner: Callable[[], PlanOne]) -> None:
        """Plan the entries of a kind. What they are compared with is read only if the file has any."""
        entries = [entry for entry in file.get(kind, []) if isinstance(entry, Entry)]
        if not entries:
            return
        plan_one = planner()
        for entry in entries:
            try:
                made = ref(entry)
            except KeyError:
                continue  # a required name is missing or wrong, which is a problem already
            if made in self.will_be:
                self.problem(entry, "", f"{made[0]} {made[1]} is in this file twice.")
                continue
            self.will_be.add(made)
            plan_one(entry)

    def problem(self, entry: Entry, name: str, sentence: str) -> None:
        self.problem_at(entry.at(name) if name else entry.place, sentence)

    def problem_at(self, place: Place, sentence: str) -> None:
        self.problems.append(Problem(place, sentence))

    def exists(self, noun: str, name: str) -> bool:
        """Return whether something is there, or will be when this file's earlier steps have run."""
        return name in self.known[noun] or (noun, name) in self.will_be

    def is_there(self, entry: Entry, field: str, noun: str, name: str) -> bool:
        """Return whether what a field names exists; put down what to do when it does not."""
        if self.exists(noun, name):
            return True
        many = "aliases" if noun == "alias" else f"{noun}s"
        self.problem(entry, field, f"There is no {noun} {name!r}, here or in this file; add it to {many}.")
        return False

    def secret(self, entry: Entry, field: str = "secret") -> str | None:
        """Return the secret to store, None when the file says nothing of it (or what it says cannot be read)."""
        text, problem = read_secret(entry, field, folder=self.folder, environ=self.environ)
        if problem is not None:
            self.problems.append(problem)
        return text

    def change(
        self,
        entry: Entry,
        noun: str,
        name: str,
        fields: list[FieldChange],
        run: Callable[[], None],
        needs: frozenset[Ref] = frozenset(),
        locate: Callable[[str], Place] | None = None,
    ) -> Step:
        """Add the step that changes a thing, or leaves it when no field differs."""
        step = Step(entry.place, noun, name, "~", fields, run, needs, locate or entry.find)
        if not fields:
            step = Step(entry.place, noun, name, "=")
        self.steps.append(step)
        return step

    def create(
        self,
        entry: Entry,
        noun: str,
        name: str,
        wanted: Mapping[str, Any],
        run: Callable[[], None],
        needs: frozenset[Ref] = frozenset(),
        locate: Callable[[str], Place] | None = None,
    ) -> Step:
        """Add the step that makes a thing."""
        fields = [FieldChange(field, "none", brief(value)) for field, value in wanted.items()]
        step = Step(entry.place, noun, name, "+", fields, run, needs, locate or entry.find)
        self.steps.append(step)
        return step


def _of_team(noun: str, field: str, entry: Entry) -> Ref:
    return (noun, f"{entry['team']}/{entry[field]}")
