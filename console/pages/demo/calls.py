"""Made-up calls with the rhythm of real ones: days and nights, a little growth, a bad quarter of an hour.

The same seed at the same moment gives the same calls, down to the last token.
"""

import datetime as dt
import json
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from console.audit.redaction import prepare_payload
from console.core.ids import request_id, uuid7_at
from console.pages.demo.cast import STREAMS, Stream
from console.pages.demo.texts import bodies
from console.teams.models import ApiKey, Team

SEED = 20261122
COLUMNS = (
    "id", "at", "closed_at", "type", "status", "http_status", "code", "team_id", "team", "actor_kind", "actor_id",
    "actor", "key_id", "key", "environment", "lane", "surface", "route", "client_address", "client_request_id",
    "alias", "model", "model_version_id", "stream", "attempts", "prompt_tokens", "cached_tokens", "completion_tokens",
    "cost_micros", "latency_us", "first_token_us", "overhead_us", "input_sha256", "output_sha256", "prompt",
    "end_user", "metadata", "detail",
)  # fmt: skip
# The share of calls whose content is kept, and how many of the newest all keep theirs.
_CONTENT, _NEWEST = 0.02, 600


@dataclass(frozen=True, slots=True)
class Served:
    """What an alias meant at a time: from `since` on this version, at these prices in micro-units per token."""

    since: dt.datetime
    id: uuid.UUID
    label: str
    input: float
    output: float
    cached: float


@dataclass(frozen=True, slots=True)
class Made:
    """One invented call: its row, after those of its attempts that failed, and its payloads when they are kept."""

    rows: list[tuple[Any, ...]]
    payloads: list[tuple[Any, ...]]


def _moments(stream: Stream, day: dt.date, first: dt.date, rng: random.Random) -> list[dt.datetime]:
    """Return when the stream's calls of a day begin: by hour of the day, fewer at weekends, more every week."""
    growth = 1 + 0.006 * (day - first).days
    wanted = stream.a_day * growth * (stream.weekend if day.weekday() >= 5 else 1) * rng.uniform(0.92, 1.08)
    midnight = dt.datetime.combine(day, dt.time(), dt.UTC)
    hours = rng.choices(range(24), weights=stream.hours, k=round(wanted))
    return [midnight + dt.timedelta(hours=hour, milliseconds=rng.randrange(3_600_000)) for hour in hours]


def _bad_quarter(until: dt.datetime) -> tuple[dt.datetime, dt.datetime]:
    """Return when the provider of the demo's chat model was down: five days ago, in the afternoon."""
    start = (until - dt.timedelta(days=5)).replace(hour=14, minute=6, second=0, microsecond=0)
    return start, start + dt.timedelta(minutes=15)


def _whose(stream: Stream, number: int) -> str:
    """Return whose call it is: the product that customers use says so, and some of them use it more than others."""
    share = number * 7919 % 997 / 997
    return f"customer-{1001 + int(share**3 * 180)}" if stream.key == "help-app" else ""


_FEATURES = ("answers", "answers", "answers", "search", "search", "summaries")
_PLANS = ("free", "team", "business")


def _what_for(stream: Stream, number: int) -> dict[str, str] | None:
    """Return what a call was for: the same product says which of its features asked, and on which plan."""
    if stream.key != "help-app" or number % 11 == 0:
        return None
    return {"feature": _FEATURES[number * 31 % 6], "plan": _PLANS[number * 7919 % 997 % 3]}


def calls(
    *,
    since: dt.datetime,
    until: dt.datetime,
    teams: dict[str, Team],
    keys: dict[tuple[str, str], ApiKey],
    served: dict[tuple[str, str], list[Served]],
    prompts: dict[tuple[str, str], list[tuple[dt.datetime, str]]],
    fallbacks: dict[tuple[str, str], Served],
) -> Iterator[Made]:
    """Yield the calls of all streams between two moments, oldest first."""
    rng = random.Random(SEED)  # noqa: S311  invented figures, no secret
    plan: list[tuple[dt.datetime, int]] = []
    for number, stream in enumerate(STREAMS):
        day = since.date()
        while day <= until.date():
            plan += [(at, number) for at in _moments(stream, day, since.date(), rng) if since <= at < until]
            day += dt.timedelta(days=1)
    plan.sort()
    outage = _bad_quarter(until)
    for count, (at, number) in enumerate(plan):
        stream = STREAMS[number]
        versions = served[stream.alias, stream.environment]
        version = next((v for v in reversed(versions) if v.since <= at), versions[0])
        keeps = rng.random() < _CONTENT or len(plan) - count <= _NEWEST
        key = keys[stream.team, stream.key]
        rendered = prompts.get((stream.alias, stream.environment), [])
        prompt = next((refs for since, refs in reversed(rendered) if since <= at), "")
        fallback = fallbacks.get((stream.alias, stream.environment))
        if fallback and fallback.since > at:
            fallback = None
        yield _call(count, at, stream, version, fallback, teams[stream.team], key, outage, rng, keeps, prompt)


def _call(
    number: int,
    at: dt.datetime,
    stream: Stream,
    version: Served,
    fallback: Served | None,
    team: Team,
    key: ApiKey,
    outage: tuple[dt.datetime, dt.datetime],
    rng: random.Random,
    keeps: bool,
    took_part: str,
) -> Made:
    prompt, completion = rng.randint(*stream.prompt), rng.randint(*stream.completion)
    cached = int(prompt * rng.uniform(0.3, 0.6)) if rng.random() < 0.35 else 0
    first = int(rng.uniform(*stream.first_us) * rng.lognormvariate(0, 0.22))
    latency = first + int(completion * stream.token_us * rng.uniform(0.8, 1.25))
    status, http, code, attempts = "ok", 200, "", 1
    chance = rng.random()
    is_down = version.label.startswith("meridian/") and outage[0] <= at < outage[1]
    failed, lost = None, first * 2
    if chance < (0.55 if is_down else 0.0035):
        if fallback and version.id != fallback.id:
            # The other provider answers, after the time the first took to fail.
            failed, version, attempts = version, fallback, 2
            first, latency = first + lost, latency + lost
        else:
            status, http, code, completion, latency = "error", 502, "upstream_error", 0, lost
    elif chance > 0.9965 and stream.key in {"help-app", "copy-tool"}:
        status, http, code, attempts = "refused", 429, "rate_limit_exceeded", 0
        prompt = cached = completion = 0
        latency = rng.randint(1_800, 4_200)
    elif stream.is_stream and 0.5 < chance < 0.506:
        status, completion = "client_disconnected", completion // 3
        latency = first + completion * stream.token_us
    whose, what_for = _whose(stream, number), _what_for(stream, number)
    has_answer = status in {"ok", "client_disconnected"}
    cost = (prompt - cached) * version.input + cached * version.cached + completion * version.output
    if status == "error":
        prompt, cached, cost = 0, 0, 0
    identifier = uuid.UUID(int=uuid7_at(at).int | rng.getrandbits(61))
    digests: list[bytes | None] = [None, None]
    payloads: list[tuple[Any, ...]] = []
    if keeps:
        texts = bodies(
            stream.topics,
            stream.alias,
            number,
            is_stream=stream.is_stream,
            rng=rng,
            user=whose,
            metadata=what_for,
        )
        for place, kind in enumerate(("input", "output")):
            if kind == "output" and not has_answer:
                continue
            kept = prepare_payload(texts[place])
            digests[place] = kept.stored_sha256
            payloads.append((identifier, kind, kept.body, kept.bytes, kept.sha256, kept.is_cut, kept.redactions))
    row: dict[str, Any] = {
        "id": identifier,
        "at": at,
        "closed_at": at + dt.timedelta(microseconds=latency),
        "type": stream.type,
        "status": status,
        "http_status": http,
        "code": code,
        "team_id": team.pk,
        "team": team.name,
        "actor_kind": "key",
        "actor_id": key.pk,
        "actor": key.name,
        "key_id": key.pk,
        "key": key.shown,
        "environment": stream.environment,
        "lane": stream.lane,
        "surface": stream.surface,
        "route": "/v1/chat/completions",
        "client_address": f"203.0.113.{10 + number % 40}",
        "client_request_id": f"demo-{number}",
        "alias": stream.alias,
        "model": version.label if status != "refused" else "",
        "model_version_id": version.id if status != "refused" else None,
        "stream": stream.is_stream,
        "attempts": attempts,
        "prompt_tokens": prompt,
        "cached_tokens": cached,
        "completion_tokens": completion,
        "cost_micros": round(cost),
        "latency_us": latency,
        "first_token_us": first if has_answer else None,
        "overhead_us": rng.randint(900, 2_400),
        "input_sha256": digests[0],
        "output_sha256": digests[1],
        "prompt": took_part,
        "end_user": whose,
        "metadata": json.dumps(what_for) if what_for else None,
        "detail": json.dumps({"fell_back_from": failed.label}) if failed else "",
    }
    rows = (
        [_attempt(row, failed, lost, uuid.UUID(int=uuid7_at(at).int | rng.getrandbits(61))), row] if failed else [row]
    )
    return Made([tuple(one[name] for name in COLUMNS) for one in rows], payloads)


def _attempt(row: dict[str, Any], failed: Served, lost: int, identifier: uuid.UUID) -> dict[str, Any]:
    """Return the line of the attempt that a call fell back from, which took `lost` microseconds and cost nothing."""
    return row | {
        "id": identifier,
        "closed_at": row["at"] + dt.timedelta(microseconds=lost),
        "status": "error",
        "http_status": 502,
        "code": "upstream_error",
        "model": failed.label,
        "model_version_id": failed.id,
        "attempts": 1,
        "prompt_tokens": 0,
        "cached_tokens": 0,
        "completion_tokens": 0,
        "cost_micros": 0,
        "latency_us": lost,
        "first_token_us": None,
        "input_sha256": None,
        "output_sha256": None,
        "detail": json.dumps({"attempt_of": request_id(row["id"])}),
    }
