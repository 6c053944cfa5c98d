"""Which touchpoints of a team seem to do the same work: a hint, not a verdict.

On Facet: the same alias with the same prompt, asked in the same way (chat, program or agent) and environment. Where
prompts are not known, elsewhere: the same kind with the same model. One assistant in several places is one.
"""

import re
from collections import defaultdict
from collections.abc import Iterable

from console.touchpoints.rows import Link, Touchpoint

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
            row.overlaps = [other.link for other in group if _is_other(row, other)]
    _with_legacy(shown)


def _is_other(one: Touchpoint, other: Touchpoint) -> bool:
    """Say whether two are not the same, nor the same assistant in two places."""
    return one is not other and (one.agent_id is None or one.agent_id != other.agent_id)


def _with_legacy(shown: list[Touchpoint]) -> None:
    """Compare what is not on Facet by kind and model, with each other and with what is."""
    by_kind: dict[tuple[object, ...], list[tuple[str, Touchpoint]]] = defaultdict(list)
    for row in shown:
        for kind in row.kinds:
            models = row.models if row.legacy is None else filter(None, [row.legacy.model])
            by_kind[row.team.pk, kind] += [(_plain(model.partition("/")[2] or model), row) for model in models]
    for group in by_kind.values():
        for words, row in group:
            if row.legacy is None:
                continue
            for other_words, other in group:
                if other is not row and words.endswith(other_words):
                    _join(row, other)


def _join(one: Touchpoint, other: Touchpoint) -> None:
    for row, link in ((one, other.link), (other, one.link)):
        if _has(row.overlaps, link):
            continue
        row.overlaps = [*row.overlaps, link]


def _has(links: list[Link], link: Link) -> bool:
    return any(had.id == link.id and had.source == link.source for had in links)
