"""Insert values and partials by plain substitution: inserted text is never parsed again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from prompts_app.errors import CircularInclude, MissingPartial, RenderedTooLarge, TooDeep, TooManyPartials
from prompts_app.text.parse import Include, Literal, Node
from prompts_app.text.refs import Ref
from prompts_app.text.variables import check_values

DEEPEST = 5
MOST_PARTIALS = 100


class Shape(Protocol):
    """One version, read: what `shapes.VersionShape` is."""

    @property
    def slug(self) -> str: ...
    @property
    def number(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def parts(self) -> Sequence[tuple[str, tuple[Node, ...]]]: ...
    @property
    def variables(self) -> Sequence[Mapping[str, Any]]: ...


Lookup = Callable[[Shape, Ref], Shape]


@dataclass(frozen=True, slots=True)
class Rendered:
    """Messages ready to be sent, and every version that took part: the prompt first, then its partials."""

    messages: list[dict[str, str]]
    took_part: list[dict[str, Any]]


class _Partials:
    """The partials below one version, found once, and their texts, put together once.

    All see the same values, so a partial reads the same wherever it stands. That keeps the work in proportion to the
    number of versions, however often they include each other.
    """

    def __init__(self, top: Shape, lookup: Lookup) -> None:
        self._lookup = lookup
        self._by_ref: dict[tuple[str, int, Ref], Shape] = {}
        self._walked: dict[tuple[str, int], int] = {}
        self._slugs: set[str] = set()
        self._texts: dict[tuple[str, int], str] = {}
        self._walk(top, (top.slug,))

    def _walk(self, shape: Shape, chain: tuple[str, ...]) -> None:
        """Find what is below, refusing circles, what is no partial, and more than DEEPEST levels."""
        if self._walked.get((shape.slug, shape.number), 0) >= len(chain):
            return
        self._walked[shape.slug, shape.number] = len(chain)
        refs = dict.fromkeys(node.ref for _, nodes in shape.parts for node in nodes if isinstance(node, Include))
        for ref in refs:
            further = (*chain, ref.slug)
            if ref.slug in chain:
                raise CircularInclude(further)
            if len(chain) > DEEPEST:
                raise TooDeep(further, DEEPEST)
            partial = self._by_ref.get((shape.slug, shape.number, ref))
            if partial is None:
                partial = self._by_ref[shape.slug, shape.number, ref] = self._lookup(shape, ref)
                if partial.kind != "partial":
                    raise MissingPartial(str(ref), f"it is a {partial.kind} prompt, not a partial")
                self._slugs.add(partial.slug)
                if len(self._slugs) > MOST_PARTIALS:
                    raise TooManyPartials(MOST_PARTIALS)
            self._walk(partial, further)

    def all(self) -> list[Shape]:
        return list({(one.slug, one.number): one for one in self._by_ref.values()}.values())

    def text(self, shape: Shape, nodes: tuple[Node, ...], values: Mapping[str, str], limit: int) -> str:
        """Return nodes as text; the size is checked while it grows."""
        pieces, size = [], 0
        for node in nodes:
            if isinstance(node, Literal):
                piece = node.text
            elif isinstance(node, Include):
                partial = self._by_ref[shape.slug, shape.number, node.ref]
                key = (partial.slug, partial.number)
                if key not in self._texts:
                    self._texts[key] = self.text(partial, partial.parts[0][1], values, limit)
                piece = self._texts[key]
            else:
                piece = values[node.name]
            size += len(piece)
            if size > limit:
                raise RenderedTooLarge(limit)
            pieces.append(piece)
        return "".join(pieces)


def declared_by(shape: Shape, partials: Sequence[Shape]) -> list[Mapping[str, Any]]:
    """Return the variables of a prompt and its partials; where both declare one, the prompt's word counts."""
    found: dict[str, Mapping[str, Any]] = {}
    for one in (shape, *partials):
        for variable in one.variables:
            found.setdefault(variable["name"], variable)
    return list(found.values())


def partials_of(shape: Shape, lookup: Lookup) -> list[Shape]:
    """Return every partial that takes part in a version, each once."""
    return _Partials(shape, lookup).all()


def render(shape: Shape, values: Mapping[str, Any], lookup: Lookup, *, limit: int, text_role: str = "user") -> Rendered:
    """Return a version's messages with values and partials in place.

    `lookup` finds the version a ref means for the version that includes it. `limit` is the most characters all
    messages may have together. A text prompt becomes one message of `text_role`.
    """
    below = _Partials(shape, lookup)
    partials = below.all()
    texts = check_values(declared_by(shape, partials), values)
    messages, left = [], limit
    for role, nodes in shape.parts:
        try:
            text = below.text(shape, nodes, texts, left)
        except RenderedTooLarge:
            raise RenderedTooLarge(limit) from None
        left -= len(text)
        messages.append({"role": role or text_role, "content": text})
    return Rendered(messages, [{"slug": one.slug, "number": one.number} for one in (shape, *partials)])
