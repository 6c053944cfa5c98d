"""One page of the library: filtered, sorted by use, name or change, with a cursor."""

import base64
import datetime as dt
import json
import re
from dataclasses import dataclass

from django.contrib.postgres.search import SearchQuery
from django.db.models import Count, F, Func, Prefetch, Q, QuerySet, Window

from console.core.errors import BadInput
from prompts_app.models import USUAL_LABELS, Kind, Label, Prompt

PAGE_ROWS = 50
SORTS = {"use": "Most used", "name": "Name", "changed": "Last changed"}
# What only a page of one version reads.
HEAVY = ("content", "variables", "parameters", "includes")
_HEAVY_OF_LABEL = tuple(f"version__{name}" for name in HEAVY)
_MOST_TAGS = 30
_UNREADABLE = "This page of the list cannot be read from its address. Start again from its first page."


@dataclass(frozen=True, slots=True)
class Filters:
    """What the reader narrowed the list to."""

    words: str = ""
    folder: str = ""
    label: str = ""
    tag: str = ""
    kind: str = ""
    is_unused: bool = False
    sort: str = "use"

    @property
    def is_narrowed(self) -> bool:
        return bool(self.words or self.label or self.tag or self.kind or self.is_unused)


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page starts: behind (or before) a row, named by what it is sorted by and its slug."""

    is_back: bool
    key: str | int
    slug: str

    def __str__(self) -> str:
        text = json.dumps([self.is_back, self.key, self.slug], separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def parse_cursor(text: str) -> Cursor | None:
    if not text:
        return None
    try:
        is_back, key, slug = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, TypeError, RecursionError):  # a ValueError also of what is no base64
        is_back = key = slug = None
    if not (isinstance(is_back, bool) and isinstance(key, str | int) and isinstance(slug, str) and "\0" not in slug):
        raise BadInput(_UNREADABLE, param="cursor")
    return Cursor(is_back, key, slug)


@dataclass(frozen=True, slots=True)
class Row:
    prompt: Prompt

    @property
    def labels(self) -> list[Label]:
        """Return the labels, those people look for first."""
        order = {name: place for place, name in enumerate(USUAL_LABELS)}
        return sorted(self.prompt.labels.all(), key=lambda label: (order.get(label.name, 9), label.name))


@dataclass(frozen=True, slots=True)
class Listing:
    rows: list[Row]
    total: int
    before: str | None
    after: str | None


def narrowed(prompts: QuerySet[Prompt], filters: Filters) -> QuerySet[Prompt]:
    """Return the prompts of a folder, and of those the ones the filters leave."""
    if filters.folder:
        prompts = prompts.filter(slug__startswith=filters.folder + "/")
    if filters.label:
        prompts = prompts.filter(pk__in=Label.objects.filter(name=filters.label).values("prompt"))
    if filters.tag:
        prompts = prompts.filter(tags__contains=[filters.tag])
    if filters.kind in Kind.values:
        prompts = prompts.filter(kind=filters.kind)
    if filters.is_unused:
        prompts = prompts.filter(calls=0)
    if filters.words:
        prompts = prompts.filter(_match(filters.words))
    return prompts


def _match(words: str) -> Q:
    """Match part of the name or the description, or the beginnings of words of the newest text."""
    found = Q(slug__icontains=words) | Q(description__icontains=words)
    beginnings = " & ".join(f"{word}:*" for word in re.findall(r"\w+", words))
    if beginnings:
        found |= Q(search=SearchQuery(beginnings, config="simple", search_type="raw"))
    return found


def _ordered(chosen: QuerySet[Prompt], sort: str, cursor: Cursor | None) -> QuerySet[Prompt]:
    """Return the prompts in order, from the cursor on."""
    is_back = bool(cursor and cursor.is_back)
    name = {"use": "calls", "changed": "changed_at"}.get(sort)
    if cursor:
        later = Q(slug__lt=cursor.slug) if is_back else Q(slug__gt=cursor.slug)
        if name:
            key = _read(cursor.key, sort)
            further = Q(**{f"{name}__{'gt' if is_back else 'lt'}": key})
            later = further | (Q(**{name: key}) & later)
        chosen = chosen.filter(later)
    order = ["slug"] if name is None else [f"-{name}", "slug"]
    if is_back:
        order = [one.removeprefix("-") if one.startswith("-") else f"-{one}" for one in order]
    return chosen.order_by(*order)


def _key(prompt: Prompt, sort: str) -> str | int:
    if sort == "use":
        return prompt.calls
    return prompt.changed_at.isoformat() if sort == "changed" else ""


def _read(key: str | int, sort: str) -> int | dt.datetime:
    try:
        found = dt.datetime.fromisoformat(str(key)) if sort == "changed" else int(key)
    except ValueError:
        raise BadInput(_UNREADABLE, param="cursor") from None
    if isinstance(found, dt.datetime) and found.tzinfo is None:
        raise BadInput(_UNREADABLE, param="cursor")
    return found


def listing(prompts: QuerySet[Prompt], filters: Filters, cursor: Cursor | None, *, total: int | None = None) -> Listing:
    """Return one page. Three queries, however many prompts there are: page, labels, and the count if none is given.

    On a first page the rows that fit are found and counted in one go, for finding them is most of the work.
    """
    chosen = narrowed(prompts, filters)
    is_back = bool(cursor and cursor.is_back)
    if total is None and cursor is None:
        found = list(
            _ordered(chosen, filters.sort, None)
            .annotate(total=Window(Count("pk")))
            .values_list("pk", "total")[: PAGE_ROWS + 1]
        )
        total = found[0][1] if found else 0
        chosen = Prompt.objects.filter(pk__in=[pk for pk, _ in found])
    shown = (
        _ordered(chosen, filters.sort, cursor)
        .select_related("team", "head")
        .defer("search", "includes", *(f"head__{name}" for name in HEAVY))
        .prefetch_related(Prefetch("labels", Label.objects.select_related("version").defer(*_HEAVY_OF_LABEL)))
    )
    prompts_found = list(shown[: PAGE_ROWS + 1])
    has_more = len(prompts_found) > PAGE_ROWS
    prompts_found = prompts_found[:PAGE_ROWS]
    if is_back:
        prompts_found.reverse()
    has_before, has_after = (has_more, True) if is_back else (cursor is not None, has_more)

    def end(is_back: bool, prompt: Prompt) -> str:
        return str(Cursor(is_back, _key(prompt, filters.sort), prompt.slug))

    return Listing(
        rows=[Row(prompt) for prompt in prompts_found],
        total=chosen.count() if total is None else total,
        before=end(True, prompts_found[0]) if prompts_found and has_before else None,
        after=end(False, prompts_found[-1]) if prompts_found and has_after else None,
    )


@dataclass(frozen=True, slots=True)
class Choices:
    """What the filters offer."""

    labels: list[str]
    tags: list[str]


def choices(prompts: QuerySet[Prompt]) -> Choices:
    """Return the labels and the most used tags of these prompts. Two queries.

    Nearly every label is one of the usual ones, which are offered anyway; so only the others are looked for.
    """
    own = Label.objects.exclude(name__in=USUAL_LABELS).filter(prompt__in=prompts.order_by().values("pk"))
    names = own.order_by("name").values_list("name", flat=True)
    tags = (
        prompts.order_by()
        .annotate(tag=Func(F("tags"), function="unnest"))
        .values_list("tag")
        .annotate(count=Count("pk"))
        .order_by("-count", "tag")[:_MOST_TAGS]
    )
    return Choices([*USUAL_LABELS, *names.distinct()], [tag for tag, _ in tags])
