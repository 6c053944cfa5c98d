"""Find passages for calls that name collections; the gateway asks for them (console/gateway/knowledge.py).

A call is never lost because its question has no vector: the words alone decide then, and the record says so.
"""

import uuid

from django.db import Error

from console.core.connections import in_thread
from console.core.ids import request_id
from console.core.lanes import Lane
from console.gateway.errors import DatabaseAway
from console.gateway.knowledge import Passage, SearchResult
from console.gateway.refusals import Identify
from console.gateway.shapes.knowledge_ref import KnowledgeRef
from console.gateway.types import Ask
from console.knowledge.access import get_collections
from console.knowledge.embedding import CallOrigin
from console.knowledge.likeness import alike_enough
from console.knowledge.search import MOST_FOUND, search

# How long the vector of a question may take before the words alone decide.
PATIENCE_SECONDS = 4.0


async def look_up(identify: Identify, ask: Ask, team_id: uuid.UUID, ref: KnowledgeRef, question: str) -> SearchResult:
    """Return what a team's collections, or the organisation's, say about a question; the caller pays for its vector."""
    try:
        collections = await in_thread(lambda: get_collections(team_id, ref.collections, "knowledge"))
        asked = CallOrigin(
            surface=ask.surface,
            route=ask.route,
            client_address=ask.client_address,
            # The log finds the vector by what the call is known by, else by the call itself.
            client_request_id=ask.client_request_id or request_id(ask.id),
            lane=ask.lane or Lane.INTERACTIVE,
            end_user=ask.end_user,
            metadata=ask.metadata,
        )
        done = await search(identify, collections, question, MOST_FOUND, origin=asked, patience=PATIENCE_SECONDS)
    except Error as error:
        raise DatabaseAway from error
    passages = [
        Passage(
            collection=passage.collection,
            document_id=passage.document_id,
            document=passage.document,
            version=passage.version,
            heading=passage.heading,
            position=passage.passage_position,
            text=passage.text,
        )
        for passage in alike_enough(done.found, collections)[: ref.limit]
    ]
    return SearchResult(passages, f"Found by words alone: {done.problem}" if done.problem else "")
