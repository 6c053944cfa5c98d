"""Embed texts with a call of the pipeline, subject to quotas and recorded, on behalf of the caller."""

import asyncio
import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from console.catalog.models import ModelVersion
from console.core.errors import NotAllowed, ProviderError
from console.core.lanes import Lane
from console.gateway import pipeline
from console.gateway.asks import own_ask
from console.gateway.refusals import Identify
from console.gateway.snapshot import Snapshot
from console.gateway.types import Asker

SURFACE = "knowledge"
# What pgvector keeps.
_MOST_NUMBERS, _LARGEST = 16_000, 3.4e38


@dataclass(frozen=True, slots=True)
class CallOrigin:
    """What the log says of the call besides who made it: the face it came by."""

    surface: str = SURFACE
    route: str = ""
    client_address: str = ""
    client_request_id: str = ""
    lane: str = Lane.INTERACTIVE
    end_user: str = ""
    metadata: dict[str, str] | None = None


class Embedded(NamedTuple):
    """A vector for each text, as pgvector writes it, and the call that made them."""

    vectors: list[str]
    request_id: uuid.UUID
    tokens: int
    cost_micros: int


async def embed(identify: Identify, model: ModelVersion, texts: Sequence[str], origin: CallOrigin) -> Embedded:
    """Have a model make a vector of each text; raises Refusal or ProviderError."""
    body = {"model": str(model), "input": list(texts)}
    ask = own_ask(
        "embedding",
        body,
        surface=origin.surface,
        route=origin.route,
        lane=origin.lane,
        client_address=origin.client_address,
        client_request_id=origin.client_request_id,
        end_user=origin.end_user,
        metadata=origin.metadata,
    )
    call = await pipeline.open_call(_with_the_collections_model(identify), ask)
    raw = await pipeline.answer(call)
    vectors, tokens = await asyncio.to_thread(_read, raw, len(texts))
    return Embedded(vectors, ask.id, tokens, call.cost_micros)


def _read(raw: bytes, count: int) -> tuple[list[str], int]:
    """Return the vectors of an answer and the tokens it counts."""
    try:
        body = orjson.loads(raw)
        rows = [[float(number) for number in row["embedding"]] for row in body["data"]]
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        body, rows = {}, []
    if len(rows) != count or not all(rows):
        raise ProviderError("The embeddings model did not answer with a vector for each text.", code="upstream_invalid")
    if (longest := max(map(len, rows), default=0)) > _MOST_NUMBERS:
        raise ProviderError(
            f"The embeddings model answers with vectors of {longest:,} numbers; {_MOST_NUMBERS:,} is the most.",
            code="upstream_invalid",
        )
    if not all(map(_is_finite, rows)):
        raise ProviderError(
            "The embeddings model answers with vectors that cannot be kept: a number in them is too large or none.",
            code="upstream_invalid",
        )
    usage = body.get("usage")
    tokens = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    return [orjson.dumps(row).decode() for row in rows], tokens if isinstance(tokens, int) else 0


def _is_finite(row: list[float]) -> bool:
    """Return whether each number is one in single precision."""
    return not any(map(math.isnan, row)) and max(map(abs, row)) <= _LARGEST


def _with_the_collections_model(identify: Identify) -> Identify:
    """Return the same caller, who may use the model the collection was given: its passages fit no other.

    Whoever set the collection up chose it among what their team may call. All else stays the caller's: team, key,
    environment, quotas.
    """

    def resolve(snapshot: Snapshot) -> Asker:
        return identify(snapshot)._replace(aliases=frozenset(), may_call_exact=True, terms={})

    return resolve


class TeamIdentity:
    """The installation at work for a team: vectors of passages are charged to the team that pays for the collection."""

    __slots__ = ("_team_id",)

    def __init__(self, team_id: uuid.UUID) -> None:
        self._team_id = team_id

    def __call__(self, snapshot: Snapshot) -> Asker:
        team = snapshot.teams.get(self._team_id)
        if team is None or not team.is_open:
            raise NotAllowed("The team that pays for this collection's vectors is archived; choose another.")
        return Asker(team=team, environment="production", actor_kind="system", actor_id=None, actor="Facet", terms={})
