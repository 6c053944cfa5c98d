"""Compare a configuration file with the installation, and say what has to happen.

Reading only: what a step will do is in its `run`, which looks rows up again, since earlier steps may have made them.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from console.catalog.models import Alias, ModelVersion, Pin, Price, Provider
from console.catalog.names import checked_base_url
from console.catalog.queries import price_now
from console.catalog.services import aliases as alias_services
from console.catalog.services import pins as pin_services
from console.catalog.services import providers as provider_services
from console.catalog.services import versions as version_services
from console.core.clock import now
from console.core.errors import BadInput
from console.pages.configuration.document import Place, Problem
from console.pages.configuration.forms import Entry
from console.pages.configuration.plan_agents import AgentPlan
from console.pages.configuration.plan_pins import AROUND, Around, around, models_in, wanted_of
from console.pages.configuration.plan_secrets import read_secret, secret_change
from console.pages.configuration.plan_teams import TeamPlan
from console.pages.configuration.plan_tools import Offers, ToolPlan
from console.pages.configuration.plan_widgets import WidgetPlan
from console.pages.configuration.steps import FieldChange, Ref, Step, brief, differences, drop, shown
from console.teams.callers import Actor
from console.teams.models import Environment, Team

# What one price says, by name.
Amounts = dict[str, Decimal | None]
_AMOUNTS = ("input", "output", "cached_input", "reasoning")
_PROVIDER_NUMBERS = (
    "first_byte_seconds", "total_seconds", "max_concurrency", "requests_per_minute", "tokens_per_minute",
)  # fmt: skip
_MODEL_FIELDS = ("context_tokens", "max_output_tokens", "description", "shutdown_on")


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
    ) -> None:
        self.actor, self.source, self.folder, self.environ = actor, source, folder, environ
        self.steps: list[Step] = []
        self.problems: list[Problem] = []
        self.providers = {p.slug: p for p in Provider.objects.all()}
        self.versions = {str(v): v for v in ModelVersion.objects.select_related("provider").prefetch_related("prices")}
        self.aliases = {a.name: a for a in Alias.objects.prefetch_related(*AROUND, "teams").order_by("name")}
        self.teams = {t.slug: t for t in Team.objects.filter(archived_at=None)}
        self.will_be: set[Ref] = set()
        self._each(file, "providers", lambda e: ("provider", e["slug"]), self._provider)
        self._each(file, "models", lambda e: ("model", f"{e['provider']}/{e['name']}"), self._model)
        self._each(file, "aliases", lambda e: ("alias", e["name"]), self._alias)
        teams = TeamPlan(self, file.get("teams", []))
        self._each(file, "teams", lambda e: ("team", e["slug"]), teams.team)
        teams.finish()
        tools, agents, widgets = ToolPlan(self, offers), AgentPlan(self), WidgetPlan(self)
        for kind, noun, plan_one in (
            ("queues", "queue", tools.queue),
            ("brokers", "broker", tools.broker),
            ("tool_servers", "server", tools.server),
            ("tools", "tool", tools.tool),
        ):
            self._each(file, kind, partial(_of_team, noun, "slug"), self._in_a_team(plan_one))
        self._each(file, "agents", lambda e: ("agent", e["slug"]), self._in_a_team(agents.agent))
        self._each(file, "widgets", partial(_of_team, "widget", "name"), self._in_a_team(widgets.widget))

    def _in_a_team(self, plan_one: Callable[[Entry], None]) -> Callable[[Entry], None]:
        """Plan what belongs to a team there is, or will be."""

        def plan(entry: Entry) -> None:
            if not entry.has("team"):
                return
            if self.exists("team", entry["team"]):
                plan_one(entry)
                return
            self.problem(entry, "team", f"There is no team {entry['team']!r}, here or in this file; add it to teams.")

        return plan

    def team(self, entry: Entry) -> Team:
        """Return the team a thing belongs to, once the steps before have run."""
        return Team.objects.get(slug=entry["team"], archived_at=None)

    def _each(self, file: Entry, kind: str, ref: Callable[[Entry], Ref], plan_one: Callable[[Entry], None]) -> None:
        entries = [entry for entry in file.get(kind, []) if isinstance(entry, Entry)]
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
        """Say whether something is there, or will be when this file's earlier steps have run."""
        known: dict[str, Mapping[str, Any]] = {
            "provider": self.providers,
            "model": self.versions,
            "alias": self.aliases,
            "team": self.teams,
        }
        return name in known[noun] or (noun, name) in self.will_be

    def secret(self, entry: Entry, field: str = "secret") -> str | None:
        """Return the secret to store, None when the file says nothing of it (or what it says cannot be read)."""
        text, problem = read_secret(entry, field, folder=self.folder, environ=self.environ)
        if problem is not None:
            self.problems.append(problem)
        return text

    def _provider(self, entry: Entry) -> None:
        slug = entry["slug"]
        secret = self.secret(entry)
        try:
            address = checked_base_url(entry.get("base_url", "")) if entry.has("base_url") else ""
        except BadInput as refusal:
            self.problem(entry, "base_url", refusal.message)
            return
        row = self.providers.get(slug)
        numbers = {name: entry[name] for name in _PROVIDER_NUMBERS if entry.has(name)}
        if row is None:
            fields = [FieldChange(n, "none", shown(v)) for n, v in (("kind", entry.get("kind")), ("base_url", address))]
            if secret:
                fields.append(FieldChange("secret", "none", "set"))
            fields += [FieldChange(name, "none", shown(value)) for name, value in numbers.items()]
            make = partial(
                provider_services.create_provider,
                actor=self.actor,
                slug=slug,
                name=slug,
                kind=entry.get("kind", ""),
                base_url=address,
                secret=secret or "",
                **numbers,
            )
            self.steps.append(Step(entry.place, "provider", slug, "+", fields, lambda: drop(make())))
            return
        pairs: dict[str, tuple[Any, Any]] = {
            "kind": (row.kind, entry.get("kind", row.kind)),
            "base_url": (row.base_url, address or row.base_url),
        } | {name: (getattr(row, name), value) for name, value in numbers.items()}
        fields = differences(pairs)
        fields += secret_change("secret", row.secret, secret)
        change = partial(
            provider_services.change_provider,
            actor=self.actor,
            provider=row,
            secret=secret,
            **{name: new for name, (old, new) in pairs.items() if old != new},
        )
        self.change(entry, "provider", slug, fields, lambda: drop(change()))

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

    def _model(self, entry: Entry) -> None:
        slug, name = entry["provider"], entry["name"]
        if not self.exists("provider", slug):
            self.problem(
                entry, "provider", f"There is no provider {slug!r}, here or in this file; add it to providers."
            )
            return
        label = f"{slug}/{name}"
        new_price, later = _prices_of(entry)
        wanted = {n: entry[n] for n in _MODEL_FIELDS if entry.has(n)}
        if entry.has("capabilities"):
            wanted["capabilities"] = version_services.in_order(entry["capabilities"])
        row = self.versions.get(label)
        if row is None:
            self._create_model(entry, label, wanted, new_price, later)
            return
        pairs = {n: (getattr(row, n), value) for n, value in wanted.items()}
        fields = differences(pairs)
        current = price_now(row)
        old_price = _amounts(current) if current else None
        prices = new_price is not None and new_price != old_price
        if new_price is not None and prices:
            fields.append(FieldChange("price", _price_text(old_price), _price_text(new_price)))
        version = row
        known = {price.effective_from: _amounts(price) for price in row.prices.all()}
        for moment in [moment for moment in later if moment in known]:
            if later.pop(moment) != known[moment]:
                self.problem(
                    entry,
                    "later_prices",
                    f"{label} has another price from {moment.isoformat()} on already, and prices never change; "
                    "choose another moment.",
                )
        fields += [_later_change(moment, price) for moment, price in later.items()]

        def run() -> None:
            changed = {n: value for n, (old, value) in pairs.items() if old != value}
            if changed:
                version_services.change_version(actor=self.actor, version=version, **changed)
            if new_price is not None and prices:
                self._set_price(version, new_price)
            for moment, price in later.items():
                self._set_price(version, price, moment)

        self.change(entry, "model", label, fields, run, frozenset({("provider", slug)}))

    def _create_model(
        self, entry: Entry, label: str, wanted: dict[str, Any], price: Amounts | None, later: dict[dt.datetime, Amounts]
    ) -> None:
        fields = [FieldChange(n, "none", shown(v)) for n, v in wanted.items()]
        if price:
            fields.append(FieldChange("price", "none", _price_text(price)))
        fields += [_later_change(moment, amounts) for moment, amounts in later.items()]

        def run() -> None:
            provider = Provider.objects.get(slug=entry["provider"])
            version = version_services.create_version(actor=self.actor, provider=provider, name=entry["name"], **wanted)
            if price:
                self._set_price(version, price)
            for moment, amounts in later.items():
                self._set_price(version, amounts, moment)

        needs = frozenset({("provider", str(entry["provider"]))})
        self.steps.append(Step(entry.place, "model", label, "+", fields, run, needs))

    def _set_price(self, version: ModelVersion, price: Amounts, effective_from: dt.datetime | None = None) -> None:
        # `effective_from` was still to come when the plan was made.
        begins = effective_from if effective_from and effective_from > now() else None
        version_services.set_price(actor=self.actor, version=version, effective_from=begins, **price)  # type: ignore[arg-type]

    def _alias(self, entry: Entry) -> None:
        name = entry["name"]
        row = self.aliases.get(name)
        pins = {pin.environment: pin for pin in row.pins.all()} if row else {}
        pairs: dict[str, tuple[Any, Any]] = {}
        for environment in Environment.values:
            if not entry.has(environment):
                continue
            if not self.exists("model", entry[environment]):
                self.problem(
                    entry,
                    environment,
                    f"There is no model {entry[environment]!r}, here or in this file; add it to models.",
                )
                continue
            pin = pins.get(environment)
            pairs[environment] = (str(pin.model_version) if pin else None, entry[environment])
        surroundings = self._around(entry, pins)
        needs_two, needed_two = entry.get("two_people"), row is not None and row.needs_second_person
        if needed_two and needs_two is False:
            self.problem(entry, "two_people", f"Two people decide on {name}; lifting that is proposed on its page.")
        said = entry.get("description")
        said_before = row.description if row else ""
        fields = differences(pairs | ({"description": (said_before, said)} if said is not None else {}))
        fields += differences({"two_people": (needed_two, True)} if needs_two else {})
        fields += [change for one in surroundings for change in one.fields]

        reason = f"Applied from {self.source}"

        def run() -> None:
            alias = Alias.objects.filter(name=name).first() or alias_services.create_alias(actor=self.actor, name=name)
            if said is not None and said != said_before:
                alias_services.change_alias(actor=self.actor, alias=alias, description=said)
            for environment, (old, new) in pairs.items():
                if old != new:
                    provider, _, model = new.partition("/")
                    pin_services.move_pin(
                        actor=self.actor,
                        alias=alias,
                        environment=environment,
                        to=ModelVersion.objects.get(provider__slug=provider, name=model),
                        reason=reason,
                        seen_revision=pins[environment].revision if environment in pins else 0,
                    )
            if needs_two:
                alias_services.require_second_person(actor=self.actor, alias=alias)
            for one in surroundings:
                was, becomes = pairs.get(one.environment, (None, None))
                known = pins[one.environment].revision if one.environment in pins else 0
                one.run(actor=self.actor, alias=alias, reason=reason, revision=known + (was != becomes))

        needs = frozenset({("model", new) for _, new in pairs.values()}).union(*(one.needs for one in surroundings))
        if row is None:
            self.steps.append(Step(entry.place, "alias", name, "+", fields, run, needs))
        else:
            self.change(entry, "alias", name, fields, run, needs)

    def _around(self, entry: Entry, pins: dict[str, Pin]) -> list[Around]:
        """Return what has to change around the pins of an alias."""
        found = []
        for environment in Environment.values:
            name = f"{environment}_pin"
            if not entry.has(name):
                continue
            if environment not in pins and not entry.has(environment):
                self.problem(entry, name, f"There is no pin in {environment} to say this of; add {environment}.")
                continue
            missing = [model for model in models_in(wanted_of(entry[name])) if not self.exists("model", model)]
            for model in missing:
                self.problem(entry[name], "", f"There is no model {model!r}, here or in this file; add it to models.")
            if not missing:
                pin = pins.get(environment)
                moves = entry.has(environment) and (pin is None or str(pin.model_version) != entry[environment])
                found.append(around(entry[name], environment, pin, moves=moves))
        return found


def _of_team(noun: str, field: str, entry: Entry) -> Ref:
    return (noun, f"{entry['team']}/{entry[field]}")


def _amounts(price: Entry | Price) -> Amounts:
    return {name: price.get(name) if isinstance(price, Entry) else getattr(price, name) for name in _AMOUNTS}


def _prices_of(entry: Entry) -> tuple[Amounts | None, dict[dt.datetime, Amounts]]:
    """Return the price from now on and those that begin later. One that lacks a half is a problem already."""
    price: Entry | None = entry.get("price")
    whole = [one for one in entry.get("later_prices", []) if isinstance(one, Entry) and one.has("from")]
    later = {one["from"]: _amounts(one) for one in whole if one.has("input") and one.has("output")}
    begun = [moment for moment in sorted(later) if moment <= now()]
    present = _amounts(price) if price is not None and price.has("input") and price.has("output") else None
    for moment in begun:
        present = later.pop(moment)
    return present, later


def _later_change(moment: dt.datetime, price: Amounts) -> FieldChange:
    return FieldChange(f"price from {moment.isoformat()}", "none", _price_text(price))


def _price_text(price: Amounts | None) -> str:
    if price is None:
        return "none"
    words = {"input": "in", "output": "out", "cached_input": "cached", "reasoning": "reasoning"}
    return ", ".join(f"{shown(value)} {words[name]}" for name, value in price.items() if value is not None)
