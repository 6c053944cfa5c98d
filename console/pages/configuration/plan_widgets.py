"""The part of a plan about widgets, identified by team and name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agents_app.models import Agent
from console.chat.models import Widget
from console.chat.queries.widgets import snippet_of
from console.chat.services import widgets as services
from console.chat.widget_fields import FIELDS, checked
from console.core.errors import BadInput
from console.pages.configuration.document import Place
from console.pages.configuration.forms import Entry
from console.pages.configuration.plan_agents import limits_of, shown_limits
from console.pages.configuration.plan_secrets import secret_change
from console.pages.configuration.shape_agents import COST
from console.pages.configuration.steps import Ref, Step, differences

if TYPE_CHECKING:
    from console.pages.configuration.plan import Plan

_SECRET = "identity_secret"  # noqa: S105  the name of a field


class WidgetPlan:
    """Adds the steps of widgets to a plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.rows: dict[tuple[str, str], list[Widget]] = {}
        for row in Widget.objects.filter(deleted_at=None).select_related("team", "agent"):
            self.rows.setdefault((row.team.slug, row.name), []).append(row)
        self.agents = set(Agent.objects.filter(archived_at=None).values_list("slug", flat=True))

    def widget(self, entry: Entry) -> None:
        if not entry.has("agent"):
            return
        if entry["agent"] not in self.agents and ("agent", entry["agent"]) not in self.plan.will_be:
            self.plan.problem(entry, "agent", f"There is no agent {entry['agent']!r}, here or in this file.")
            return
        wanted = self._fields(entry)
        if wanted is None:
            return
        found = self.rows.get((entry["team"], entry["name"]), [])
        if len(found) > 1:
            self.plan.problem(entry, "name", f"{len(found)} widgets of {entry['team']} have this name; rename them.")
        elif found:
            self._change(entry, found[0], wanted)
        else:
            self._create(entry, wanted)

    def _fields(self, entry: Entry) -> dict[str, Any] | None:
        wanted = {n: entry[n] for n in FIELDS if entry.has(n)}
        wanted |= {n: "" for n in ("title", "greeting") if n in wanted and wanted[n] is None}
        if "limits" in wanted:
            wanted["limits"] = limits_of(entry["limits"])
        try:
            return checked(wanted)
        except BadInput as refusal:
            self.plan.problem_at(_find(entry, refusal.param or ""), refusal.message)
            return None

    def _create(self, entry: Entry, wanted: dict[str, Any]) -> None:
        secret, name = self.plan.secret(entry, _SECRET), f"{entry['team']}/{entry['name']}"

        def make() -> None:
            # Visitors cannot have to be vouched for before there is a secret to do it with.
            first = {n: value for n, value in wanted.items() if n != "needs_identity"}
            made = services.create_widget(
                actor=self.plan.actor, team=self.plan.team(entry), agent=self._agent(entry), **first
            )
            if secret:
                services.make_identity_secret(actor=self.plan.actor, widget=made, secret=secret)
            if wanted.get("needs_identity"):
                services.change_widget(actor=self.plan.actor, widget=made, needs_identity=True)
            if entry.get("is_enabled") is False:
                services.enable_widget(actor=self.plan.actor, widget=made, is_enabled=False)
            step.reveals.append(f"Line for the site of {name}: {snippet_of(made)}")

        said = {"agent": entry["agent"]} | _as_in_file(wanted) | ({_SECRET: "set"} if secret else {})
        said.pop("name", None)
        step: Step = self.plan.create(entry, "widget", name, said, make, _needs(entry), lambda p: _find(entry, p))

    def _change(self, entry: Entry, row: Widget, wanted: dict[str, Any]) -> None:
        secret = self.plan.secret(entry, _SECRET)
        had = _as_in_file({name: getattr(row, name) for name in wanted})
        fields = differences({name: (had[name], value) for name, value in _as_in_file(wanted).items()})
        fields += differences({"agent": (row.agent.slug, entry["agent"])})
        enabled = entry.get("is_enabled", row.is_enabled)
        fields += differences({"is_enabled": (row.is_enabled, enabled)})
        change_of_secret = secret_change(_SECRET, row.identity_secret, secret)

        def change() -> None:
            if change_of_secret:
                services.make_identity_secret(actor=self.plan.actor, widget=row, secret=secret)
            services.change_widget(actor=self.plan.actor, widget=row, agent=self._agent(entry), **wanted)
            services.enable_widget(actor=self.plan.actor, widget=row, is_enabled=enabled)

        self.plan.change(
            entry,
            "widget",
            f"{entry['team']}/{entry['name']}",
            fields + change_of_secret,
            change,
            _needs(entry),
            lambda param: _find(entry, param),
        )

    def _agent(self, entry: Entry) -> Agent:
        return Agent.objects.select_related("team").get(slug=entry["agent"], archived_at=None)


def _as_in_file(fields: dict[str, Any]) -> dict[str, Any]:
    """Return fields as a file says them."""
    return fields | ({"limits": shown_limits(fields["limits"])} if "limits" in fields else {})


def _needs(entry: Entry) -> frozenset[Ref]:
    return frozenset({("agent", entry["agent"])})


def _find(entry: Entry, param: str) -> Place:
    for mine, theirs in COST.items():
        param = param.replace(f"limits.{theirs}", f"limits.{mine}")
    return entry.find(param) if param else entry.place
