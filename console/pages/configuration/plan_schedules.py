"""The part of a plan about schedules of tests, identified by prompt, label and model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from console.core.errors import BadInput
from console.evals.models import Schedule
from console.evals.services import schedules as services
from console.evals.services.runs import environment_of
from console.pages.configuration.forms import Entry
from console.pages.configuration.steps import Ref, differences
from console.teams.actors import Actor
from console.teams.models import User
from prompts_app.models import Prompt

if TYPE_CHECKING:
    from console.pages.configuration.plan import Plan

_GIVEN = ("cron", "time_zone", "tolerance")


def ref_of(entry: Entry) -> Ref:
    return ("schedule", f"{entry['prompt']}:{entry['label']} on {target_of(entry)}")


def target_of(entry: Entry) -> str:
    return "@".join(environment_of(entry["model"].strip()))


class SchedulePlan:
    """Adds the steps of schedules to a plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        rows = Schedule.objects.filter(prompt__deleted_at=None).select_related("prompt")
        self.rows = {f"{row.prompt.slug}:{row.label} on {row.target}": row for row in rows}

    def schedule(self, entry: Entry) -> None:
        made = ref_of(entry)
        row = self.rows.get(made[1])
        if row is not None:
            self._change(entry, row, made[1])
            return
        is_there = Prompt.objects.filter(slug=entry["prompt"], deleted_at=None).exists()
        if not is_there and ("prompt", entry["prompt"]) not in self.plan.will_be:
            self.plan.problem(entry, "prompt", f"There is no prompt {entry['prompt']!r}; import or write it first.")
        elif not entry.has("owner"):
            message = "A new schedule needs owner: the address of the person its runs act for."
            self.plan.problem(entry, "", message)
        elif entry.has("cron"):
            self._create(entry, made[1])

    def _create(self, entry: Entry, name: str) -> None:
        is_paused, given = entry.get("is_paused", False), _fields(entry)

        def make() -> None:
            schedule = services.create_schedule(
                actor=self.plan.actor,
                prompt=Prompt.objects.select_related("team").get(slug=entry["prompt"], deleted_at=None),
                label=entry["label"],
                model=target_of(entry),
                starts_now=not is_paused,
                acts_as=_person(entry["owner"]),
                **given,
            )
            if is_paused:
                services.pause_schedule(actor=self.plan.actor, schedule=schedule)

        said = given | {"owner": entry["owner"]} | ({"is_paused": True} if is_paused else {})
        model = environment_of(entry["model"].strip())[0]
        needs: frozenset[Ref] = frozenset({("prompt", entry["prompt"]), ("alias", model), ("model", model)})
        self.plan.create(entry, "schedule", name, said, make, needs)

    def _change(self, entry: Entry, row: Schedule, name: str) -> None:
        given, was = _fields(entry), _owner(row)
        fields = differences({field: (getattr(row, field), value) for field, value in given.items()})
        is_other = entry.has("owner") and entry["owner"].lower() != (was or "").lower()
        fields += differences({"owner": (was or row.acts_as_name, entry["owner"])}) if is_other else []
        is_paused = entry.get("is_paused", row.is_paused)
        fields += differences({"is_paused": (row.is_paused, is_paused)})

        def change() -> None:
            who = Actor(row.acts_as_kind, row.acts_as_id, row.acts_as_name, client_address=row.client_address)
            if is_other:
                who = _person(entry["owner"])
            services.change_schedule(actor=self.plan.actor, schedule=row, acts_as=who, **given)
            if is_paused and not row.is_paused:
                services.pause_schedule(actor=self.plan.actor, schedule=row)
            elif row.is_paused and not is_paused:
                services.resume_schedule(actor=self.plan.actor, schedule=row, acts_as=who)

        self.plan.change(entry, "schedule", name, fields, change)


def _fields(entry: Entry) -> dict[str, Any]:
    given = {field: entry[field] for field in _GIVEN if entry.has(field)}
    return {field: " ".join(value.split()) if isinstance(value, str) else value for field, value in given.items()}


def _owner(row: Schedule) -> str | None:
    if row.acts_as_kind != "user":
        return None
    return User.objects.filter(pk=row.acts_as_id).values_list("email", flat=True).first()


def _person(email: str) -> Actor:
    user = User.objects.filter(email__iexact=email).first()
    if user is None:
        raise BadInput(f"Nobody has the address {email!r}; add them to a team's members.", param="owner")
    return Actor(kind="user", id=user.pk, name=user.name)
