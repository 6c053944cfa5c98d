"""The part of a plan about aliases and their pins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from console.catalog.models import Alias, ModelVersion, Pin
from console.catalog.services import aliases as services
from console.catalog.services import pins as pin_services
from console.pages.configuration.forms import Entry
from console.pages.configuration.plan_pins import AROUND, Around, around, models_in, wanted_of
from console.pages.configuration.steps import Step, differences
from console.teams.models import Environment

if TYPE_CHECKING:
    from console.pages.configuration.plan import Plan


class AliasPlan:
    """Adds the steps of aliases to a plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.rows = {alias.name: alias for alias in Alias.objects.prefetch_related(*AROUND, "teams").order_by("name")}

    def alias(self, entry: Entry) -> None:
        name = entry["name"]
        row = self.rows.get(name)
        pins = {pin.environment: pin for pin in row.pins.all()} if row else {}
        pairs: dict[str, tuple[Any, Any]] = {}
        for environment in Environment.values:
            if not entry.has(environment):
                continue
            if not self.plan.is_there(entry, environment, "model", entry[environment]):
                continue
            pin = pins.get(environment)
            pairs[environment] = (str(pin.model_version) if pin else None, entry[environment])
        surroundings = self._around(entry, pins)
        needs_two, needed_two = entry.get("two_people"), row is not None and row.needs_second_person
        if needed_two and needs_two is False:
            self.plan.problem(
                entry, "two_people", f"Two people decide on {name}; lifting that is proposed on its page."
            )
        said = entry.get("description")
        said_before = row.description if row else ""
        fields = differences(pairs | ({"description": (said_before, said)} if said is not None else {}))
        fields += differences({"two_people": (needed_two, True)} if needs_two else {})
        asks, asked = entry.get("needs_tests"), row is not None and row.needs_tests
        fields += differences({"needs_tests": (asked, asks)} if asks is not None else {})
        fields += [change for surrounding in surroundings for change in surrounding.fields]

        reason = f"Applied from {self.plan.source}"

        def run() -> None:
            alias = Alias.objects.filter(name=name).first() or services.create_alias(actor=self.plan.actor, name=name)
            if said is not None and said != said_before:
                services.change_alias(actor=self.plan.actor, alias=alias, description=said)
            for environment, (old, new) in pairs.items():
                if old != new:
                    provider, _, model = new.partition("/")
                    pin_services.move_pin(
                        actor=self.plan.actor,
                        alias=alias,
                        environment=environment,
                        to=ModelVersion.objects.get(provider__slug=provider, name=model),
                        reason=reason,
                        seen_revision=pins[environment].revision if environment in pins else 0,
                    )
            if needs_two:
                services.require_second_person(actor=self.plan.actor, alias=alias)
            if asks is not None:
                services.require_tests(actor=self.plan.actor, alias=alias, is_required=asks, reason=reason)
            for surrounding in surroundings:
                was, becomes = pairs.get(surrounding.environment, (None, None))
                known = pins[surrounding.environment].revision if surrounding.environment in pins else 0
                surrounding.run(actor=self.plan.actor, alias=alias, reason=reason, revision=known + (was != becomes))

        needs = frozenset({("model", new) for _, new in pairs.values()}).union(
            *(surrounding.needs for surrounding in surroundings)
        )
        if row is None:
            self.plan.steps.append(Step(entry.place, "alias", name, "+", fields, run, needs))
        else:
            self.plan.change(entry, "alias", name, fields, run, needs)

    def _around(self, entry: Entry, pins: dict[str, Pin]) -> list[Around]:
        """Return what has to change around the pins of an alias."""
        found = []
        for environment in Environment.values:
            name = f"{environment}_pin"
            if not entry.has(name):
                continue
            if environment not in pins and not entry.has(environment):
                self.plan.problem(entry, name, f"There is no pin in {environment} to say this of; add {environment}.")
                continue
            models = models_in(wanted_of(entry[name]))
            there = [model for model in models if self.plan.is_there(entry[name], "", "model", model)]
            if there == models:
                pin = pins.get(environment)
                moves = entry.has(environment) and (pin is None or str(pin.model_version) != entry[environment])
                found.append(around(entry[name], environment, pin, moves=moves))
        return found
