"""What calls are rendered from. Versions are immutable, so a process caches those it has read."""

import uuid
from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from django.db.models import Q, QuerySet

from prompts_app.models import Kind, Label, Prompt, PromptVersion, Visibility
from prompts_app.text.parse import Node, parse
from prompts_app.text.refs import Ref

# Versions a process keeps; the ones it read first go first. A version is a few kilobytes.
_MOST_KEPT = 5_000


@dataclass(frozen=True, slots=True)
class VersionShape:
    """One version, parsed."""

    id: uuid.UUID
    slug: str
    number: int
    kind: str
    parts: tuple[tuple[str, tuple[Node, ...]], ...]
    variables: tuple[dict[str, Any], ...]
    parameters: dict[str, Any]

    @property
    def ref(self) -> str:
        return f"{self.slug}@{self.number}"


@dataclass(frozen=True, slots=True)
class PromptShape:
    """A prompt as calls see it: who may use it, and which number each label means."""

    id: uuid.UUID
    slug: str
    team_id: uuid.UUID
    is_shared: bool
    kind: str
    labels: dict[str, int]

    def is_for(self, team_id: uuid.UUID) -> bool:
        return self.is_shared or self.team_id == team_id


Key = tuple[uuid.UUID, int]  # a prompt's id and a version's number
_kept: dict[Key, VersionShape] = {}


def shape_of(version: PromptVersion) -> VersionShape:
    """Return a version parsed. Needs `version.prompt`."""
    return VersionShape(
        id=version.pk,
        slug=version.prompt.slug,
        number=version.number,
        kind=version.prompt.kind,
        parts=tuple((message["role"], parse(message["text"])) for message in version.content),
        variables=tuple(version.variables),
        parameters=version.parameters,
    )


def cached(key: Key) -> VersionShape | None:
    """Return a version this process has read before; asks no database."""
    return _kept.get(key)


def read(keys: Iterable[Key]) -> dict[Key, VersionShape]:
    """Read versions from the database, all in one query, and keep them."""
    wanted = Q(pk=None)
    for prompt_id, number in keys:
        wanted |= Q(prompt_id=prompt_id, number=number)
    found = {}
    for version in PromptVersion.objects.filter(wanted).select_related("prompt"):
        found[version.prompt_id, version.number] = shape_of(version)
    for key in list(_kept)[: max(0, len(_kept) + len(found) - _MOST_KEPT)]:
        _kept.pop(key, None)
    _kept.update(found)
    return found


class Catalogue(Protocol):
    """Where a prompt is found by its slug: a library's own dict, or the database."""

    def get(self, slug: str, /) -> PromptShape | None: ...


class Finder:
    """Finds what a ref means for a team.

    Nobody calls a prompt of a team that is put away (`closed`). A partial it shares continues answering where others
    include it: what is live stays live.
    """

    __slots__ = ("_closed", "_prompts")

    def __init__(self, prompts: Catalogue, closed: Container[uuid.UUID] = frozenset()) -> None:
        self._prompts, self._closed = prompts, closed

    def find(self, team_id: uuid.UUID, ref: Ref, environment: str) -> tuple[PromptShape | None, int | None]:
        """Return the prompt and the number a ref means for a team; None for what there is not."""
        prompt = self._prompts.get(ref.slug)
        if prompt is None or not prompt.is_for(team_id):
            return None, None
        if prompt.kind != Kind.PARTIAL and prompt.team_id in self._closed:
            return None, None
        if ref.number is not None:
            return prompt, ref.number
        return prompt, prompt.labels.get(ref.label or default_label(environment))

    def find_partial(self, team_id: uuid.UUID, ref: Ref, environment: str) -> tuple[PromptShape | None, int | None]:
        """Return the same for an include. In the sandbox a partial that is not staged is the one in production."""
        prompt, number = self.find(team_id, ref, environment)
        if prompt is not None and number is None and ref.label is None:
            number = prompt.labels.get("production")
        return prompt, number


@dataclass(frozen=True, slots=True)
class Library:
    """Every living prompt by slug, as of one epoch."""

    epoch: int
    prompts: dict[str, PromptShape]


class InDatabase:
    """Finds prompts one by one, for who renders seldom and has no library at hand."""

    def get(self, slug: str, /) -> PromptShape | None:
        open_or_partial = Q(team__archived_at=None) | Q(kind=Kind.PARTIAL)  # as a Finder is told by `closed`
        return _shapes(Prompt.objects.filter(open_or_partial, deleted_at=None, slug=slug)).get(slug)


def default_label(environment: str) -> str:
    """Return the label a ref without one means."""
    return "production" if environment == "production" else "staging"


def library(epoch: int, before: Library | None = None) -> Library:
    """Return all prompts with their labels. With the library of an earlier epoch, only what changed since is read."""
    living = Prompt.objects.filter(deleted_at=None)
    known: dict[str, PromptShape] = {}
    rows = living
    if before is not None and before.epoch <= epoch:
        changed = Prompt.objects.filter(revision__gt=before.epoch)
        gone = set(changed.exclude(deleted_at=None).values_list("pk", flat=True))
        known = {slug: shape for slug, shape in before.prompts.items() if shape.id not in gone}
        rows = changed.filter(deleted_at=None)
    fresh = _shapes(rows)
    known |= fresh
    if before is not None and len(known) != living.count():
        return library(epoch)
    return Library(epoch, known)


def _shapes(rows: "QuerySet[Prompt]") -> dict[str, PromptShape]:
    labels: dict[uuid.UUID, dict[str, int]] = {}
    for prompt_id, name, number in Label.objects.filter(prompt__in=rows).values_list(
        "prompt_id", "name", "version__number"
    ):
        labels.setdefault(prompt_id, {})[name] = number
    return {
        slug: PromptShape(pk, slug, team_id, visibility == Visibility.ORGANISATION, kind, labels.get(pk, {}))
        for pk, slug, team_id, visibility, kind in rows.values_list("pk", "slug", "team_id", "visibility", "kind")
    }
