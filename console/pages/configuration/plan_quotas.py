"""The part of a plan about quotas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from console.pages.configuration.forms import Entry
from console.pages.configuration.keys import Named, named_keys
from console.pages.configuration.plan_keys import KeyPlan
from console.pages.configuration.steps import FieldChange, Ref, Step, as_shown, differences
from console.teams.models import ApiKey, Team
from usage_app.models import Metric, Mode, Nameless, Purpose, Quota
from usage_app.scopes import Subject, subjects_of
from usage_app.services import quotas as services
from usage_app.sql.counters import key_line

if TYPE_CHECKING:
    from console.pages.configuration.plan import Plan

_MICROS = 1_000_000
# What inside a team a quota can be of.
_INSIDE = ("key", "alias", "agent", "widget")


@dataclass(frozen=True, slots=True)
class WantedQuota:
    """One quota as a file has it. `of` is one of `_INSIDE` and its name there; empty for the whole team."""

    entry: Entry
    team: str
    metric: str
    window: str
    purpose: str
    limit: int  # in the metric's stored unit: micro-units of currency for cost
    of: tuple[str, str]
    each: bool  # for each end user
    key: ApiKey | None  # that is there already; None also of one this file makes

    @property
    def name(self) -> str:
        name = f"{self.metric} per {self.window}" if self.window else "concurrent calls"
        name += " of shadow copies" if self.purpose else " for each end user" if self.each else ""
        return f"{name} of {self.team}" + (f", {' '.join(self.of)}" if self.of[0] else "")

    def called(self, kind: str) -> str:
        """Return the name of what it is of, if that is of this kind."""
        return self.of[1] if self.of[0] == kind else ""


def _names(subject: Subject) -> str:
    """Return what a file calls it: an agent by its short name, a widget by its name."""
    return subject.value if subject.kind == "agent" else subject.name


def _widget(team: Team, name: str) -> Subject:
    return next(s for s in subjects_of([team]) if s.kind == "widget" and s.name == name)


class QuotaPlan:
    """Adds the steps of quotas to a plan."""

    def __init__(
        self,
        plan: Plan,
        teams: Mapping[str, Team],
        keys: Named,
        key_plan: KeyPlan,
    ) -> None:
        self.plan, self.teams, self.keys, self.key_plan = plan, teams, keys, key_plan
        self.rows = {
            (q.team.slug, q.key_id or q.of, q.metric, q.window, q.purpose, q.each_end_user): q
            for q in Quota.objects.filter(team__in=teams.values()).select_related("team", "key")
        }
        self.later: list[tuple[Entry, str]] = []

    def quota(self, entry: Entry, slug: str) -> None:
        if "agent" in entry.places or "widget" in entry.places:
            self.later.append((entry, slug))
        elif (wanted := self._wanted(entry, slug)) is not None:
            self._step(wanted)

    def finish(self) -> None:
        """Add the steps of what can be limited only once the agents and widgets of the file are there."""
        for entry, slug in self.later:
            if (wanted := self._wanted(entry, slug)) is not None:
                self._step(wanted)

    def _wanted(self, entry: Entry, slug: str) -> WantedQuota | None:
        """Return what the file wants; None when that is wrong, which is put down."""
        if not (entry.has("metric") and entry.has("limit") and self._has_its_window(entry)):
            return None
        limit = self._limit(entry, entry["metric"])
        if limit is None:
            return None
        key = None
        if entry.has("key"):
            found = self._key(entry, slug)
            if found is None:
                return None
            key = found[0] if found else None
        given = [kind for kind in _INSIDE if entry.has(kind)]
        if len(given) > 1:
            message = f"A quota is of one thing inside the team, not of {' and '.join(given)}; write two quotas."
            self.plan.problem(entry, given[-1], message)
            return None
        of = (given[0], entry[given[0]]) if given else ("", "")
        if not self._is_there(entry, slug, *of):
            return None
        purpose, each = entry.get("purpose", Purpose.CALLS.value), entry.get("each_end_user", False)
        if not self._suits_end_users(entry, purpose, each=each):
            return None
        return WantedQuota(entry, slug, entry["metric"], entry.get("window", ""), purpose, limit, of, each, key)

    def _suits_end_users(self, entry: Entry, purpose: str, *, each: bool) -> bool:
        if each and entry["metric"] == Metric.CONCURRENCY:
            message = "Concurrent calls cannot be limited for each end user; leave it out."
            self.plan.problem(entry, "each_end_user", message)
        elif each and purpose:
            self.plan.problem(entry, "each_end_user", "Shadow copies have no end user; leave it out.")
        elif entry.has("nameless") and not each:
            self.plan.problem(
                entry, "nameless", "Only with each_end_user: true is there a rule for calls that name none."
            )
        else:
            return True
        return False

    def _has_its_window(self, entry: Entry) -> bool:
        metric = entry["metric"]
        if (metric == Metric.CONCURRENCY) != entry.has("window"):
            return True
        if entry.has("window"):
            self.plan.problem(entry, "window", "Concurrent calls have no window; leave it out.")
        elif "window" not in entry.places:  # one that is there and wrong is put down already
            self.plan.problem(entry, "", f"A quota of {metric} needs window: minute, hour, day or month.")
        return False

    def _limit(self, entry: Entry, metric: str) -> int | None:
        limit: Decimal = entry["limit"]
        if metric == Metric.COST:
            limit *= _MICROS
        if limit != int(limit):
            self.plan.problem(entry, "limit", f"Found {entry['limit']}; a limit of {metric} is a whole number.")
            return None
        return int(limit)

    def _key(self, entry: Entry, slug: str) -> list[ApiKey] | None:
        """Return the key a quota is of, or nothing where this file makes it; None when there is not exactly one."""
        name = (slug, entry["key"])
        found = self.keys.get(name, [])
        count = len(found) + len(self.key_plan.made.get(name, []))
        if count == 1:
            return found
        if count or name not in self.key_plan.ended:
            say = f"{count} of its keys have this name" if count else f"has no active key {entry['key']!r}"
            self.plan.problem(entry, "key", f"The team {slug} {say}; make or rename keys on the page API keys.")
        return None

    def _is_there(self, entry: Entry, slug: str, kind: str, name: str) -> bool:
        """Return whether what a quota is of is there, or will be; put down what is wrong otherwise."""
        if kind == "alias":
            return self.plan.is_there(entry, "alias", "alias", name)
        if kind not in {"agent", "widget"}:
            return True
        team = self.teams.get(slug)
        found = [s for s in subjects_of([team] if team else []) if s.kind == kind and _names(s) == name]
        if len(found) == 1 or (not found and _ref(slug, kind, name) in self.plan.will_be):
            return True
        if found:
            say = f"{len(found)} widgets of {slug} have the name {name!r}; rename them."
        else:
            say = f"There is no {kind} {name!r} for {slug}, here or in this file."
        self.plan.problem(entry, kind, say)
        return False

    def _step(self, wanted: WantedQuota) -> None:
        entry, name = wanted.entry, wanted.name
        if ("quota", name) in self.plan.will_be:
            self.plan.problem(entry, "", f"The quota of {name} is in this file twice.")
            return
        self.plan.will_be.add(("quota", name))
        row, written = self._row(wanted), as_shown(entry["limit"])
        if row is None:
            mode = entry.get("mode", Mode.HARD)
            fields = [FieldChange("limit", "none", written), FieldChange("mode", "none", mode)]
            if wanted.each:
                fields.append(FieldChange("nameless", "none", entry.get("nameless", Nameless.PASS)))
            needs = self._needs(wanted)
            self.plan.steps.append(Step(entry.place, "quota", name, "+", fields, lambda: self._set(wanted), needs))
            return
        old = as_shown(Decimal(row.limit) / _MICROS) if wanted.metric == Metric.COST else str(row.limit)
        now_and_then = {"limit": (old, written), "mode": (row.mode, entry.get("mode", row.mode))}
        fields = differences(now_and_then | {"nameless": (row.nameless, entry.get("nameless", row.nameless))})

        def change() -> None:
            services.change_quota(
                actor=self.plan.actor,
                quota=row,
                limit=wanted.limit,
                mode=entry.get("mode"),
                nameless=entry.get("nameless"),
            )

        self.plan.change(entry, "quota", name, fields, change)

    def _row(self, wanted: WantedQuota) -> Quota | None:
        """Return the quota there is. A key's may have been set for one that it replaced."""
        kind, name = wanted.of
        subjects: list[Any] = [name if kind in {"", "alias"} else f"{kind} {name}"]
        if wanted.key is not None:
            subjects = list(key_line(wanted.key.pk, backwards=True))
        kind_of = (wanted.metric, wanted.window, wanted.purpose, wanted.each)
        rows = (self.rows.get((wanted.team, subject, *kind_of)) for subject in subjects)
        return next(filter(None, rows), None)

    def _needs(self, wanted: WantedQuota) -> frozenset[Ref]:
        kind, name = wanted.of
        if kind == "key":
            return frozenset({("team", wanted.team), *self.key_plan.made.get((wanted.team, name), [])})
        return frozenset({("team", wanted.team)} | ({_ref(wanted.team, kind, name)} if kind else set()))

    def _set(self, wanted: WantedQuota) -> None:
        team, key, widget = Team.objects.get(slug=wanted.team), wanted.called("key"), wanted.called("widget")
        made = named_keys(team=team).get((wanted.team, key)) if key else None
        services.set_quota(
            actor=self.plan.actor,
            team=team,
            metric=wanted.metric,
            window=wanted.window,
            limit=wanted.limit,
            mode=wanted.entry.get("mode", Mode.HARD),
            key=made[0] if made else None,
            alias=wanted.called("alias"),
            agent=wanted.called("agent"),
            widget=_widget(team, widget) if widget else None,
            purpose=wanted.purpose,
            each_end_user=wanted.each,
            nameless=wanted.entry.get("nameless", Nameless.PASS),
        )


def _ref(slug: str, kind: str, name: str) -> Ref:
    return kind, f"{slug}/{name}" if kind == "widget" else name
