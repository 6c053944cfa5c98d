"""The look-up of calls that name collections: what the gateway asks for passages (console/gateway/knowledge.py).

A call is never lost because its question has no vector: the words alone decide then, and the record says so.
"""

import asyncio
import uuid

from django.db import Error, close_old_connections

from console.core.lanes import Lane
from console.gateway.errors import DatabaseAway
from console.gateway.knowledge import Found, Passage
from console.gateway.refusing import Identify
from console.gateway.shapes.knowledge_ref import KnowledgeRef
from console.gateway.types import Ask
from console.knowledge.access import get_collections
from console.knowledge.embedding import Asked
from console.knowledge.models import Collection
from console.knowledge.search import Search, search

# How long the vector of a question may take before the words alone decide. It is made to its end all the same.
PATIENCE_SECONDS = 4.0
_late: set["asyncio.Task[Search]"] = set()


async def look_up(identify: Identify, ask: Ask, team_id: uuid.UUID, wanted: KnowledgeRef, question: str) -> Found:
    """Return what a team's collections, or the organisation's, say about a question; the caller pays for its vector."""
    try:
        collections = await asyncio.to_thread(_collections, team_id, wanted.collections)
        done = await _searched(identify, ask, collections, question, wanted.limit)
    except Error as error:
        raise DatabaseAway from error
    passages = [
        Passage(
            collection=one.collection,
            document_id=one.document_id,
            document=one.document,
            version=one.version,
            heading=one.heading,
            position=one.passage_position,
            text=one.text,
        )
        for one in done.found
    ]
    return Found(passages, f"Found by words alone: {done.problem}" if done.problem else "")


async def _searched(identify: Identify, ask: Ask, collections: list[Collection], question: str, limit: int) -> Search:
    asked = Asked(
        surface=ask.surface,
        route=ask.route,
        client_address=ask.client_address,
        lane=ask.lane or Lane.INTERACTIVE,
    )
    task = asyncio.ensure_future(search(identify, collections, question, limit, asked=asked))
    _late.add(task)  # it goes on when nobody waits any more: the client may have left
    task.add_done_callback(_forget)
    done, _ = await asyncio.wait({task}, timeout=PATIENCE_SECONDS)
    if done:
        return task.result()
    by_words = await search(None, collections, question, limit, asked=asked)
    return Search(by_words.found, False, "The embeddings model took too long.")


def _forget(task: "asyncio.Task[Search]") -> None:
    _late.discard(task)
    if not task.cancelled():
        task.exception()  # whoever waited has gone on without it


def _collections(team_id: uuid.UUID, slugs: tuple[str, ...]) -> list[Collection]:
    close_old_connections()
    try:
        return get_collections(team_id, slugs, "knowledge")
    finally:
        close_old_connections()
