"""The part of a plan that speaks of API keys: what they may do, never their texts.

One is known by its team, its name and its environment: the quick start gives both environments' keys one name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from console.core.clock import now
from console.core.errors import BadInput
from console.pages.configuration.forms import Entry
from console.pages.configuration.keys import Ended, Named
from console.pages.configuration.steps import FieldChange, Ref, Step, brief, differences
from console.teams.models import ApiKey, Team, User
from console.teams.services import keys as services
from console.teams.services.key_limits import check_limits

if TYPE_CHECKING:
    from console.pages.configuration.plan import Plan

FIELDS = ("scopes", "aliases", "networks", "max_lane", "unknown_fields", "expires_at")


class KeyPlan:
    """Adds the steps of a team's keys to a plan."""

    def __init__(self, plan: Plan, named: Named, over: Ended) -> None:
        self.plan, self.named, self.over = plan, named, over
        self.made: dict[tuple[str, str], list[Ref]] = {}  # keys that are to be made, by team and name
        self.ended: set[tuple[str, str]] = set()  # those that would be over

    def keys(self, team: Entry) -> None:
        for entry in team.get("keys", []):
            if not (entry.has("name") and entry.has("environment")):
                continue
            entry.values["name"] = entry["name"].strip()
            name = f"{team['slug']}/{entry['name']} in {entry['environment']}"
            if ("key", name) in self.plan.will_be:
                self.plan.problem(entry, "name", f"The key {name} is in this file twice.")
                continue
            self.plan.will_be.add(("key", name))
            try:
                if entry.has("networks"):
                    entry.values["networks"] = check_limits((), entry["networks"], None)
            except BadInput as refusal:
                self.plan.problem(entry, "networks", refusal.message)
                continue
            same = self.named.get((team["slug"], entry["name"]), [])
            found = [key for key in same if key.environment == entry["environment"]]
            if len(found) > 1:
                message = f"{len(found)} keys of {entry['environment']} have this name in {team['slug']}; rename them."
                self.plan.problem(entry, "name", message)
            elif found:
                self._change(entry, name, found[0])
            elif why := self._why_over(entry, self.over.get((team["slug"], entry["name"], entry["environment"]))):
                self.ended.add((team["slug"], entry["name"]))
                self.plan.steps.append(Step(entry.place, "key", name, "=", note=why))
            else:
                self._create(entry, name, team["slug"])
                self.made.setdefault((team["slug"], entry["name"]), []).append(("key", name))

    def _why_over(self, entry: Entry, last: ApiKey | None) -> str:
        """Return why a key that is not there is not made; empty where it is to be.

        Who revokes a key wants an end to it. Files are applied by machines, over and over: a new key would undo that,
        and its text would stand in their logs. A later end of one that expired is asked for by who wrote it.
        """
        if last is not None and last.revoked_at is not None:
            return f"revoked on {last.revoked_at:%Y-%m-%d}, so it is not made again"
        if entry.has("expires_at"):
            return "it has ended" if entry["expires_at"] <= now() else ""
        return f"ended on {last.expires_at:%Y-%m-%d}, so it is not made again" if last is not None else ""

    def _create(self, entry: Entry, name: str, slug: str) -> None:
        given = {field: entry[field] for field in FIELDS if entry.has(field)}

        def make() -> None:
            _, text = services.create_key(
                actor=self.plan.actor,
                team=Team.objects.get(slug=slug),
                name=entry["name"],
                environment=entry["environment"],
                owner=_owner(entry),
                **given,
            )
            step.reveals.append(f"API key {name}, shown this once: {text}")

        said = {"environment": entry["environment"]} | given
        said |= {"owner": entry["owner"]} if entry.has("owner") else {}
        needs = frozenset({("team", slug)} | _aliases(entry) | _member(entry, slug))
        fields = [FieldChange(field, "none", brief(value)) for field, value in said.items()]
        step = Step(entry.place, "key", name, "+", fields, make, needs, entry.find)
        self.plan.steps.append(step)

    def _change(self, entry: Entry, name: str, key: ApiKey) -> None:
        kept: dict[str, Any] = {field: getattr(key, field) for field in FIELDS}
        given = {field: entry[field] for field in FIELDS if entry.has(field)}
        fields = differences({field: (kept[field], value) for field, value in given.items()})
        was = key.owner.email if key.owner is not None else None
        owner = entry["owner"] if entry.has("owner") and entry["owner"].lower() != (was or "").lower() else None
        handed = differences({"owner": (was, owner)}) if owner else []

        def change() -> None:
            if handed:
                new = _owner(entry)
                assert new is not None
                services.hand_over_key(actor=self.plan.actor, key=key, owner=new)
            if fields:
                services.change_key(actor=self.plan.actor, key=key, name=key.name, **(kept | given))

        self.plan.change(entry, "key", name, fields + handed, change, _aliases(entry) | _member(entry, key.team.slug))


def _aliases(entry: Entry) -> frozenset[Ref]:
    return frozenset(("alias", alias) for alias in entry.get("aliases", []))


def _member(entry: Entry, slug: str) -> frozenset[Ref]:
    return frozenset({("member", f"{entry['owner'].lower()} in {slug}")} if entry.has("owner") else set())


def _owner(entry: Entry) -> User | None:
    if not entry.has("owner"):
        return None
    user = User.objects.filter(email__iexact=entry["owner"]).first()
    if user is None:
        raise BadInput(f"Nobody has the address {entry['owner']!r}; add them to the team's members.", param="owner")
    return user
