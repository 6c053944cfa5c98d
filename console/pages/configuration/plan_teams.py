"""The part of a plan that speaks of teams: people, which aliases are theirs, and quotas."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from console.catalog.models import Alias
from console.catalog.services import aliases as alias_services
from console.pages.configuration.document import Place
from console.pages.configuration.forms import Entry
from console.pages.configuration.keys import ended_keys, named_keys
from console.pages.configuration.plan_keys import KeyPlan
from console.pages.configuration.steps import FieldChange, Ref, Step, differences, drop, shown
from console.teams.models import ApiKey, Membership, Role, Team, User
from console.teams.services import people as people_services
from console.teams.services import teams as team_services
from prompts_app.models import LabelRule
from prompts_app.services.labels import set_rule
from usage_app.models import Metric, Mode, Purpose, Quota
from usage_app.scopes import Subject, subjects_of
from usage_app.services import quotas as quota_services
from usage_app.sql.counters import key_line

if TYPE_CHECKING:
    from console.pages.configuration.plan import Plan

_MICROS = 1_000_000


def _names(subject: Subject) -> set[str]:
    """Return what a file calls it: an agent by its short name, a widget by its name."""
    return {subject.value if subject.kind == "agent" else subject.name}


def _widget(team: Team, name: str) -> Subject:
    return next(s for s in subjects_of([team]) if s.kind == "widget" and s.name == name)


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
        self.quotas = {
            (q.team.slug, q.key_id or q.of, q.metric, q.window, q.purpose): q
            for q in Quota.objects.filter(team__slug__in=slugs).select_related("team", "key")
        }
        self.keys = named_keys(team__slug__in=slugs)
        self.key_plan = KeyPlan(plan, self.keys, ended_keys(team__slug__in=slugs))
        self.rules_wanted: list[tuple[Entry, str]] = []
        self.later: list[tuple[Entry, str]] = []
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
            if "agent" in quota.places or "widget" in quota.places:
                self.later.append((quota, slug))
            else:
                self._quota(quota, slug)

    def quotas_of_agents_and_widgets(self) -> None:
        """Add the steps of what can be limited only once the agents and widgets of the file are there."""
        for quota, slug in self.later:
            self._quota(quota, slug)

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

    def _quota(self, entry: Entry, slug: str) -> None:
        if not (entry.has("metric") and entry.has("limit")):
            return
        metric, window, mode = entry["metric"], entry.get("window", ""), entry.get("mode", Mode.HARD)
        if metric == Metric.CONCURRENCY and window:
            self.plan.problem(entry, "window", "Calls at once have no window; leave it out.")
            return
        if metric != Metric.CONCURRENCY and not window:
            if "window" not in entry.places:
                self.plan.problem(entry, "", f"A quota of {metric} needs window: minute, hour, day or month.")
            return
        limit = self._limit(entry, metric)
        if limit is None:
            return
        key = None
        if entry.has("key"):
            found = self.keys.get((slug, entry["key"]), [])
            count = len(found) + len(self.key_plan.made.get((slug, entry["key"]), []))
            if not count and (slug, entry["key"]) in self.key_plan.ended:
                return
            if count != 1:
                say = f"{count} of its keys have this name" if count else f"has no active key {entry['key']!r}"
                self.plan.problem(entry, "key", f"The team {slug} {say}; make or rename keys on the page API keys.")
                return
            key = found[0] if found else None
        alias = entry.get("alias", "")
        given = [name for name in ("key", "alias", "agent", "widget") if entry.has(name)]
        if len(given) > 1:
            said = f"A quota is of one thing inside the team, not of {' and '.join(given)}; write two quotas."
            self.plan.problem(entry, given[-1], said)
            return
        if not all(self._is_there(entry, slug, kind) for kind in ("agent", "widget") if entry.has(kind)):
            return
        if alias and not self.plan.is_there(entry, "alias", "alias", alias):
            return
        self._quota_step(entry, slug, metric, window, mode, limit, key, alias)

    def _is_there(self, entry: Entry, slug: str, kind: str) -> bool:
        """Say whether the agent or the widget is there for the team, or will be; put down what is wrong otherwise."""
        name = entry[kind]
        ref: Ref = (kind, name if kind == "agent" else f"{slug}/{name}")
        team = self.teams.get(slug)
        found = [s for s in subjects_of([team] if team else []) if s.kind == kind and name in _names(s)]
        if len(found) == 1 or (not found and ref in self.plan.will_be):
            return True
        if found:
            say = f"{len(found)} widgets of {slug} have the name {name!r}; rename them."
        else:
            say = f"There is no {kind} {name!r} for {slug}, here or in this file."
        self.plan.problem(entry, kind, say)
        return False

    def _limit(self, entry: Entry, metric: str) -> int | None:
        """Return the limit in the metric's stored unit: micro-units of currency for cost."""
        limit: Decimal = entry["limit"]
        if metric == Metric.COST:
            limit *= _MICROS
        if limit != int(limit):
            self.plan.problem(entry, "limit", f"Found {entry['limit']}; a limit of {metric} is a whole number.")
            return None
        return int(limit)

    def _quota_step(
        self,
        entry: Entry,
        slug: str,
        metric: str,
        window: str,
        mode: str,
        limit: int,
        key: ApiKey | None,
        alias: str,
    ) -> None:
        name = f"{metric} per {window}" if window else "calls at once"
        purpose = entry.get("purpose", Purpose.CALLS.value)
        name += " of shadow copies" if purpose else ""
        agent, widget = entry.get("agent", ""), entry.get("widget", "")
        inside = (
            f"key {entry['key']}"
            if entry.has("key")
            else f"alias {alias}"
            if alias
            else f"agent {agent}"
            if agent
            else ""
        )
        inside = inside or (f"widget {widget}" if widget else "")
        name += f" of {slug}" + (f", {inside}" if inside else "")
        if ("quota", name) in self.plan.will_be:
            self.plan.problem(entry, "", f"The quota of {name} is in this file twice.")
            return
        self.plan.will_be.add(("quota", name))
        # A key's may have been set for one it replaced. One of that name that ended otherwise is another key.
        subjects: list[Any] = list(key_line(key.pk, backwards=True)) if key else [alias or inside]
        rows = (self.quotas.get((slug, subject, metric, window, purpose)) for subject in subjects)
        row = next(filter(None, rows), None)
        written = shown(entry["limit"])
        if row is None:

            def make() -> None:
                team = Team.objects.get(slug=slug)
                made = named_keys(team=team).get((slug, entry["key"])) if entry.has("key") else None
                quota_services.set_quota(
                    actor=self.plan.actor,
                    team=team,
                    metric=metric,
                    window=window,
                    limit=limit,
                    mode=mode,
                    key=made[0] if made else None,
                    alias=alias,
                    agent=agent,
                    widget=_widget(team, widget) if widget else None,
                    purpose=purpose,
                )

            fields = [FieldChange("limit", "none", written), FieldChange("mode", "none", mode)]
            needs: frozenset[Ref] = frozenset(
                {("team", slug)}
                | (set(self.key_plan.made.get((slug, entry.get("key", "")), [])))
                | ({("alias", alias)} if alias else set())
                | ({("agent", agent)} if agent else set())
                | ({("widget", f"{slug}/{widget}")} if widget else set())
            )
            self.plan.steps.append(Step(entry.place, "quota", name, "+", fields, make, needs))
            return
        old = shown(Decimal(row.limit) / _MICROS) if metric == Metric.COST else str(row.limit)
        wanted_mode = entry.get("mode", row.mode)
        fields = differences({"limit": (old, written), "mode": (row.mode, wanted_mode)})

        def change() -> None:
            quota_services.change_quota(actor=self.plan.actor, quota=row, limit=limit, mode=entry.get("mode"))

        self.plan.change(entry, "quota", name, fields, change)

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
