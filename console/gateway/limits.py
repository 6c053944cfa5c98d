"""What a limit says when it refuses, and what is left after it admitted."""

import datetime as dt

import orjson
from django.conf import settings

from console.core.clock import now
from console.gateway.entries import Verdict
from console.gateway.errors import QuotaExceeded
from console.gateway.types import Charge, Plan, Remaining

# Windows that pass while a client waits. The others are budgets, which a retry cannot help.
_SHORT = {"minute", "hour", ""}


_UNITS = {
    "requests": ("request", "requests"),
    "tokens": ("token", "tokens"),
    "concurrency": ("call at once", "calls at once"),
}


def _is_rate(charge: Charge) -> bool:
    return charge.quota.window in _SHORT and charge.quota.metric != "cost"


def _code(charge: Charge) -> str:
    return "rate_limit_exceeded" if _is_rate(charge) else "insufficient_quota"


def _amount(metric: str, amount: int) -> str:
    if metric == "cost":
        return f"{amount / 1_000_000:,.2f} {settings.CURRENCY}"
    one, many = _UNITS.get(metric, (metric, metric))
    return f"{amount:,} {one if amount == 1 else many}"


def describe(charge: Charge) -> str:
    """Name a limit for the caller it bound: `600 requests a minute of the team`."""
    quota = charge.quota
    window = f" a {quota.window}" if quota.window else ""
    scope = {"key": "of this key", "alias": f"of the alias {quota.alias}", "team": "of the team"}[quota.scope]
    return f"{_amount(quota.metric, charge.limit)}{window} {scope}"


_refusals: dict[tuple[int, int, str], str] = {}


def refusal_fields(charge: Charge) -> str:
    """Return, as JSON, what the log's record of a call becomes when this charge refuses it.

    Sent along with every call and hardly ever used, so each is made once.
    """
    quota = charge.quota
    known = _refusals.get((quota.id, charge.limit, quota.window))
    if known is None:
        if len(_refusals) > 10_000:
            _refusals.clear()
        fields = {
            "status": "refused",
            "http_status": 429,
            "code": _code(charge),
            "reason": f"quota {quota.id}: {describe(charge)}",
            "prompt_tokens": 0,
            "cost_micros": 0,
        }
        known = _refusals[quota.id, charge.limit, quota.window] = orjson.dumps(fields).decode()
    return known


def quota_refused(plan: Plan, verdict: Verdict) -> QuotaExceeded:
    """Return the 429 that names the limit that bound, its use, and when it frees itself."""
    charge = plan.charges[verdict.refused_by or 0]
    quota, moment = charge.quota, plan.ask.at
    counted = verdict.counted.get((quota.id, charge.period_start), charge.limit)
    resets_at = quota.resets_at(moment)
    wait = max(1, -int(-(resets_at - now()).total_seconds() // 1)) if resets_at else 1
    used = _amount(quota.metric, counted)
    is_or_are = "is" if counted == 1 and quota.metric != "cost" else "are"
    sentence = f"The limit of {describe(charge)} does not allow this request: {used} {is_or_are} used or reserved"
    sentence += (
        f", and it may need {_amount(quota.metric, charge.amount)}." if quota.metric in {"tokens", "cost"} else "."
    )
    if resets_at is not None:
        sentence += f" It resets at {resets_at:%Y-%m-%d %H:%M:%S} UTC."
    headers = {"x-should-retry": "true" if _is_rate(charge) else "false"}
    if quota.metric in {"requests", "tokens"}:
        limit = Remaining(quota.metric, charge.limit, max(0, charge.limit - counted), resets_at)
        headers |= {name.decode(): value.decode() for name, value in rate_limit_headers([limit], moment)}
    return QuotaExceeded(sentence, code=_code(charge), retry_after=wait, headers=headers)


def remaining_after(plan: Plan, verdict: Verdict) -> list[Remaining]:
    """Return the tightest requests limit and the tightest tokens limit, for the rate-limit headers."""
    tightest: dict[str, Remaining] = {}
    for charge in plan.charges:
        metric = charge.quota.metric
        if metric not in {"requests", "tokens"} or not charge.quota.is_hard:
            continue
        left = max(0, charge.limit - verdict.counted.get((charge.quota.id, charge.period_start), 0))
        known = tightest.get(metric)
        if known is None or left < known.remaining:
            tightest[metric] = Remaining(metric, charge.limit, left, charge.quota.resets_at(plan.ask.at))
    return list(tightest.values())


def _duration(seconds: float) -> str:
    """Return a wait as OpenAI writes it: `1s`, `6m0s`, `2h5m0s`."""
    whole = max(0, round(seconds))
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}h{minute}m{second}s" if hours else f"{minute}m{second}s" if minute else f"{second}s"


_HEADERS = {
    metric: tuple(f"x-ratelimit-{part}-{metric}".encode() for part in ("limit", "remaining", "reset"))
    for metric in ("requests", "tokens")
}


def rate_limit_headers(limits: list[Remaining], moment: dt.datetime) -> list[tuple[bytes, bytes]]:
    """Return the headers as they go out, every answer has them."""
    headers = []
    for limit in limits:
        total, remaining, reset = _HEADERS[limit.metric]
        seconds = (limit.resets_at - moment).total_seconds() if limit.resets_at else 0
        headers += [
            (total, b"%d" % limit.limit),
            (remaining, b"%d" % limit.remaining),
            (reset, _duration(seconds).encode()),
        ]
    return headers
