"""Which touchpoints of a team seem to do the same work: a hint, not a verdict, which names a few and not all.

On Facet: the same alias with the same prompt, asked in the same way (chat, program or agent) and environment. Where
prompts are not known, elsewhere: the same kind with the same model. One assistant in several places is one.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

from console.touchpoints.rows import MOST_OVERLAPS, Touchpoint

_WORDS = re.compile(r"[a-z0-9.]+")


def _plain(text: str) -> str:
    """Return the words of a model's name, spaced alike; vendors stand before models, so the end is what counts."""
    return f" {' '.join(_WORDS.findall(text.lower()))} "


def find(rows: Iterable[Touchpoint]) -> None:
    """Give every row the links to those it overlaps with."""
    shown = [row for row in rows if not row.is_over]
    alike: dict[tuple[object, ...], list[Touchpoint]] = defaultdict(list)
    for row in shown:
        if row.same:
            alike[row.team.pk, row.environment, *row.same].append(row)
    for group in alike.values():
        for row in group:
            _add(row, (other for other in group if _is_other(row, other)))
    _with_legacy(shown)


def _is_other(row: Touchpoint, other: Touchpoint) -> bool:
    """Return whether two are not the same, nor the same assistant in two places."""
    return row is not other and (row.agent_id is None or row.agent_id != other.agent_id)


def _with_legacy(shown: list[Touchpoint]) -> None:
    """Compare what is not on Facet by kind and model, with each other and with what is."""
    by_kind: dict[tuple[object, ...], dict[str, list[Touchpoint]]] = defaultdict(lambda: defaultdict(list))
    for row in shown:
        for kind in row.kinds:
            for model in row.models if row.legacy is None else filter(None, [row.legacy.model]):
                by_kind[row.team.pk, kind][_plain(model.partition("/")[2] or model)].append(row)
    for by_words in by_kind.values():
        for words, rows in by_words.items():
            elsewhere = [row for row in rows if row.legacy is not None]
            for end in _ends(words) if elsewhere else ():
                others = by_words.get(end, [])
                for row in elsewhere:
                    _add(row, others)
                for other in others:
                    _add(other, elsewhere)


def _ends(words: str) -> Iterator[str]:
    """Yield the words and every end of them, such as that without the vendor."""
    parts = words.split()
    for first in range(len(parts)):
        yield f" {' '.join(parts[first:])} "


def _add(row: Touchpoint, others: Iterable[Touchpoint]) -> None:
    """Link a row to others, once each, until it names as many as it may: however many do the same, it is quick."""
    had = {(link.source, link.id) for link in row.overlaps}
    for other in others:
        if len(row.overlaps) >= MOST_OVERLAPS:
            return
        if other is not row and (other.source, other.id) not in had:
            had.add((other.source, other.id))
            row.overlaps.append(other.link)
