"""`knowledge` of a call: the collections to search, and how many passages to insert."""

from typing import Any, NamedTuple

from console.core.errors import BadInput

MOST_COLLECTIONS, MOST_PASSAGES, USUAL_PASSAGES = 10, 20, 5
_LONGEST_NAME = 100
_FIELDS = {"collections", "limit"}


class KnowledgeRef(NamedTuple):
    collections: tuple[str, ...]
    limit: int


def check(name: str, value: Any) -> None:
    read(value)


def read(value: Any) -> KnowledgeRef:
    """Return what a body's `knowledge` names, or name the field at fault. A list is short for its collections."""
    if isinstance(value, list):
        value = {"collections": value}
    if not isinstance(value, dict):
        raise BadInput(
            'knowledge must be a list of collections, or an object: {"collections": ["prices"], "limit": 5}.',
            param="knowledge",
        )
    if unknown := sorted(value.keys() - _FIELDS):
        raise BadInput(f"{unknown[0][:60]!r} is not a field of knowledge.", param=f"knowledge.{unknown[0][:60]}")
    return KnowledgeRef(_collections(value.get("collections")), _limit(value.get("limit")))


def _collections(names: Any) -> tuple[str, ...]:
    where = "knowledge.collections"
    if not isinstance(names, list) or not names:
        raise BadInput("Name at least one collection.", param=where)
    if not all(isinstance(name, str) and 0 < len(name) <= _LONGEST_NAME for name in names):
        raise BadInput("Each collection is named by its short name: prices.", param=where)
    named = tuple(dict.fromkeys(names))
    if len(named) > MOST_COLLECTIONS:
        raise BadInput(
            f"A call looks into {MOST_COLLECTIONS} collections at most; {len(named)} are named.", param=where
        )
    return named


def _limit(limit: Any) -> int:
    if limit is None:
        return USUAL_PASSAGES
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MOST_PASSAGES:
        raise BadInput(f"knowledge.limit is a number of passages, from 1 to {MOST_PASSAGES}.", param="knowledge.limit")
    return limit
