"""Lines of the log and sums of usage, as the gateway and the roll-up would leave them."""

import datetime as dt
import uuid
from typing import Any

from console.audit import sql as audit_sql
from console.core.clock import now
from console.core.histogram import histogram
from console.core.ids import uuid7_at
from console.teams.models import ApiKey, Team
from usage_app.models import UsageDay, UsageHour, UsageTouchpoint


def a_call(team: Team, *, at: dt.datetime | None = None, key: ApiKey | None = None, **columns: Any) -> uuid.UUID:
    """One closed call of 100 + 50 tokens, 1,000 micro-units and 200 ms, unless told otherwise."""
    at = at or now()
    identifier = uuid.UUID(int=uuid7_at(at).int | (uuid.uuid4().int & ((1 << 62) - 1)))
    row = {
        "id": identifier,
        "at": at,
        "closed_at": at,
        "type": "chat",
        "status": "ok",
        "team_id": team.pk,
        "team": team.name,
        "key_id": key.pk if key else None,
        "environment": "production",
        "lane": "interactive",
        "alias": "support-chat",
        "model": "fake/model",
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "cost_micros": 1000,
        "latency_us": 200_000,
        "first_token_us": 50_000,
        "epoch": audit_sql.epoch(),
        **columns,
    }
    audit_sql.append(row)
    return identifier


def a_sum(team: Team, at: dt.datetime, *, durations: tuple[int, ...] = (200_000,), **columns: Any) -> None:
    """What roll_up would have made of calls at that time, as an hour and as part of its day."""
    fields = {
        "team_id": team.pk,
        "environment": "production",
        "type": "chat",
        "lane": "interactive",
        "alias": "support-chat",
        "model": "fake/model",
        "requests": len(durations),
        "cost_micros": 1000 * len(durations),
        "prompt_tokens": 100 * len(durations),
        "completion_tokens": 50 * len(durations),
        "latency": histogram(durations),
        "first_token": histogram([d // 4 for d in durations]),
        **columns,
    }
    UsageHour.objects.create(hour=at.replace(minute=0, second=0, microsecond=0), **fields)
    cut = {name: fields[name] for name in ("team_id", "environment", "type", "lane", "alias", "model")}
    sums = {name: value for name, value in fields.items() if name != "key_id"}
    day, created = UsageDay.objects.get_or_create(day=at.date(), **cut, defaults=sums)
    if not created:
        for name in ("requests", "cost_micros", "prompt_tokens", "completion_tokens"):
            setattr(day, name, getattr(day, name) + fields[name])
        day.errors += fields.get("errors", 0)
        day.refusals += fields.get("refusals", 0)
        day.attempts += fields.get("attempts", 0)
        day.latency = [a + b for a, b in zip(day.latency, fields["latency"], strict=True)]
        day.first_token = [a + b for a, b in zip(day.first_token, fields["first_token"], strict=True)]
        day.save()


def a_touchpoint_day(
    team: Team, kind: str, subject: object, at: dt.datetime, *, durations: tuple[int, ...] = (200_000,), **columns: Any
) -> None:
    """What roll_up would have made of calls that came by one key, widget or agent that day."""
    fields = {
        "environment": "production",
        "alias": "support-chat",
        "model": "fake/model",
        "requests": len(durations),
        "cost_micros": 1000 * len(durations),
        "latency": histogram(durations),
        "first_token": histogram([d // 4 for d in durations]),
        **columns,
    }
    UsageTouchpoint.objects.create(
        team_id=team.pk, kind=kind, subject=str(subject), day=at.date(), last_at=at, **fields
    )
