"""Compare the figures of a prompt's versions, from daily roll-ups."""

import datetime as dt
import uuid
from collections.abc import Collection
from dataclasses import dataclass, field

from console.core.clock import now
from console.core.histogram import percentile
from prompts_app import sql
from prompts_app.models import Label, Prompt

SPANS = (7, 30)


@dataclass(slots=True)
class Figures:
    """What the calls of one version came to. Durations in microseconds; None where there is nothing to divide."""

    number: int
    labels: list[str] = field(default_factory=list)
    calls: int = 0
    errors: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_micros: int = 0
    latency: list[int] = field(default_factory=list)
    good: int = 0
    bad: int = 0
    scored: int = 0
    score_sum: float = 0

    def _each(self, amount: int) -> float | None:
        return amount / self.calls if self.calls else None

    @property
    def cost_each(self) -> int | None:
        return _rounded(self._each(self.cost_micros))

    @property
    def tokens_in(self) -> int | None:
        return _rounded(self._each(self.prompt_tokens))

    @property
    def tokens_out(self) -> int | None:
        return _rounded(self._each(self.completion_tokens))

    @property
    def error_percent(self) -> float | None:
        return self._each(self.errors * 100)

    @property
    def p50(self) -> int | None:
        return percentile(self.latency, 50)

    @property
    def p95(self) -> int | None:
        return percentile(self.latency, 95)

    @property
    def rated(self) -> int:
        return self.good + self.bad

    @property
    def good_percent(self) -> float | None:
        return self.good * 100 / self.rated if self.rated else None

    @property
    def score(self) -> float | None:
        return round(self.score_sum / self.scored, 3) if self.scored else None


def _rounded(amount: float | None) -> int | None:
    return None if amount is None else round(amount)


def first_day(days: int) -> dt.date:
    """Return the first of so many days, UTC, of which today is the last."""
    return now().date() - dt.timedelta(days=days - 1)


def figures(prompt: Prompt, *, days: int, environment: str, teams: Collection[uuid.UUID] | None) -> list[Figures]:
    """Return the versions these teams (None: all) called or rated in that time, the newest first. Three queries."""
    found: dict[int, Figures] = {}
    calls, ratings = sql.figures_of_versions(
        prompt.pk, environment, first_day(days), None if teams is None else list(teams)
    )
    for number, *sums in calls:
        found[number] = Figures(number, [], *sums)
    for number, good, bad, scored, score in ratings:
        if good > 0 or bad > 0:
            row = found.setdefault(number, Figures(number))
            row.good, row.bad, row.scored, row.score_sum = good, bad, scored, float(score)
    for name, number in Label.objects.filter(prompt=prompt).order_by("name").values_list("name", "version__number"):
        if number in found:
            found[number].labels.append(name)
    return sorted(found.values(), key=lambda row: -row.number)
