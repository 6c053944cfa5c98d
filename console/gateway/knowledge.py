"""Put numbered passages of documents before the question of a call, and record which they were.

What documents there are is known in a room above, which registers its look-up here when the process starts
(`AppConfig.ready`). Calls that name no collections never come here. Why the passages stand in the user's message:
docs/decisions/knowledge-in-calls.md.
"""

import uuid
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

import orjson

from console.core.errors import BadInput, Refusal
from console.core.scrub import scrub
from console.gateway.errors import AgentNotReady, DatabaseAway
from console.gateway.questions import question_in, search_query, with_block
from console.gateway.refusals import Identify
from console.gateway.shapes import knowledge_ref
from console.gateway.shapes.knowledge_ref import KnowledgeRef
from console.gateway.sources import block_of
from console.gateway.types import Ask, Asker, Retrieved

_OPERATIONS = frozenset({"chat", "message", "response"})
_NO_QUESTION = "The last message of the user has no words to look up."


class Passage(NamedTuple):
    """A part of one version of a document."""

    collection: str
    document_id: uuid.UUID
    document: str
    version: int
    heading: str
    position: int
    text: str


class SearchResult(NamedTuple):
    """Passages, the best first. `note` says in a sentence what the search had to do without; empty for nothing."""

    passages: Sequence[Passage]
    note: str = ""


class LookUp(Protocol):
    """Finds passages in collections as a team sees them; raises a Refusal that names a collection that is not there.

    What that costs is whoever's who makes the call.
    """

    def __call__(
        self, identify: Identify, ask: Ask, team_id: uuid.UUID, ref: KnowledgeRef, question: str
    ) -> Awaitable[SearchResult]: ...


LOOK_UPS: list[LookUp] = []


def needs_search(ask: Ask) -> bool:
    """Return whether an ask needs a search for passages, which may cost something."""
    return ask.operation in _OPERATIONS and ask.body.get("knowledge") is not None


def without_knowledge(ask: Ask) -> Ask:
    """Return the ask as if it named no collections."""
    return replace(ask, body={name: value for name, value in ask.body.items() if name != "knowledge"})


async def with_knowledge(identify: Identify, asker: Asker, ask: Ask, earlier: Retrieved | None = None) -> Ask:
    """Return the ask with the passages its collections have for its question.

    The collections of an agent are read as its own team sees them. `earlier` is what was found for the same ask a
    moment ago, under settings that have changed since: it is not paid for again.
    """
    if ask.operation not in _OPERATIONS:
        return ask
    named, body = ask.body["knowledge"], without_knowledge(ask).body
    if named is None:
        return replace(ask, body=body)
    ref = knowledge_ref.read(named)
    place = question_in(ask.operation, body)
    if place is None and ask.agent is None:
        raise BadInput("knowledge needs a question: the last message of the user has no words.", param="knowledge")
    team_id = asker.team.id if ask.agent is None else ask.agent.team_id
    question = search_query(body, place, ask.history) if place else ""
    looked_up = (team_id, ref, place, question)
    if earlier is None or earlier.looked_up != looked_up:
        result = await _search(identify, asker, ask, ref, question) if place else SearchResult((), _NO_QUESTION)
        earlier = _retrieved(looked_up, ref, result)
    if place and earlier.block:
        body = with_block(body, place, earlier.block)
    # The log keeps both: the request, and the text with its passages.
    text = orjson.dumps({**orjson.loads(ask.text), **body, "knowledge": named}).decode()
    return replace(ask, body=body, text=text, knowledge=earlier)


async def _search(identify: Identify, asker: Asker, ask: Ask, ref: KnowledgeRef, question: str) -> SearchResult:
    (look_up,) = LOOK_UPS
    if ask.agent is None:
        return await look_up(identify, ask, asker.team.id, ref, question)
    try:
        return await look_up(identify, ask, ask.agent.team_id, ref, question)
    except DatabaseAway:
        raise
    except Refusal as refusal:
        is_inside = asker.team.id == ask.agent.team_id
        raise AgentNotReady(ask.agent.slug, refusal.message, is_inside=is_inside) from refusal


def _retrieved(looked_up: tuple[object, ...], ref: KnowledgeRef, result: SearchResult) -> Retrieved:
    citations: list[dict[str, Any]] = [
        {
            "n": n,
            "document": passage.document,
            "version": passage.version,
            "collection": passage.collection,
            "heading": passage.heading,
        }
        for n, passage in enumerate(result.passages, 1)
    ]
    sources = [
        {
            **citation,
            "document": scrub(passage.document)[0],
            "heading": scrub(passage.heading)[0],
            "document_id": str(passage.document_id),
            "passage": passage.position,
        }
        for citation, passage in zip(citations, result.passages, strict=True)
    ]
    record: dict[str, Any] = {"collections": ref.collections, "sources": sources}
    record |= {"note": result.note} if result.note else {}
    return Retrieved(citations, record, looked_up, block_of(result.passages) if result.passages else "")
