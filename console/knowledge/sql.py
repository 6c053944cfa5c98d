"""SQL of knowledge: vectors, and the search that merges words and meaning.

The ORM has no words for vectors, ranks of two lists, or `row_number` over a limited set. A search is one statement; see
docs/decisions/knowledge.md for what was measured.
"""

import datetime as dt
import uuid
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.db import connection  # noqa: TID251

from console.core.sql import cursor_within

# Each list gives so many places to the fused one; further down neither says much.
_DEPTH = 50
# Each word is looked for in each passage: a thousand take seconds. The last of a long question say what it is about.
_MOST_WORDS = 100
# Of reciprocal rank fusion: how much less the second place counts than the first. 60 is what its authors found good.
_FLATNESS = 60

# A question is a sentence, so its words are alternatives: a passage need not have them all, and ranks higher with more.
# They are read in each language there is among the passages. What is MATERIALIZED is computed once: inlined, the
# question's vector would be read from its text again for every passage (3.9 s instead of 0.1).
_FIND = """
WITH shelf AS MATERIALIZED (
    SELECT d.id AS document_id, d.name, d.collection_id, v.id AS version_id, v.number, v.created_at,
        c.language, c.model_id
    FROM knowledge_document d
    JOIN knowledge_collection c ON c.id = d.collection_id
    JOIN knowledge_documentversion v ON v.id = d.current_id
    WHERE d.collection_id = ANY(%(collections)s) AND d.deleted_at IS NULL AND c.deleted_at IS NULL
), asked AS MATERIALIZED (
    SELECT language, (
        SELECT string_agg(quote_literal(lexeme), ' | ')::tsquery FROM (
            SELECT lexeme FROM unnest(to_tsvector(language::regconfig, %(question)s))
            ORDER BY positions[array_upper(positions, 1)] DESC, lexeme LIMIT %(most_words)s
        ) last
    ) AS query
    FROM (SELECT DISTINCT language FROM shelf) each
), by_words AS (
    SELECT id, row_number() OVER (ORDER BY rank DESC, id) AS place FROM (
        SELECT p.id, ts_rank(p.words, a.query, 1) AS rank
        FROM shelf s JOIN asked a USING (language)
        CROSS JOIN LATERAL (SELECT id, words FROM knowledge_passage WHERE version_id = s.version_id OFFSET 0) p
        WHERE p.words @@ a.query
        ORDER BY rank DESC, p.id LIMIT %(depth)s
    ) best
), meant AS MATERIALIZED (
    SELECT id AS model_id, text::vector AS vector FROM unnest(%(models)s::uuid[], %(vectors)s::text[]) given (id, text)
), likenesses AS MATERIALIZED (
    SELECT p.id, 1 - (p.embedding <=> m.vector) AS similarity
    FROM meant m JOIN shelf s USING (model_id) JOIN knowledge_passage p ON p.version_id = s.version_id
    WHERE p.embedding IS NOT NULL AND vector_dims(p.embedding) = vector_dims(m.vector)
), by_meaning AS (
    SELECT id, similarity, row_number() OVER (ORDER BY similarity DESC, id) AS place FROM (
        SELECT id, similarity FROM likenesses WHERE similarity <> 'NaN' ORDER BY similarity DESC, id LIMIT %(depth)s
    ) best
)
SELECT s.collection_id, s.document_id, s.name, s.version_id, s.number, s.created_at, p.position, p.heading, p.text,
    coalesce(1.0 / (%(flatness)s + w.place), 0) + coalesce(1.0 / (%(flatness)s + m.place), 0) AS score,
    w.place, m.place, m.similarity
FROM by_words w FULL JOIN by_meaning m USING (id)
JOIN knowledge_passage p USING (id) JOIN shelf s ON s.version_id = p.version_id
ORDER BY score DESC, p.id LIMIT %(limit)s
"""

# Passages that say the same as in an earlier version of their document keep the vector that has been paid for.
_TAKE_OVER = """
UPDATE knowledge_passage p SET embedding = old.embedding
FROM (
    SELECT DISTINCT ON (o.title, o.heading, o.text) o.title, o.heading, o.text, o.embedding
    FROM knowledge_passage o JOIN knowledge_documentversion v ON v.id = o.version_id
    WHERE v.document_id = %s AND v.id <> %s AND o.embedding IS NOT NULL
) old
WHERE p.version_id = %s AND p.embedding IS NULL
    AND p.title = old.title AND p.heading = old.heading AND p.text = old.text
"""

# The collection is locked, so that a change of its model that is being made is waited for and seen: it forgets the
# vectors it finds, and nobody would ever make again what was written beside it.
_WRITE_VECTORS = """
WITH shelf AS MATERIALIZED (
    SELECT id FROM knowledge_collection WHERE id = %s AND model_id = %s FOR SHARE
)
UPDATE knowledge_passage p SET embedding = given.vector::vector
FROM unnest(%s::bigint[], %s::text[]) AS given (id, vector),
    knowledge_documentversion v, knowledge_document d, shelf
WHERE p.id = given.id AND v.id = p.version_id AND d.id = v.document_id AND d.collection_id = shelf.id
"""

_FORGET_VECTORS = """
UPDATE knowledge_passage p SET embedding = NULL
FROM knowledge_documentversion v, knowledge_document d
WHERE v.id = p.version_id AND d.id = v.document_id AND d.collection_id = %s AND p.embedding IS NOT NULL
"""

_WAITING = """
SELECT c.id FROM knowledge_collection c
WHERE c.deleted_at IS NULL AND c.model_id IS NOT NULL AND (c.held_until IS NULL OR c.held_until <= %(now)s)
    AND (c.retry_at IS NULL OR c.retry_at <= %(now)s)
    AND EXISTS (
        SELECT FROM knowledge_document d JOIN knowledge_passage p ON p.version_id = d.current_id
        WHERE d.collection_id = c.id AND d.deleted_at IS NULL AND p.embedding IS NULL
    )
ORDER BY c.id LIMIT 100
"""


def find(
    collections: Sequence[uuid.UUID], question: str, vectors: dict[uuid.UUID, str], limit: int
) -> list[tuple[Any, ...]]:
    """Return the best passages of the current versions: two lists, by words and by meaning, fused by their places.

    `vectors` has the question's vector for each model that made the collections' passages. Raises TooSlow.
    """
    with cursor_within(settings.STATEMENT_TIMEOUT_MS) as cursor:
        cursor.execute(
            _FIND,
            {
                "collections": list(collections),
                "question": question,
                "models": list(vectors),
                "vectors": list(vectors.values()),
                "depth": _DEPTH,
                "most_words": _MOST_WORDS,
                "flatness": _FLATNESS,
                "limit": limit,
            },
        )
        return list(cursor.fetchall())


def take_over_vectors(document_id: uuid.UUID, version_id: uuid.UUID) -> int:
    """Give a new version's passages the vectors that the same passages of other versions have."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKE_OVER, [document_id, version_id, version_id])
        return int(cursor.rowcount)


def write_vectors(collection_id: uuid.UUID, vectors: dict[int, str], model_id: uuid.UUID) -> int:
    """Keep vectors of passages, unless their collection has another model by now."""
    with connection.cursor() as cursor:
        cursor.execute(_WRITE_VECTORS, [collection_id, model_id, list(vectors), list(vectors.values())])
        return int(cursor.rowcount)


def forget_vectors(collection_id: uuid.UUID) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_FORGET_VECTORS, [collection_id])
        return int(cursor.rowcount)


def collections_waiting(now: dt.datetime) -> list[uuid.UUID]:
    """Return the collections with passages that lack a vector, and nobody at work on them."""
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, {"now": now})
        return [row[0] for row in cursor.fetchall()]
