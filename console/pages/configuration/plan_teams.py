"""The part of a plan about teams: people, aliases, and label rules."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from console.catalog.models import Alias
from console.catalog.services import aliases as alias_services
from console.pages.configuration.document import Place
from console.pages.configuration.forms import Entry
from console.pages.configuration.keys import ended_keys, named_keys
from console.pages.configuration.plan_keys import KeyPlan
from console.pages.configuration.plan_quotas import QuotaPlan
from console.pages.configuration.steps import FieldChange, Ref, Step, differences, drop
from console.teams.models import Membership, Role, Team, User
from console.teams.services import people as people_services
from console.teams.services import teams as team_services
from prompts_app.models import LabelRule
from prompts_app.services.labels import set_rule

if TYPE_CHECKING:
    from console.pages.configuration.plan import Plan


class TeamPlan:
    """Adds the steps of teams to a plan. Aliases are collected over all teams, since one alias can have several."""

    def __init__(self, plan: Plan, entries: list[Entry]) -> None:
        self.plan = plan
        slugs = [entry["slug"] for entry in entries if entry.has("slug")]
        self.teams = {t.slug: t for t in Team.objects.filter(slug__in=slugs)}
        self.members = {
            (m.team.slug, m.user.email.lower()): m
            for m in Membership.objects.filter(team__slug__in=slugs).select_related("team", "user")
        }
        self.people = set(User.objects.values_list("email", flat=True)) if slugs else set()
        keys = named_keys(team__slug__in=slugs)
        self.key_plan = KeyPlan(plan, keys, ended_keys(team__slug__in=slugs))
        self.quota_plan = QuotaPlan(plan, self.teams, keys, self.key_plan)
        self.rules_wanted: list[tuple[Entry, str]] = []
        self.wanted_aliases: dict[str, tuple[Place, list[str]]] = {}

    def team(self, entry: Entry) -> None:
        slug = entry["slug"]
        row = self.teams.get(slug)
        if row is not None and row.archived_at is not None:
            self.plan.problem(entry, "slug", f"The team {slug!r} is archived; choose another short name.")
            return
        if row is None:
            self._create(entry, slug)
        else:
            given = {field: entry[field] for field in ("name", "requires_two_factor") if entry.has(field)}
            fields = differences({field: (getattr(row, field), value) for field, value in given.items()})
            change = partial(team_services.change_team, actor=self.plan.actor, team=row, **given)
            self.plan.change(entry, "team", slug, fields, lambda: drop(change()))
        self._members(entry, slug)
        self.key_plan.keys(entry)
        self.rules_wanted += [(rule, slug) for rule in entry.get("label_rules", []) if rule.has("label")]
        for n, alias in enumerate(entry.get("aliases", [])):
            place = entry.at(f"aliases[{n}]")
            if not self.plan.is_there(entry, f"aliases[{n}]", "alias", alias):
                continue
            self.wanted_aliases.setdefault(alias, (place, []))[1].append(slug)
        for quota in entry.get("quotas", []):
            self.quota_plan.quota(quota, slug)

    def _create(self, entry: Entry, slug: str) -> None:
        name, requires = entry.get("name", slug), entry.get("requires_two_factor", False)

        def make() -> None:
            team = team_services.create_team(actor=self.plan.actor, name=name, slug=slug)
            if requires:
                team_services.change_team(actor=self.plan.actor, team=team, requires_two_factor=True)

        fields = [FieldChange("name", "none", name)] + differences({"requires_two_factor": (False, requires)})
        self.plan.steps.append(Step(entry.place, "team", slug, "+", fields, make))

    def rules(self) -> None:
        """Add the steps of what is asked before labels move: last, so that a first file can put them."""
        kept = {(rule.team.slug, rule.label): rule for rule in LabelRule.objects.select_related("team")}
        asks = ("needs_review", "needs_green_tests")
        for entry, slug in self.rules_wanted:
            name, row = f"{slug}:{entry['label']}", kept.get((slug, entry["label"]))
            if ("rule", name) in self.plan.will_be:
                self.plan.problem(entry, "label", f"The rule of {name} is in this file twice.")
                continue
            self.plan.will_be.add(("rule", name))
            had = {ask: bool(row and getattr(row, ask)) for ask in asks}
            wanted = {ask: entry.get(ask, had[ask]) for ask in asks}
            fields = differences({ask: (had[ask], wanted[ask]) for ask in asks})
            run = partial(self._set_rule, slug, entry["label"], wanted)
            self.plan.change(entry, "rule", name, fields, run, frozenset({("team", slug)}))

    def _set_rule(self, slug: str, label: str, wanted: dict[str, bool]) -> None:
        set_rule(actor=self.plan.actor, team=Team.objects.get(slug=slug), label=label, **wanted)

    def _members(self, entry: Entry, slug: str) -> None:
        needs: frozenset[Ref] = frozenset({("team", slug)})
        seen: set[str] = set()
        steps: list[tuple[bool, Step]] = []
        for member in entry.get("members", []):
            if not (member.has("email") and member.has("role")):
                continue
            email, role = member["email"].lower(), member["role"]
            if email in seen:
                self.plan.problem(member, "email", f"{email} is a member of {slug} twice.")
                continue
            seen.add(email)
            name = f"{email} in {slug}"
            row = self.members.get((slug, email))
            if row is None:
                fields = [FieldChange("role", "none", role)]
                if email not in self.people:
                    fields.append(FieldChange("person", "none", "new"))
                step = Step(member.place, "member", name, "+", fields, self._adder(slug, email, role), needs)
            elif row.role != role:
                fields = [FieldChange("role", row.role, role)]
                step = Step(member.place, "member", name, "~", fields, self._changer(row, role), needs)
            else:
                step = Step(member.place, "member", name, "=")
            steps.append((role != Role.OWNER, step))
        # New owners first: otherwise handing a team over would fail for want of an owner.
        self.plan.steps += [step for _, step in sorted(steps, key=lambda pair: pair[0])]

    def _adder(self, slug: str, email: str, role: str) -> Callable[[], None]:
        def run() -> None:
            user = User.objects.filter(email__iexact=email).first()
            if user is None:
                user = people_services.create_person(actor=self.plan.actor, email=email)
            team = Team.objects.get(slug=slug)
            team_services.add_member(actor=self.plan.actor, team=team, user=user, role=role)

        return run

    def _changer(self, membership: Membership, role: str) -> Callable[[], None]:
        return lambda: drop(team_services.change_role(actor=self.plan.actor, membership=membership, role=role))

    def finish(self) -> None:
        """Add one step per alias whose teams the file extends. Teams it has already are kept."""
        for name, (place, slugs) in self.wanted_aliases.items():
            row = self.plan.aliases.get(name)
            have = sorted(team.slug for team in row.teams.all()) if row else []
            want = sorted({*have, *slugs})
            if have == want:
                continue
            needs: frozenset[Ref] = frozenset({("alias", name), *(("team", slug) for slug in slugs)})
            fields = [FieldChange("teams", ", ".join(have) or "everybody", ", ".join(want))]
            self.plan.steps.append(Step(place, "alias", name, "~", fields, self._widener(name, want), needs))

    def _widener(self, name: str, slugs: list[str]) -> Callable[[], None]:
        def run() -> None:
            alias = Alias.objects.get(name=name)
            teams = list(Team.objects.filter(slug__in=slugs))
            alias_services.change_alias(actor=self.plan.actor, alias=alias, teams=teams)

        return run
