"""What the calls of one caller for one model have in common, computed for the first and cached for the others.

Kept with the caller as one snapshot knows it, so that it goes when the snapshot does, and only while no period ends, no
price changes and no increase of a limit begins or ends.
"""

import datetime as dt
from collections.abc import Iterable, Iterator

import orjson

from console.audit.models import EventType
from console.catalog.shapes import VersionShape
from console.core.errors import Unavailable
from console.core.lanes import Lane, slowest
from console.gateway.limits import header_limits_of, limit_at
from console.gateway.record import of_asker
from console.gateway.resolution import resolve
from console.gateway.snapshot import Snapshot
from console.gateway.targets import target_at
from console.gateway.types import Ask, Asker, Terms
from console.providers.types import Endpoint
from usage_app.models import Purpose
from usage_app.shapes import QuotaShape

_ALWAYS = dt.datetime.min.replace(tzinfo=dt.UTC), dt.datetime.max.replace(tzinfo=dt.UTC)


def terms_of(snapshot: Snapshot, asker: Asker, ask: Ask, step: int) -> Terms:
    """Return the terms of a call, at one step of its pin's chain. Raises Refusal."""
    place = (ask.model, ask.type, step, ask.agent.slug if ask.agent is not None else "")
    cached = asker.terms.get(place)
    if cached is not None and cached.since <= ask.at < cached.until:
        return cached
    terms = _make(snapshot, asker, ask, step)
    if step != 0 or terms.pinned.canary is None:  # whether a canary answers is decided for each call
        asker.terms[place] = terms
    return terms


def _make(snapshot: Snapshot, asker: Asker, ask: Ask, step: int) -> Terms:
    alias, pinned = resolve(snapshot, asker, ask.model)
    target = target_at(step, pinned, alias, asker, ask)
    if target is None:
        raise Unavailable(f"The fallbacks of {alias!r} changed during the request; try again.", retry_after=1)
    pin, version = target.pin, target.pin.version
    agent = ask.agent.slug if ask.agent is not None else ""
    quotas = tuple(limits_for(snapshot, asker, alias, agent, is_copy=ask.type == EventType.SHADOW))
    limits = tuple(limit_at(quota, ask.at) for quota in quotas)
    since, until = _period(_moments(version, quotas, ask.at), ask.at)
    most_lane = asker.key.max_lane if asker.key is not None else ""
    shared = {"epoch": snapshot.epoch, "alias": alias, "model": version.label, "model_version_id": version.id}
    return Terms(
        since=since,
        until=until,
        alias=alias,
        pinned=pinned,
        pin=pin,
        route=target.route,
        price=version.price_at(ask.at),
        lanes={lane: slowest(lane, most_lane, pin.lane) for lane in Lane.values},
        endpoint=Endpoint(version.provider.base_url, version.provider.secret),
        limits=limits,
        has_each=any(quota.each_end_user for quota in quotas),
        header_limits=header_limits_of(limits),
        record=orjson.dumps(shared | of_asker(asker)),
    )


def limits_for(snapshot: Snapshot, asker: Asker, alias: str, agent: str, *, is_copy: bool) -> Iterator[QuotaShape]:
    """Yield the limits that count a call; copies for a shadow have limits of their own."""
    for quota in snapshot.quotas.get(asker.team.id, ()):
        if (quota.purpose == Purpose.SHADOW) != is_copy:
            continue
        if quota.key_id is not None and (asker.key is None or asker.key.id not in quota.key_ids):
            continue
        if (quota.alias and quota.alias != alias) or (quota.agent and quota.agent != agent):
            continue
        if quota.widget_id is not None and (asker.actor_kind != "widget" or asker.actor_id != quota.widget_id):
            continue
        yield quota


def _moments(version: VersionShape, quotas: Iterable[QuotaShape], at: dt.datetime) -> Iterator[dt.datetime]:
    """Yield the moments before and after `at` when something else begins to hold."""
    yield from (price.effective_from for price in version.prices)
    for quota in quotas:
        yield quota.period(at)
        if (end := quota.resets_at(at)) is not None:
            yield end
        for start, end, _ in quota.increases:
            yield start
            yield end


def _period(moments: Iterable[dt.datetime], at: dt.datetime) -> tuple[dt.datetime, dt.datetime]:
    since, until = _ALWAYS
    for moment in moments:
        if moment <= at:
            since = max(since, moment)
        else:
            until = min(until, moment)
    return since, until
