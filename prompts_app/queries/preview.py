"""The live preview of a text: its variables, its partials, and the rendered messages."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db.models import Q

from console.core.errors import Refusal
from console.core.size import estimate_tokens
from prompts_app import shapes
from prompts_app.errors import BadText, MissingPartial
from prompts_app.models import Kind, Label, Prompt, PromptVersion, Visibility
from prompts_app.text.content import Read, read_content
from prompts_app.text.refs import Ref
from prompts_app.text.render import Shape, declared_by, partials_of, render
from prompts_app.text.variables import example_values, names_of

_MOST_PARTIALS = 200
ENVIRONMENT_LABELS = ("production", "staging")


@dataclass(frozen=True, slots=True)
class Included:
    """A partial that takes part, and which version of it stands in the preview."""

    slug: str
    number: int
    is_published: bool  # otherwise no call could use it yet, and what includes it is not published either


@dataclass(slots=True)
class Look:
    """`error` says why there is no preview; `at` is the message it is about, if it is about one."""

    names: list[str] = field(default_factory=list)
    from_partials: dict[str, Any] = field(default_factory=dict)
    included: list[Included] = field(default_factory=list)
    messages: list[dict[str, str]] = field(default_factory=list)
    tokens: int = 0
    is_empty: bool = False
    error: str = ""
    at: int | None = None


def names_in(content: Sequence[dict[str, str]]) -> list[str]:
    """Return the variables of a text that may not be readable yet, in the order they appear."""
    return list(dict.fromkeys(name for one in content for name in names_of(one["text"])))


class PartialFinder:
    """Find the version a ref means, as a call in production would, or the newest where nothing is published yet."""

    def __init__(self, team_id: uuid.UUID) -> None:
        self._team_id = team_id
        self._teams: dict[str, uuid.UUID] = {}
        self._found: dict[tuple[uuid.UUID, Ref], shapes.VersionShape] = {}
        self.unpublished: set[str] = set()  # found by their newest version, for want of a published one

    def __call__(self, around: Shape, ref: Ref) -> shapes.VersionShape:
        team_id = self._teams.get(around.slug, self._team_id)
        if (team_id, ref) not in self._found:
            self._found[team_id, ref] = self._read(team_id, ref)
        return self._found[team_id, ref]

    def _read(self, team_id: uuid.UUID, ref: Ref) -> shapes.VersionShape:
        partial = (
            Prompt.objects.filter(Q(team_id=team_id) | Q(visibility=Visibility.ORGANISATION), deleted_at=None)
            .select_related("head")
            .filter(slug=ref.slug)
            .first()
        )
        if partial is None:
            raise MissingPartial(str(ref))
        self._teams[partial.slug] = partial.team_id
        version = _version(partial, ref)
        if version is None and ref.number is None and ref.label is None:
            version = partial.head
            self.unpublished.add(partial.slug)
        if version is None:
            what = f"version {ref.number}" if ref.number else f"label {ref.label!r}"
            raise MissingPartial(str(ref), f"it has no {what}")
        version.prompt = partial
        return shapes.shape_of(version)


def _version(partial: Prompt, ref: Ref) -> PromptVersion | None:
    if ref.number is not None:
        return PromptVersion.objects.filter(prompt=partial, number=ref.number).first()
    labels = {label.name: label.version for label in Label.objects.filter(prompt=partial).select_related("version")}
    if ref.label is not None:
        return labels.get(ref.label)
    return next((labels[name] for name in ENVIRONMENT_LABELS if name in labels), None)


class Written:
    """A text that is no version yet, with the partials it includes; Refusal where they do not work out."""

    def __init__(
        self, kind: str, slug: str, number: int, team_id: uuid.UUID, read: Read, specs: Sequence[dict[str, Any]]
    ) -> None:
        known = {spec["name"] for spec in specs}
        declared = [*specs, *({"name": name, "type": "text"} for name in read.variables if name not in known)]
        self._shape = shapes.VersionShape(uuid.UUID(int=0), slug, number, kind, read.parts, tuple(declared), {})
        self._finder = PartialFinder(team_id)
        self.partials = partials_of(self._shape, self._finder)
        self.unpublished = self._finder.unpublished
        self.variables = declared_by(self._shape, self.partials)

    def rendered(self, values: Mapping[str, Any], *, text_role: str = "user") -> list[dict[str, str]]:
        """Return its messages with values in place, as a version of the same text gives them."""
        limit = settings.PROMPT_RENDERED_CHARS
        return render(self._shape, values, self._finder, limit=limit, text_role=text_role).messages


def look(
    *,
    kind: str,
    slug: str,
    number: int,
    team_id: uuid.UUID,
    content: list[dict[str, str]],
    specs: Sequence[dict[str, Any]],
) -> Look:
    """Return what these messages come to with example values. Every refusal becomes a sentence to show."""
    found = Look(names=names_in(content))
    if not any(one["text"].strip() for one in content):
        found.is_empty = True
        return found
    try:
        read = read_content(content, kind, limit=settings.PROMPT_TEXT_CHARS)
        found.names = read.variables
        _fill(found, read, kind, slug, number, team_id, specs)
    except BadText as error:
        found.error, found.at = str(error), error.message_index or 0
    except Refusal as refusal:
        found.error = refusal.message
    return found


def _fill(
    found: Look, read: Read, kind: str, slug: str, number: int, team_id: uuid.UUID, specs: Sequence[dict[str, Any]]
) -> None:
    text = Written(kind, slug, number, team_id, read, specs)
    found.included = [
        Included(partial.slug, partial.number, partial.slug not in text.unpublished) for partial in text.partials
    ]
    found.from_partials = {v["name"]: v for partial in text.partials for v in partial.variables}
    found.messages = text.rendered(example_values(text.variables))
    found.tokens = estimate_tokens("\n".join(message["content"] for message in found.messages))


def partials_to_offer(team_ids: Sequence[uuid.UUID], besides: str = "") -> list[Prompt]:
    """Return the partials prompts of these teams may include, required and often used ones first."""
    return list(
        Prompt.objects.filter(
            Q(team__in=team_ids) | Q(visibility=Visibility.ORGANISATION),
            deleted_at=None,
            kind=Kind.PARTIAL,
            team__archived_at=None,
        )
        .exclude(slug=besides)
        .order_by("-is_required", "-calls", "slug")
        .only("slug", "description", "is_required")[:_MOST_PARTIALS]
    )


def variables_of(version: PromptVersion) -> list[Mapping[str, Any]]:
    """Return what a version asks for, its partials' variables too; only its own when a partial is not there."""
    shape = shapes.shape_of(version)
    try:
        return declared_by(shape, partials_of(shape, PartialFinder(version.prompt.team_id)))
    except Refusal:
        return list(shape.variables)
