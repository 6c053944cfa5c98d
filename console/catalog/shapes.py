"""The models and pins in the gateway's snapshot: plain values, no rows."""

import datetime as dt
import uuid
from dataclasses import dataclass, field, replace
from typing import Any

from console.catalog.models import Alias, ModelVersion, Pin, Price, Provider
from console.core.crypto import SecretUnreadable, decrypt

# Prices are kept in millionths of a micro-unit per token, so that cost is whole numbers all the way.
_PARTS = 1_000_000
# The `ttl` of a cache mark, without which nothing is kept for an hour.
_FOR_AN_HOUR = b'"1h"'
# Without one of these nothing is heard, and nothing said aloud: names of parts, types of files, what is to come back.
_SOUNDS = (b"audio", b"video", b'"file"')


@dataclass(frozen=True, slots=True)
class PriceShape:
    effective_from: dt.datetime
    input: int
    cached_input: int
    output: int
    reasoning: int
    cache_write: int
    cache_write_1h: int
    audio_input: int
    audio_output: int
    long_above: int = 0
    long: "PriceShape | None" = None  # of calls whose prompt has more tokens than that

    def cost(
        self,
        prompt: int,
        completion: int = 0,
        cached: int = 0,
        reasoning: int = 0,
        cache_written: int = 0,
        cache_written_1h: int = 0,
        audio_in: int = 0,
        audio_out: int = 0,
    ) -> int:
        """Return the cost of a Usage in micro-units, rounded up.

        Tokens read from a cache and written to one are part of the prompt, reasoning of the completion, audio of both.
        """
        if self.long is not None and prompt > self.long_above:
            return self.long.cost(
                prompt, completion, cached, reasoning, cache_written, cache_written_1h, audio_in, audio_out
            )
        thought = min(reasoning, completion)
        parts = (prompt - cached) * self.input + cached * self.cached_input
        parts += (completion - thought) * self.output + thought * self.reasoning
        if cache_written:
            parts += cache_written * (self.cache_write - self.input) + cache_written_1h * (
                self.cache_write_1h - self.cache_write
            )
        if audio_in or audio_out:
            parts += audio_in * (self.audio_input - self.input) + audio_out * (self.audio_output - self.output)
        return -(-parts // _PARTS)

    def most(self, prompt: int, completion: int, sent: bytes) -> int:
        """Return the most so many tokens can cost, whatever the provider caches and the model thinks.

        `sent` is the body of the request: what is only charged to who asks for it counts if it may ask for it.
        """
        most_in = max(self.input, self.cached_input, self.cache_write)
        if self.cache_write_1h > most_in and _FOR_AN_HOUR in sent:
            most_in = self.cache_write_1h
        most_out = max(self.output, self.reasoning)
        if (self.audio_input > most_in or self.audio_output > most_out) and any(word in sent for word in _SOUNDS):
            most_in, most_out = max(most_in, self.audio_input), max(most_out, self.audio_output)
        parts = prompt * most_in + completion * most_out
        most = -(-parts // _PARTS)
        if self.long is not None and prompt > self.long_above:
            most = max(most, self.long.most(prompt, completion, sent))  # the provider may count fewer
        return most


@dataclass(frozen=True, slots=True)
class ProviderShape:
    id: uuid.UUID
    slug: str
    kind: str
    base_url: str
    secret: str
    is_usable: bool
    first_byte_seconds: int | None
    total_seconds: int | None
    max_concurrency: int | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    is_builtin: bool = False


@dataclass(frozen=True, slots=True)
class VersionShape:
    id: uuid.UUID
    provider: ProviderShape
    name: str
    label: str
    context_tokens: int
    max_output_tokens: int
    capabilities: frozenset[str]
    is_retired: bool
    shutdown_on: dt.date | None
    created_at: dt.datetime
    prices: tuple[PriceShape, ...]  # newest first

    def price_at(self, moment: dt.datetime) -> PriceShape | None:
        for price in self.prices:
            if price.effective_from <= moment:
                return price
        return None


@dataclass(frozen=True, slots=True)
class FallbackShape:
    """The next version to try, and after what (values of Trouble)."""

    version: VersionShape
    on: frozenset[str]
    tries: int


@dataclass(frozen=True, slots=True)
class PinShape:
    version: VersionShape
    default_parameters: dict[str, Any]
    max_parameters: dict[str, Any] = field(default_factory=dict)
    canary: tuple[VersionShape, int] | None = None  # with its share of the callers in percent, 1 to 100
    shadow: tuple[VersionShape, int] | None = None  # with its share of the calls in percent, 1 to 100
    fallbacks: tuple[FallbackShape, ...] = ()  # in the order they are tried
    lane: str = ""  # the fastest lane it gives; empty: as the caller may

    @property
    def versions(self) -> tuple[VersionShape, ...]:
        """Every version that may answer a caller of this pin."""
        canary = (self.canary[0],) if self.canary else ()
        return (self.version, *canary, *(fallback.version for fallback in self.fallbacks))


@dataclass(frozen=True, slots=True)
class AliasShape:
    name: str
    team_ids: frozenset[uuid.UUID]  # empty: for every team
    pins: dict[str, PinShape]
    created_at: dt.datetime

    def is_for(self, team_id: uuid.UUID) -> bool:
        return not self.team_ids or team_id in self.team_ids


Versions = dict[uuid.UUID, VersionShape]


def _provider(row: Provider) -> ProviderShape:
    secret, is_readable = "", True
    if row.secret:
        try:
            secret = decrypt(row.secret)
        except SecretUnreadable:
            is_readable = False
    return ProviderShape(
        id=row.pk,
        slug=row.slug,
        kind=row.kind,
        base_url=row.base_url.rstrip("/"),
        secret=secret,
        is_usable=row.is_enabled and is_readable,
        first_byte_seconds=row.first_byte_seconds,
        total_seconds=row.total_seconds,
        max_concurrency=row.max_concurrency,
        requests_per_minute=row.requests_per_minute,
        tokens_per_minute=row.tokens_per_minute,
        is_builtin=row.is_builtin,
    )


def _price(row: Price) -> PriceShape:
    price = _usual(row)
    if row.long_above is None:
        return price
    long_input = price.input if row.long_input is None else int(row.long_input * _PARTS)
    long_output = price.output if row.long_output is None else int(row.long_output * _PARTS)

    def dearer(part: int, usual: int, long: int) -> int:
        """Return a part as much dearer as input or output is."""
        return part * long // usual if usual else part or long

    long = replace(
        price,
        input=long_input,
        output=long_output,
        reasoning=dearer(price.reasoning, price.output, long_output),
        cached_input=dearer(price.cached_input, price.input, long_input),
        cache_write=dearer(price.cache_write, price.input, long_input),
        cache_write_1h=dearer(price.cache_write_1h, price.input, long_input),
        audio_input=dearer(price.audio_input, price.input, long_input),
        audio_output=dearer(price.audio_output, price.output, long_output),
    )
    return replace(price, long_above=row.long_above, long=long)


def _usual(row: Price) -> PriceShape:
    cached = row.input if row.cached_input is None else row.cached_input
    written = row.input if row.cache_write is None else row.cache_write
    for_an_hour = written if row.cache_write_1h is None else row.cache_write_1h
    reasoning = row.output if row.reasoning is None else row.reasoning
    return PriceShape(
        effective_from=row.effective_from,
        input=int(row.input * _PARTS),
        cached_input=int(cached * _PARTS),
        output=int(row.output * _PARTS),
        reasoning=int(reasoning * _PARTS),
        cache_write=int(written * _PARTS),
        cache_write_1h=int(for_an_hour * _PARTS),
        audio_input=int((row.input if row.audio_input is None else row.audio_input) * _PARTS),
        audio_output=int((row.output if row.audio_output is None else row.audio_output) * _PARTS),
    )


def version_shapes() -> Versions:
    providers = {row.pk: _provider(row) for row in Provider.objects.all()}
    found = {}
    for row in ModelVersion.objects.prefetch_related("prices"):
        provider = providers[row.provider_id]
        prices = [_price(price) for price in row.prices.all()]
        found[row.pk] = VersionShape(
            id=row.pk,
            provider=provider,
            name=row.name,
            label=f"{provider.slug}/{row.name}",
            context_tokens=row.context_tokens,
            max_output_tokens=row.max_output_tokens,
            capabilities=frozenset(row.capabilities),
            is_retired=row.retired_at is not None,
            shutdown_on=row.shutdown_on,
            created_at=row.created_at,
            prices=tuple(sorted(prices, key=lambda p: p.effective_from, reverse=True)),
        )
    return found


def _share(version_id: uuid.UUID | None, percent: int, versions: Versions) -> tuple[VersionShape, int] | None:
    return (versions[version_id], percent) if version_id and percent else None


def _pin(row: Pin, versions: Versions) -> PinShape:
    return PinShape(
        version=versions[row.model_version_id],
        default_parameters=row.default_parameters,
        max_parameters=row.max_parameters,
        canary=_share(row.canary_version_id, row.canary_percent, versions),
        shadow=_share(row.shadow_version_id, row.shadow_percent, versions),
        fallbacks=tuple(
            FallbackShape(versions[f.model_version_id], frozenset(f.on), f.tries)
            for f in row.fallbacks.all()
            if f.model_version_id != row.model_version_id  # the pin may have moved to one of its fallbacks
        ),
        lane=row.lane,
    )


def alias_shapes(versions: Versions) -> dict[str, AliasShape]:
    return {
        row.name: AliasShape(
            name=row.name,
            team_ids=frozenset(team.pk for team in row.teams.all()),
            pins={pin.environment: _pin(pin, versions) for pin in row.pins.all()},
            created_at=row.created_at,
        )
        for row in Alias.objects.prefetch_related("pins__fallbacks", "teams")
    }
