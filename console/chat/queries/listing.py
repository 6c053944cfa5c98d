"""The list of conversations: pinned ones first, then by day, a page at a time."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Collate

from console.chat.models import Conversation, Message
from console.chat.queries.cursors import behind, place_of
from console.core.clock import now
from console.teams.models import User

PAGE = 40


@dataclass(frozen=True, slots=True)
class Group:
    name: str
    rows: list[Conversation]


@dataclass(frozen=True, slots=True)
class Listing:
    """`older` is where the next page begins, empty at the end."""

    groups: list[Group]
    older: str
    search: str
    is_archive: bool

    @property
    def is_empty(self) -> bool:
        return not self.groups


def _day_of(moment: dt.datetime, today: dt.date) -> str:
    days = (today - moment.date()).days
    if days <= 0:
        return "Today"
    if days == 1:
        return "Yesterday"
    if days < 7:
        return "This week"
    return f"{moment:%B}" if moment.year == today.year else f"{moment:%B %Y}"


def grouped(rows: Iterable[Conversation], today: dt.date, *, pins: bool) -> list[Group]:
    groups: dict[str, list[Conversation]] = {}
    for row in rows:
        name = "Pinned" if pins and row.pinned_at else _day_of(row.last_at, today)
        groups.setdefault(name, []).append(row)
    return [Group(name, found) for name, found in groups.items()]


class _ExistsBeside(Exists):
    """Looks beside each row that is found otherwise. Without OFFSET PostgreSQL may read all that could match before.

    For words that are nowhere that is every message of the installation, for one person's search.
    """

    template = "EXISTS(%(subquery)s OFFSET 0)"


def said_in(words: str) -> Q:
    """Return what finds conversations by their titles and messages, in capitals or not."""
    # Letters of ASCII are alike in every language, and compared in less than half of the time as those of none. Large
    # ones stay what they are in a database that speaks Turkish, where the server makes another of a small i.
    text, sought = (Collate("text", "C"), words.upper()) if words.isascii() else (F("text"), words)
    said = Message.objects.alias(compared=text).filter(conversation=OuterRef("pk"), compared__icontains=sought)
    return Q(title__icontains=words) | Q(_ExistsBeside(said))


def listing(
    conversations: QuerySet[Conversation], reader: User, *, search: str = "", is_archive: bool = False, before: str = ""
) -> Listing:
    """Return one page of what `access.conversations_for` allows. `before` is a place an earlier page gave."""
    rows = conversations.select_related("agent", "owner").order_by("-last_at", "-id")
    rows = rows.filter(leaf__isnull=False)
    if not search:
        rows = (
            rows.filter(owner=reader, archived_at__isnull=not is_archive)
            if is_archive
            else rows.filter(archived_at=None)
        )
    search = " ".join(search.replace("\x00", "").split())[:200]
    if search:
        rows = rows.filter(said_in(search))
    shows_pins = not search and not is_archive
    found = behind(rows, before)
    is_first = found is rows
    pinned: list[Conversation] = []
    if shows_pins:
        found = found.exclude(owner=reader, pinned_at__isnull=False)
        if is_first:
            pinned = list(rows.filter(owner=reader, pinned_at__isnull=False).order_by("-pinned_at", "-id")[:PAGE])
    page = list(found[: PAGE + 1])
    older = place_of(page[PAGE - 1]) if len(page) > PAGE else ""
    groups = [Group("Pinned", pinned)] if pinned else []
    return Listing(groups + grouped(page[:PAGE], now().date(), pins=False), older, search, is_archive)
