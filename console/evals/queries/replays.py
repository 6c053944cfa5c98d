"""Queries of a replay: recorded answers beside those of the candidate, in total and by item."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from console.evals.checks import share_passed
from console.evals.models import Dataset, DatasetItem, Replay, ReplayResult
from prompts_app.queries.comparison import MessageDiff, compare_sides
from usage_app.queries.audit.content import Turn, turns_of

Status = ReplayResult.Status
# From this likeness on, two answers are shown as saying the same.
ALIKE = 0.9
# Lines of the longer answer up to which two are laid beside each other; comparing more takes seconds.
_MOST_LINES = 2_000


@dataclass(frozen=True, slots=True)
class Figures:
    """One side, over the items that both sides answered. None where nothing was."""

    answers: int
    cost_micros: int
    tokens: int
    p50_us: int | None
    p95_us: int | None

    @property
    def micros_of_thousand(self) -> int | None:
        return self.cost_micros * 1000 // self.answers if self.answers else None

    @property
    def tokens_each(self) -> int | None:
        return round(self.tokens / self.answers) if self.answers else None


@dataclass(frozen=True, slots=True)
class CheckRow:
    """How often one check passed on either side, in percent; None where it was not made."""

    title: str
    recorded: float | None
    candidate: float | None

    @property
    def change(self) -> float | None:
        return None if self.recorded is None or self.candidate is None else self.candidate - self.recorded


@dataclass(frozen=True, slots=True)
class Report:
    """A replay in figures. Errors are counted over all items, the rest over those both sides answered."""

    total: int
    done: int
    errors: int
    recorded_errors: int
    recorded: Figures | None  # None where nothing was recorded
    candidate: Figures
    judging_micros: int
    checks: list[CheckRow]
    likeness: float | None
    alike: int
    measured: int
    same: int
    compared: int
    same_calls: int
    with_calls: int
    models: list[tuple[str, int]]  # what answered, the most first
    trouble: str

    @property
    def waiting(self) -> int:
        return self.total - self.done


@dataclass(frozen=True, slots=True)
class Row:
    """One result of a table: figures, no content."""

    result: ReplayResult
    item: DatasetItem

    @property
    def state(self) -> str:
        """error, failed, same, alike, other, or nothing to say."""
        result = self.result
        if result.status in {Status.WAITING, Status.ERROR, Status.FAILED}:
            return str(result.status)
        if result.is_same:
            return "same"
        if result.likeness is None:
            return "answered"
        return "alike" if result.likeness >= ALIKE else "other"

    @property
    def passed(self) -> int:
        return sum(check["passed"] for check in self.result.checks)

    @property
    def tokens_before(self) -> int:
        return self.item.prompt_tokens + self.item.completion_tokens


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a replay is, for lists."""

    replay: Replay
    total: int
    done: int
    errors: int
    cost_micros: int


def rows_of(replay: Replay) -> list[Row]:
    """Return what came of each item, without what was said: one query."""
    rows = ReplayResult.objects.filter(replay=replay).select_related("item").order_by("item__place")
    rows = rows.defer("calls", "output", "item__body", "item__prompt", "item__expected")
    return [Row(row, row.item) for row in rows]


def in_order(rows: Iterable[Row]) -> list[Row]:
    """Return what needs somebody first: errors, failed checks, the least alike."""
    order = {"error": 0, "failed": 1, "waiting": 3}

    def key(row: Row) -> tuple[int, float, int]:
        return order.get(row.state, 2), row.result.likeness if row.result.likeness is not None else 2.0, row.item.place

    return sorted(rows, key=key)


def _quantile(values: Sequence[int], share: float) -> int | None:
    """Return the nearest value that so many are at or below."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))] if ordered else None


def _figures(costs: Sequence[int], tokens: Sequence[int], latencies: Sequence[int | None]) -> Figures:
    known = [latency for latency in latencies if latency is not None]
    return Figures(len(costs), sum(costs), sum(tokens), _quantile(known, 0.5), _quantile(known, 0.95))


def report(rows: Sequence[Row], *, has_record: bool) -> Report:
    """Return the figures of a replay."""
    answered = [row for row in rows if row.result.was_answered]
    both = [row for row in answered if row.item.was_answered] if has_record else answered
    likenesses = [row.result.likeness for row in rows if row.result.likeness is not None]
    # Calls are compared where there is an answer to compare with: of an upload only words are known.
    with_calls = [row for row in both if has_record and (row.item.tool_calls or row.result.tool_calls)]
    compared = [row for row in answered if row.result.is_same is not None]
    return Report(
        total=len(rows),
        done=sum(row.result.status != Status.WAITING for row in rows),
        errors=sum(row.result.status == Status.ERROR for row in rows),
        recorded_errors=sum(not row.item.was_answered for row in rows) if has_record else 0,
        recorded=_recorded(both) if has_record else None,
        candidate=_figures(
            [row.result.cost_micros for row in both],
            [row.result.tokens for row in both],
            [row.result.latency_us for row in both],
        ),
        judging_micros=sum(row.result.judging_micros for row in rows),
        checks=_check_rows(answered),
        likeness=sum(likenesses) / len(likenesses) if likenesses else None,
        alike=sum(likeness >= ALIKE for likeness in likenesses),
        measured=len(likenesses),
        same=sum(bool(row.result.is_same) for row in compared),
        compared=len(compared),
        same_calls=sum(sorted(row.item.tool_calls) == sorted(row.result.tool_calls) for row in with_calls),
        with_calls=len(with_calls),
        models=Counter(row.result.model for row in answered).most_common(),
        trouble=next((row.result.trouble for row in rows if row.result.trouble), ""),
    )


def _recorded(rows: Sequence[Row]) -> Figures:
    return _figures(
        [row.item.cost_micros for row in rows],
        [row.item.prompt_tokens + row.item.completion_tokens for row in rows],
        [row.item.latency_us for row in rows],
    )


def _check_rows(rows: Sequence[Row]) -> list[CheckRow]:
    titles = dict.fromkeys(check["title"] for row in rows for check in row.result.all_checks())
    return [
        CheckRow(
            title,
            share_passed(check for row in rows for check in row.result.recorded_checks if check["title"] == title),
            share_passed(check for row in rows for check in row.result.checks if check["title"] == title),
        )
        for title in titles
    ]


def progress_of(replays: QuerySet[Replay], *, first: int = 0, most: int = 100) -> list[Progress]:
    """Return how far each of so many is, newest first: one query, which counts in no others."""
    newest = replays.order_by("-started_at", "-id")
    counted = (
        replays.filter(pk__in=newest.values("pk")[first : first + most])
        .annotate(
            total=Count("results"),
            waiting=Count("results", filter=Q(results__status=Status.WAITING)),
            errors=Count("results", filter=Q(results__status=Status.ERROR)),
            cost=Sum("results__cost_micros"),
            judging=Sum("results__judging_micros"),
        )
        .order_by("-started_at", "-id")
    )
    return [
        Progress(one, one.total, one.total - one.waiting, one.errors, (one.cost or 0) + (one.judging or 0))
        for one in counted
    ]


@dataclass(frozen=True, slots=True)
class ShownAnswer:
    """One item with what was said then and by the candidate. `wide` and `narrow` are the same difference.

    Both are None where one side said nothing, and where the answers are too long to be compared.
    """

    result: ReplayResult
    item: DatasetItem
    turns: list[Turn]
    wide: MessageDiff | None
    narrow: MessageDiff | None
    before: int | None
    after: int | None


def shown_item(result: ReplayResult) -> ShownAnswer:
    item = result.item
    is_there = bool(item.expected and result.output)
    is_short = max(item.expected.count("\n"), result.output.count("\n")) < _MOST_LINES
    wide, narrow = compare_sides(item.expected, result.output) if is_there and is_short else (None, None)
    places = ReplayResult.objects.filter(replay=result.replay_id)
    return ShownAnswer(
        result,
        item,
        turns_of(item.body),
        wide,
        narrow,
        places.filter(item__place__lt=item.place)
        .order_by("-item__place")
        .values_list("item__place", flat=True)
        .first(),
        places.filter(item__place__gt=item.place).order_by("item__place").values_list("item__place", flat=True).first(),
    )


def datasets_counted(datasets: QuerySet[Dataset]) -> QuerySet[Dataset]:
    """Return datasets, newest first, with how many items and replays each has, counted apart from each other."""
    return datasets.annotate(size=_counted(DatasetItem), replayed=_counted(Replay)).order_by("-made_at", "-id")


def _counted(rows: type[DatasetItem] | type[Replay]) -> Coalesce:
    mine = rows._default_manager.filter(dataset=OuterRef("pk")).order_by().values("dataset")
    return Coalesce(Subquery(mine.annotate(number=Count("pk")).values("number")), 0)
