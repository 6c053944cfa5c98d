"""Search lists of agents and tools, a page at a time."""

from collections.abc import Mapping
from typing import TypeVar

from django.core.paginator import Page, Paginator
from django.db.models import Model, Q, QuerySet

from console.core import parsing

PER_PAGE = 50
_LONGEST = 200
_M = TypeVar("_M", bound=Model)


def search_in(query: Mapping[str, str]) -> tuple[str, int]:
    """Return the words and the number of the page that stand in an address."""
    words = query.get("q", "").replace("\0", "").strip()[:_LONGEST]
    return words, parsing.number(query.get("page", ""), 1)


def page_of(rows: QuerySet[_M], words: str, number: int) -> Page[_M]:
    """Return a page of the rows whose name, short name or description has all the words. A page too far is the last."""
    for word in words.split()[:8]:
        rows = rows.filter(Q(name__icontains=word) | Q(slug__icontains=word) | Q(description__icontains=word))
    return Paginator(rows, PER_PAGE).get_page(number)
