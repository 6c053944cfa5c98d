"""Refusals of limits, and what limits have left."""

import datetime as dt
from dataclasses import replace
from functools import lru_cache
from typing import Any

import orjson

from console.core.cached_settings import settings
from console.core.clock import now
from console.core.formatting import money
from console.gateway.entries import Verdict, limit_columns, of_end_user, with_refusal
from console.gateway.errors import EndUserNeeded, QuotaExceeded
from console.gateway.record import joined
from console.gateway.types import Ask, Asker, Charge, Limit, LimitHeaders, Plan, Remaining
from usage_app.shapes import QuotaShape

# Windows that pass while a client waits. The others are budgets, which a retry cannot help.
_SHORT = {"minute", "hour", ""}


# Whose callers have end users: programs, and the sites widgets stand on.
_SPEAK_FOR_OTHERS = {"key", "widget"}

# What an error is about where one end user's limit binds, by which programs tell it from a limit of their own.
OF_END_USER = "user"

# What the rate-limit headers speak of.
_HEADER_METRICS = ("requests", "tokens")
_UNITS = {
    "requests": ("request", "requests"),
    "tokens": ("token", "tokens"),
    "concurrency": ("call at once", "calls at once"),
}


def _is_rate(quota: QuotaShape) -> bool:
    return quota.window in _SHORT and quota.metric != "cost"


def _code(quota: QuotaShape) -> str:
    return "rate_limit_exceeded" if _is_rate(quota) else "insufficient_quota"


def _amount(metric: str, amount: int) -> str:
    if metric == "cost":
        # To the last micro-unit where cents would hide what bound: 0.0065 is no 0.01.
        places = 2 if amount % 10_000 == 0 else 6
        return f"{amount / 1_000_000:,.{places}f} {settings.CURRENCY}"
    singular, plural = _UNITS.get(metric, (metric, metric))
    return f"{amount:,} {singular if amount == 1 else plural}"


def describe(quota: QuotaShape, most: int) -> str:
    """Name a limit for the caller it bound: `600 requests a minute of the team`."""
    window = f" {'an' if quota.window == 'hour' else 'a'} {quota.window}" if quota.window else ""
    scope = "for this end user" if quota.each_end_user else _of(quota)
    return f"{_amount(quota.metric, most)}{window} {scope}"


def _of(quota: QuotaShape) -> str:
    return {
        "key": "of this key",
        "alias": f"of the alias {quota.alias}",
        "agent": f"of the agent {quota.agent}",
        "widget": f"of the widget {quota.widget}",
        "team": "of the team",
    }[quota.scope]


def limit_at(quota: QuotaShape, moment: dt.datetime) -> Limit:
    """Return a quota as it is at this moment, until its period ends or an increase begins or ends."""
    counter, most = (quota.id, quota.period(moment)), quota.limit_at(moment)
    refusal = orjson.dumps(
        {
            "status": "refused",
            "http_status": 429,
            "code": _code(quota),
            "reason": f"quota {quota.id}: {describe(quota, most)}",
            "prompt_tokens": 0,
            "cost_micros": 0,
        }
    )
    return Limit(
        quota=quota,
        metric=quota.metric,
        counter=counter,
        most=most,
        resets_at=quota.resets_at(moment),
        refusal=refusal,
        columns=limit_columns(counter, quota.metric, most if quota.is_hard else None, refusal),
        headers=_headers(quota, most, moment) if quota.metric in _HEADER_METRICS and quota.is_hard else None,
    )


def _headers(quota: QuotaShape, most: int, moment: dt.datetime) -> LimitHeaders:
    values = {"limit": str(most), "remaining": "%d", "reset": "%b"}
    form = "".join(f"x-ratelimit-{part}-{quota.metric}: {value}\r\n" for part, value in values.items())
    resets_at = quota.resets_at(moment)
    return LimitHeaders(form.encode(), resets_at.timestamp() if resets_at else 0.0)


def limits_of(limits: tuple[Limit, ...], asker: Asker, ask: Ask) -> tuple[Limit, ...]:
    """Return the limits that count one call: those for each end user as they are for its own.

    One that names none is counted by the others, or refused with EndUserNeeded where a limit lets no such call pass.
    People who have signed in are nobody's end users.
    """
    matching = []
    for limit in limits:
        if not limit.quota.each_end_user:
            matching.append(limit)
        elif ask.end_user:
            counter = (limit.quota.id, limit.counter[1], ask.end_user)
            matching.append(replace(limit, counter=counter, columns=of_end_user(limit.columns, ask.end_user)))
        elif limit.quota.refuses_nameless and asker.actor_kind in _SPEAK_FOR_OTHERS:
            raise _nameless(limit, ask)
    return tuple(matching)


def _nameless(limit: Limit, ask: Ask) -> EndUserNeeded:
    field = "metadata.user_id" if ask.operation == "message" else "user"
    sentence = (
        f"Say with {field} whose call this is: each end user has a limit here, and calls that name none are refused."
    )
    refusal = EndUserNeeded(sentence, param=field)
    refusal.reason = f"quota {limit.quota.id}: {sentence}"
    return refusal


def header_limits_of(limits: tuple[Limit, ...]) -> tuple[tuple[Limit, ...], ...]:
    """Return the limits of the rate-limit headers, by metric."""
    by_metric = (
        tuple(limit for limit in limits if limit.headers and limit.metric == metric) for metric in _HEADER_METRICS
    )
    return tuple(filter(None, by_metric))


def as_attempts(charges: tuple[Charge, ...], attempt: dict[str, Any]) -> tuple[Charge, ...]:
    """Return charges whose refusal leaves the line of an attempt, after which the call may continue elsewhere."""
    more = orjson.dumps(attempt)
    return tuple(
        (replace(limit, columns=with_refusal(limit.columns, joined(limit.refusal, more))), amount)
        for limit, amount in charges
    )


def quota_refused(plan: Plan, verdict: Verdict) -> QuotaExceeded:
    """Return the 429 that names the limit that bound, its use, and when it frees itself."""
    limit, amount = plan.charges[verdict.refused_by or 0]
    quota, resets_at = limit.quota, limit.resets_at
    counted = verdict.counted.get(limit.counter, limit.most)
    wait = max(1, -int(-(resets_at - now()).total_seconds() // 1)) if resets_at else 1
    used = _amount(quota.metric, counted)
    is_or_are = "is" if counted == 1 and quota.metric != "cost" else "are"
    sentence = (
        f"The limit of {describe(quota, limit.most)} does not allow this request: {used} {is_or_are} used or reserved"
    )
    sentence += f", and it may need {_amount(quota.metric, amount)}." if quota.metric in {"tokens", "cost"} else "."
    if resets_at is not None:
        sentence += f" It resets at {resets_at:%Y-%m-%d %H:%M:%S} UTC."
    headers = {"x-should-retry": "true" if _is_rate(quota) else "false"}
    if quota.metric in _HEADER_METRICS:
        shown_limit = limit if limit.headers else replace(limit, headers=_headers(quota, limit.most, plan.ask.at))
        remaining = [(shown_limit, max(0, limit.most - counted))]
        lines = rate_limit_lines(remaining, plan.ask.at).decode().splitlines()
        headers |= dict(line.split(": ") for line in lines)
    param = OF_END_USER if quota.each_end_user else None
    refusal = QuotaExceeded(sentence, param=param, code=_code(quota), retry_after=wait, headers=headers)
    refusal.will_pass = _is_rate(quota) and amount <= limit.most
    if plan.asker.actor_kind == "user":
        refusal.to_people = _to_people(limit, is_full=counted >= limit.most)
    return refusal


def _to_people(limit: Limit, *, is_full: bool) -> str:
    """Say to somebody in the chat which limit bound and when it resets. They read it later, too: no "in 2 h"."""
    quota, resets_at = limit.quota, limit.resets_at
    amount = money(limit.most, settings.CURRENCY) if quota.metric == "cost" else _amount(quota.metric, limit.most)
    window = f" per {quota.window}" if quota.window else ""
    scope = {"team": "your team", "alias": "the model behind this assistant", "agent": "this assistant"}
    of = f"the limit of {amount}{window} for {scope.get(quota.scope, _of(quota).removeprefix('of '))}"
    sentence = f"{of[0].upper()}{of[1:]} is reached." if is_full else f"Too little is left of {of} to answer this."
    if resets_at is None or quota.window == "minute":
        return f"{sentence} Try again in a {'minute' if resets_at else 'moment'}."
    day = "" if quota.window == "hour" else f" on {resets_at.day} {resets_at:%b}"
    return f"{sentence} It resets{day} at {resets_at:%H:%M} UTC."


def remaining_after(plan: Plan, verdict: Verdict) -> list[Remaining]:
    """Return the tightest requests limit and the tightest tokens limit, for the rate-limit headers."""
    tightest, counted = [], verdict.counted
    for limits in plan.header_limits:
        limit = limits[0]
        remaining = limit.most - counted.get(limit.counter, 0)
        for other in limits[1:]:
            if (less := other.most - counted.get(other.counter, 0)) < remaining:
                limit, remaining = other, less
        tightest.append((limit, remaining if remaining > 0 else 0))
    return tightest


@lru_cache(maxsize=4096)
def _duration(seconds: int) -> bytes:
    """Return a wait as OpenAI writes it: `1s`, `6m0s`, `2h5m0s`."""
    minutes, second = divmod(max(0, seconds), 60)
    hours, minute = divmod(minutes, 60)
    text = f"{hours}h{minute}m{second}s" if hours else f"{minute}m{second}s" if minute else f"{second}s"
    return text.encode()


def rate_limit_lines(limits: list[Remaining], moment: dt.datetime) -> bytes:
    """Return the headers as lines of a head, every answer has them."""
    lines, present = b"", moment.timestamp()
    for limit, remaining in limits:
        if (headers := limit.headers) is not None:
            seconds = round(headers.resets_at - present) if headers.resets_at else 0
            lines += headers.form % (remaining, _duration(seconds))
    return lines
