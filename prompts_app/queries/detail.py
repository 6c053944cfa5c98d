"""One prompt's page: its versions, its labels and their history."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from prompts_app.models import USUAL_LABELS, Label, LabelMove, LabelRule, Prompt, PromptVersion, Review
from prompts_app.queries.listing import HEAVY

RAIL_ROWS = 30
_MOST_MOVES = 50


@dataclass(frozen=True, slots=True)
class RailItem:
    version: PromptVersion
    labels: list[Label]

    @property
    def is_live(self) -> bool:
        return any(label.name == "production" for label in self.labels)


@dataclass(frozen=True, slots=True)
class Rail:
    """The newest versions, or those from `before` on; and those carrying a label are never out of reach."""

    items: list[RailItem]
    older: int | None
    is_newest: bool


@dataclass(frozen=True, slots=True)
class LabelRow:
    """A label: where it stands, what it stood on before, and what its team asks before it moves."""

    label: Label
    before: PromptVersion | None
    rule: LabelRule | None
    moved_by: str


@dataclass(frozen=True, slots=True)
class PromptPage:
    prompt: Prompt
    rail: Rail
    labels: list[LabelRow]
    moves: list[LabelMove]
    reviews: list[Review]
    rules: dict[str, LabelRule] = field(default_factory=dict)

    @property
    def live(self) -> LabelRow | None:
        return next((row for row in self.labels if row.label.name == "production"), None)


def in_order(labels: Sequence[Label]) -> list[Label]:
    order = {name: place for place, name in enumerate(USUAL_LABELS)}
    return sorted(labels, key=lambda label: (order.get(label.name, len(order)), label.name))


def rail(prompt: Prompt, labels: Sequence[Label], before: int | None = None) -> Rail:
    """Return a stretch of versions with their labels. One query."""
    by_version: dict[object, list[Label]] = {}
    for label in in_order(labels):
        by_version.setdefault(label.version_id, []).append(label)
    versions = PromptVersion.objects.filter(prompt=prompt).defer(*HEAVY)
    if before is not None:
        versions = versions.filter(number__lt=before)
    rows = list(versions[: RAIL_ROWS + 1])
    items = [RailItem(version, by_version.get(version.pk, [])) for version in rows[:RAIL_ROWS]]
    older = rows[RAIL_ROWS - 1].number if len(rows) > RAIL_ROWS else None
    return Rail(items, older, before is None)


def prompt_page(prompt: Prompt, *, before: int | None = None) -> PromptPage:
    """Return what the frame of a prompt's pages needs. Five queries, or six, however many versions there are."""
    labels = in_order(list(prompt.labels.select_related("version").defer(*(f"version__{name}" for name in HEAVY))))
    all_moves = prompt.label_moves.select_related("from_version", "to_version").defer(
        *(f"{side}_version__{name}" for side in ("from", "to") for name in HEAVY)
    )
    moves = list(all_moves[:_MOST_MOVES])
    rules = {rule.label: rule for rule in LabelRule.objects.filter(team=prompt.team_id)}
    last: dict[str, LabelMove] = {}
    for move in moves:
        last.setdefault(move.label, move)
    if further := [label.name for label in labels if label.name not in last]:  # not moved for as many moves of others
        older = all_moves.filter(label__in=further).order_by("label", "-moved_at", "-id").distinct("label")
        last |= {move.label: move for move in older}
    rows = [_row(label, last.get(label.name), rules.get(label.name)) for label in labels]
    reviews = list(
        Review.objects.filter(status__in=["open", "changes", "approved"], prompt=prompt)
        .select_related("version")
        .defer(*(f"version__{name}" for name in HEAVY))
        .order_by("-requested_at", "-id")[:20]
    )
    return PromptPage(prompt, rail(prompt, labels, before), rows, moves, reviews, rules)


def _row(label: Label, move: LabelMove | None, rule: LabelRule | None) -> LabelRow:
    return LabelRow(label, move.from_version if move else None, rule, move.moved_by_name if move else "")
