"""The part of a plan about required partials and waivers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from console.core.errors import BadInput
from console.pages.configuration.forms import Entry
from console.pages.configuration.steps import Ref, Sign, Step, differences
from console.teams.models import Team
from prompts_app.models import Prompt, Waiver
from prompts_app.services.prompts import change_prompt
from prompts_app.services.waivers import end_waiver, give_waiver

if TYPE_CHECKING:
    from console.pages.configuration.plan import Plan


class PartialPlan:
    """Keeps the steps of required partials and waivers, which come when all prompts of the file are there."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.later: list[Step] = []

    def finish(self) -> None:
        self.plan.steps += self.later

    def required(self, entry: Entry, row: Prompt | None) -> None:
        if not (entry.has("is_required") or entry.has("covers")):
            return
        covered = [slug for slug in entry.get("covers", []) if self.plan.is_there(entry, "covers", "team", slug)]
        covers = row.covers.all() if row is not None else ()
        had = sorted(team.slug for team in covers if team.archived_at is None)
        was, wanted = row is not None and row.is_required, entry.get("is_required")
        fields = differences({"is_required": (was, wanted)} if wanted is not None else {})
        fields += differences({"covers": (had, sorted(set(covered)))} if entry.has("covers") else {})

        def change() -> None:
            teams = list(Team.objects.filter(slug__in=covered)) if entry.has("covers") else None
            prompt = Prompt.objects.get(slug=entry["slug"], deleted_at=None)
            change_prompt(actor=self.plan.actor, prompt=prompt, is_required=wanted, covers=teams)

        if fields:
            needs: frozenset[Ref] = frozenset({("prompt", entry["slug"]), *(("team", slug) for slug in covered)})
            self.later.append(Step(entry.place, "partial", entry["slug"], "~", fields, change, needs, entry.find))

    def waivers(self, entry: Entry, row: Prompt | None) -> None:
        have = {waiver.partial.slug: waiver for waiver in row.waivers.all()} if row is not None else {}
        for waiver in entry.get("waivers", []):
            if not (waiver.has("partial") and waiver.has("reason")):
                continue
            partial, reason = waiver["partial"], waiver["reason"].strip()
            known = have.get(partial)
            fields = differences({"reason": (known.reason if known else None, reason)})
            if fields:
                sign: Sign = "~" if known else "+"
                run = self._waiver_of(entry["slug"], partial, reason, known)
                needs: frozenset[Ref] = frozenset(
                    {("prompt", entry["slug"]), ("prompt", partial), ("partial", partial)}
                )
                name = f"{entry['slug']} without {partial}"
                self.later.append(Step(waiver.place, "waiver", name, sign, fields, run, needs, waiver.find))

    def _waiver_of(self, slug: str, partial: str, reason: str, known: Waiver | None) -> Any:
        def run() -> None:
            found = {one.slug: one for one in Prompt.objects.filter(slug__in=[slug, partial], deleted_at=None)}
            if partial not in found:
                raise BadInput(f"There is no prompt {partial!r}, here or in this file.", param="partial")
            if known is not None:
                end_waiver(actor=self.plan.actor, waiver=known)
            give_waiver(actor=self.plan.actor, prompt=found[slug], partial=found[partial], reason=reason)

        return run
