"""Queries of the inbox of approvals."""

import datetime as dt
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from django.db.models import QuerySet

from agents_app.grants.parsing import grants_of
from agents_app.models import Approval
from agents_app.queries.run_state import definition_of
from console.core import hidden_characters
from console.core.clock import now

State = Approval.State
_CALL = Approval.Kind.CALL
MOST_WAITING, MOST_DECIDED, MOST_COUNTED = 100, 50, 2_000


@dataclass(frozen=True, slots=True)
class Argument:
    name: str
    value: str
    said: str  # what the grant says of it
    is_editable: bool

    @property
    def is_long(self) -> bool:
        return len(self.value) > 60 or "\n" in self.value


@dataclass(frozen=True, slots=True)
class Card:
    """One approval with everything a person needs to decide. Nothing of the arguments is left out."""

    approval: Approval
    arguments: list[Argument]
    last: Approval | None
    why_not: str  # why the reader may not decide; empty when they may
    typed: Mapping[str, str]  # what they sent before and was refused

    @property
    def title(self) -> str:
        approval = self.approval
        if approval.kind == Approval.Kind.CALL:
            return f"Approve {approval.tool_name}?"
        if approval.kind == Approval.Kind.OUTCOME:
            return f"What became of {approval.tool_name}?"
        if approval.kind == Approval.Kind.STEP:
            return f"Go on with {approval.tool_name or 'the next step'}?"
        return "The agent asks"

    @property
    def fields(self) -> list[tuple["Field", str]]:
        """The fields of a question, each with what was typed into it before."""
        fields = fields_of(self.approval.form) if self.approval.kind == Approval.Kind.QUESTION else []
        return [(field, self.typed.get(f"answer-{field.name}", "")) for field in fields]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a form an agent asks people to fill in."""

    name: str
    label: str
    kind: str  # text, long, number, boolean or choice
    choices: list[str]
    is_required: bool
    help: str


def fields_of(schema: Mapping[str, Any] | None) -> list[Field]:
    """Return the fields of a flat JSON schema, as they are required: the database keeps no order of the others."""
    properties, required = (schema or {}).get("properties", {}), (schema or {}).get("required", [])
    ordered = dict.fromkeys([*(name for name in required if name in properties), *properties])
    return [
        Field(
            name=name,
            label=str(said.get("title") or name.replace("_", " ").capitalize()),
            kind=_kind(said),
            choices=[str(choice) for choice in said.get("enum", [])],
            is_required=name in required,
            help=str(said.get("description", "")),
        )
        for name in ordered
        if isinstance(said := properties[name], dict)
    ]


def _kind(schema: Mapping[str, Any]) -> str:
    if schema.get("enum"):
        return "choice"
    kind = schema.get("type")
    if kind in {"number", "integer"}:
        return "number"
    if kind == "boolean":
        return "boolean"
    if kind in {"object", "array"}:
        return "json"
    most = schema.get("maxLength")
    return "text" if isinstance(most, int) and most <= 200 else "long"


def waiting(approvals: QuerySet[Approval]) -> QuerySet[Approval]:
    """Return what can still be decided, the most pressing first."""
    rows = approvals.filter(state=State.WAITING, expires_at__gt=now())
    return rows.select_related("run__agent__team", "run__version", "run__team", "step", "team").order_by(
        "expires_at", "pk"
    )


def cards(approvals: Sequence[Approval], visible: QuerySet[Approval], why_not: Callable[[Approval], str]) -> list[Card]:
    """Return everything about several approvals; `visible` are the approvals of whoever looks."""
    lasts = lasts_like(approvals, visible)
    return [card(approval, why_not(approval), lasts.get(approval.pk)) for approval in approvals]


def card(approval: Approval, why_not: str, last: Approval | None, typed: Mapping[str, str] | None = None) -> Card:
    """Return everything about one approval. Needs `run__agent`, `run__version`, `step` and `team`.

    `last` is the last one like it. `typed` is a form that was refused: what stands in it is shown again.
    """
    typed = typed or {}
    grant = grants_of(definition_of(approval.run).grants).get(approval.tool_name)
    said = grant.arguments if grant else {}
    arguments = [
        Argument(
            name,
            typed.get(f"argument-{name}", _spelled(_text(value))) if name in approval.editable else _text(value),
            _limit(said.get(name)),
            name in approval.editable,
        )
        for name, value in approval.arguments.items()
    ]
    return Card(approval, arguments, last, why_not, typed)


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2 if isinstance(value, dict | list) else None)


def _spelled(text: str) -> str:
    """Return JSON for a field, in which no mark can stand: what hides or turns its neighbours is written as \\u202e."""
    return hidden_characters.HIDDEN.sub(lambda found: json.dumps(found[0])[1:-1], text)


def _limit(rule: Mapping[str, Any] | None) -> str:
    """Say in a few words what the grant allows for one argument."""
    if not rule:
        return "not limited"
    found = []
    for name, value in rule.items():
        if name == "equals":
            found.append("fixed")
        elif name == "one_of":
            found.append(f"1 of {len(value)} allowed")
        elif name == "host":
            found.append(f"host is {' or '.join(map(str, value))}")
        else:
            words = {"min": "at least", "max": "at most", "max_length": "characters at most", "prefix": "begins with"}
            found.append(f"{words.get(name, name)} {value}")
    return ", ".join(found)


def last_like(approval: Approval, visible: QuerySet[Approval]) -> Approval | None:
    """Return the last call of the same tool by the same agent that somebody approved, of those one may see."""
    return lasts_like([approval], visible).get(approval.pk)


def lasts_like(approvals: Sequence[Approval], visible: QuerySet[Approval]) -> dict[uuid.UUID, Approval]:
    """Return `last_like` of several approvals, by their ids, in one query. Those that have none are left out."""
    calls = {
        approval.pk: (approval.team_id, approval.run.agent_id, approval.tool_name)
        for approval in approvals
        if approval.kind == _CALL
    }
    if not calls:
        return {}
    teams, agents, tools = map(set, zip(*calls.values(), strict=True))
    alike = visible.filter(state=State.APPROVED, kind=_CALL, team__in=teams, run__agent__in=agents, tool_name__in=tools)
    of_each = ("team_id", "run__agent_id", "tool_name")
    newest = alike.exclude(pk__in=calls).order_by(*of_each, "-decided_at", "-pk").distinct(*of_each)
    latest = Approval.objects.filter(pk__in=newest.values("pk")).select_related("run__agent")
    by_call = {(one.team_id, one.run.agent_id, one.tool_name): one for one in latest}
    return {pk: by_call[call] for pk, call in calls.items() if call in by_call}


def decided(approvals: QuerySet[Approval]) -> list[Approval]:
    """Return what was decided or expired last."""
    rows = approvals.filter(state__in=[State.APPROVED, State.REJECTED, State.EXPIRED])
    return list(rows.select_related("run__agent", "team").order_by("-decided_at", "-expires_at", "-id")[:MOST_DECIDED])


@dataclass(frozen=True, slots=True)
class Week:
    asked: int
    decided: int  # or too late to be; not those that wait, and not those nobody needs any more
    approved: int
    expired: int
    median_seconds: float | None

    @property
    def median_us(self) -> float | None:
        return None if self.median_seconds is None else self.median_seconds * 1_000_000

    @property
    def approved_percent(self) -> float:
        return 100 * self.approved / self.decided if self.decided else 0.0


def week(approvals: QuerySet[Approval]) -> Week:
    """Return what became of the approvals of the last seven days, of at most the newest 2,000."""
    since = now() - dt.timedelta(days=7)
    rows = list(
        approvals.filter(created_at__gte=since)
        .order_by("-created_at", "-id")
        .values_list("state", "created_at", "decided_at", "decided_by_name")[:MOST_COUNTED]
    )
    times = [(decided - asked).total_seconds() for _, asked, decided, who in rows if decided and who]
    return Week(
        asked=len(rows),
        decided=sum(state in {State.APPROVED, State.REJECTED, State.EXPIRED} for state, *_ in rows),
        approved=sum(state == State.APPROVED for state, *_ in rows),
        expired=sum(state == State.EXPIRED for state, *_ in rows),
        median_seconds=median(times) if times else None,
    )
