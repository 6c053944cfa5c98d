"""Search current versions for passages, by words and by meaning.

The vector of a question is an ordinary call by whoever asks. Where it cannot be made, because a quota is used up or the
model is away, the words alone decide, and that is said.
"""

import asyncio
import datetime as dt
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import BoundedSemaphore
from typing import Any, TypeVar

from console.core.connections import in_thread, let_go
from console.core.errors import BadInput, ProviderError, Refusal, Unavailable
from console.core.sql import TooSlow
from console.gateway import sync
from console.gateway.refusals import Identify
from console.knowledge import sql
from console.knowledge.embedding import CallOrigin, embed
from console.knowledge.models import Collection

MOST_FOUND = 20
# The end of a question says what it is about, where somebody pastes a page before it.
LONGEST_QUESTION = 4_000
MOST_COLLECTIONS = 20
# Searches of one process at a time: no other work of threads ever waits behind them.
_SEARCHERS = ThreadPoolExecutor(4, thread_name_prefix="knowledge")
_ROOM = BoundedSemaphore(32)  # those in progress, and those that wait
# How long the question's vector may take before words alone decide. It is made to its end all the same.
PATIENCE_SECONDS = 10.0
_late: set["asyncio.Task[_QuestionVectors]"] = set()
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class FoundPassage:
    """One passage, and where it stands. `version` is the number that was current, `document` its name.

    `score` orders what was found; it compares with nothing else. `words_place` and `meaning_place` are its places in
    the two lists it was fused from, None where it is in only one. `similarity` is the cosine, 1 for the same direction.
    """

    document_id: uuid.UUID
    document: str
    version: int
    version_id: uuid.UUID
    passage_position: int
    heading: str
    text: str
    score: float
    collection: str  # its slug
    collection_id: uuid.UUID
    updated_at: dt.datetime
    words_place: int | None = None
    meaning_place: int | None = None
    similarity: float | None = None


@dataclass(frozen=True, slots=True)
class SearchOutcome:
    """What a search came to. `problem` says why meaning did not count where it should have.

    The rest is about the calls that made the question's vectors: the last one's id, and what all came to.
    """

    found: list[FoundPassage]
    by_meaning: bool
    problem: str = ""
    request_id: uuid.UUID | None = None
    tokens: int = 0
    cost_micros: int = 0


async def search(
    caller: Identify | None,
    collections: Sequence[Collection],
    question: str,
    limit: int = 5,
    *,
    origin: CallOrigin = CallOrigin(),  # noqa: B008 (frozen)
    patience: float = PATIENCE_SECONDS,
) -> SearchOutcome:
    """Search as `caller`, who pays for the vector of the question; None searches by words alone.

    Which collections the caller may read is decided before (`access`). Runs on an event loop of the gateway.
    """
    question = _checked(collections, question, limit)
    if not question:
        return SearchOutcome([], False)
    asking = await _patiently(patience, caller, collections, question, origin)
    return asking.search(await _search(lambda: _look(collections, question, asking.vectors, limit)))


def search_now(
    caller: Identify | None,
    collections: Sequence[Collection],
    question: str,
    limit: int = 5,
    *,
    origin: CallOrigin = CallOrigin(),  # noqa: B008 (frozen)
) -> SearchOutcome:
    """`search`, for callers that are not async. No connection is held while the model is asked."""
    question = _checked(collections, question, limit)
    if not question:
        return SearchOutcome([], False)
    asking = _QuestionVectors()
    if caller is not None and any(collection.model_id for collection in collections):
        let_go()
        asking = sync.run(_patiently(PATIENCE_SECONDS, caller, collections, question, origin))
    return asking.search(_look(collections, question, asking.vectors, limit))


def _checked(collections: Sequence[Collection], question: str, limit: int) -> str:
    """Return the question as it is searched; empty when there is nothing to look for or in."""
    if len(collections) > MOST_COLLECTIONS:
        raise BadInput(f"{len(collections)} collections are too many for one search; {MOST_COLLECTIONS} is the most.")
    if not 1 <= limit <= MOST_FOUND:
        raise BadInput(f"limit must be from 1 to {MOST_FOUND}.", param="limit")
    readable = question.replace("\x00", " ").encode(errors="replace").decode().strip()
    return readable[-LONGEST_QUESTION:] if collections else ""


def _look(
    collections: Sequence[Collection], question: str, vectors: dict[uuid.UUID, str], limit: int
) -> list[FoundPassage]:
    slugs = {collection.pk: collection.slug for collection in collections}
    try:
        return [_passage_of(slugs, row) for row in sql.find(list(slugs), question, vectors, limit)]
    except TooSlow:
        raise Unavailable("The search took too long. Search fewer collections at once.", retry_after=10) from None


@dataclass(slots=True)
class _QuestionVectors:
    """The question's vector for each model, and what making them came to."""

    vectors: dict[uuid.UUID, str] = field(default_factory=dict)
    problem: str = ""
    request_id: uuid.UUID | None = None
    tokens: int = 0
    cost_micros: int = 0

    def search(self, found: list[FoundPassage]) -> SearchOutcome:
        return SearchOutcome(found, bool(self.vectors), self.problem, self.request_id, self.tokens, self.cost_micros)


async def _patiently(
    seconds: float, caller: Identify | None, collections: Sequence[Collection], question: str, origin: CallOrigin
) -> _QuestionVectors:
    task = asyncio.ensure_future(_question_vectors(caller, collections, question, origin))
    _late.add(task)  # it continues when nobody waits any more
    task.add_done_callback(_forget)
    done, _ = await asyncio.wait({task}, timeout=seconds)
    return task.result() if done else _QuestionVectors(problem="The embeddings model took too long.")


def _forget(task: "asyncio.Task[_QuestionVectors]") -> None:
    _late.discard(task)
    if not task.cancelled():
        task.exception()  # whoever waited has gone on without it


async def _question_vectors(
    caller: Identify | None, collections: Sequence[Collection], question: str, origin: CallOrigin
) -> _QuestionVectors:
    """Have each model of the collections make the question's vector; what goes wrong is kept as a sentence."""
    models = {model.pk: model for collection in collections if (model := collection.model) is not None}
    vectors = _QuestionVectors()
    if caller is None:
        return vectors
    for model_id, model in models.items():
        try:
            embedded = await embed(caller, model, [question], origin)
        except (Refusal, ProviderError) as error:
            vectors.problem = error.message
            continue
        vectors.vectors[model_id] = embedded.vectors[0]
        vectors.request_id = embedded.request_id
        vectors.tokens += embedded.tokens
        vectors.cost_micros += embedded.cost_micros
    return vectors


async def _search(work: Callable[[], _T]) -> _T:
    if not _ROOM.acquire(blocking=False):
        raise Unavailable("Too many searches are under way; try again in a moment.", retry_after=5)
    try:
        return await in_thread(work, _SEARCHERS)
    finally:
        _ROOM.release()


def _passage_of(slugs: dict[uuid.UUID, str], row: tuple[Any, ...]) -> FoundPassage:
    collection, document, name, version, number, at, position, heading, text, score, words, meaning, similarity = row
    return FoundPassage(
        document_id=document,
        document=name,
        version=number,
        version_id=version,
        passage_position=position,
        heading=heading,
        text=text,
        score=round(float(score), 5),
        collection=slugs[collection],
        collection_id=collection,
        updated_at=at,
        words_place=words,
        meaning_place=meaning,
        similarity=None if similarity is None else round(float(similarity), 4),
    )
