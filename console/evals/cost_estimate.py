"""Estimate the cost of a replay from the lengths of the recorded calls and present prices."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from console.catalog.models import ModelVersion, Price
from console.catalog.queries import price_now
from console.core.pictures import estimated_tokens, pictures_in
from console.core.size import estimate_tokens
from console.evals.checks import NEEDS_CALL
from console.evals.models import DatasetItem, Replay
from console.evals.replay_items import checks_of, target_of
from console.evals.subjects import version_behind

# How long an answer of which nothing is known is taken to be, and a judge's verdict.
_ANSWER, _VERDICT = 300, 60


@dataclass(slots=True)
class Estimate:
    """`cost_micros` is what the priced calls come to; `unpriced` names the models that have no price."""

    items: int = 0
    calls: int = 0
    judging_calls: int = 0
    tokens: int = 0
    cost_micros: int = 0
    judging_micros: int = 0
    recorded_micros: int = 0
    unpriced: tuple[str, ...] = ()

    @property
    def whole_micros(self) -> int:
        return self.cost_micros + self.judging_micros


class _Prices:
    """Looks up what each model is and costs, once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[ModelVersion | None, Price | None]] = {}
        self.unpriced: dict[str, None] = {}

    def cost(self, model: str, environment: str, prompt: int, completion: int) -> int:
        place = model, environment
        if place not in self._known:
            version = version_behind(model, environment)
            self._known[place] = version, price_now(version) if version else None
        version, price = self._known[place]
        if price is None:
            self.unpriced[str(version or model)] = None
            return 0
        return round(prompt * price.input + completion * price.output)


def _prompt_tokens(item: DatasetItem) -> int:
    said = item.body.get("messages") or item.body.get("input")
    of_text = estimate_tokens(json.dumps([item.body, item.prompt], ensure_ascii=False))
    return estimated_tokens(pictures_in(said), of_text) if isinstance(said, list) else of_text


def estimate(replay: Replay, items: Sequence[DatasetItem]) -> Estimate:
    """Return what a replay that is not stored yet would ask for."""
    found, prices = Estimate(items=len(items)), _Prices()
    for item in items:
        if item.is_forgotten:
            continue
        asked = item.prompt_tokens or _prompt_tokens(item)
        answer = item.completion_tokens or (estimate_tokens(item.expected) if item.expected else _ANSWER)
        found.calls += 1
        found.tokens += asked + answer
        found.cost_micros += prices.cost(*target_of(replay, item), asked, answer)
        found.recorded_micros += item.cost_micros
        _judging(replay, item, answer, found, prices)
    found.unpriced = tuple(prices.unpriced)
    return found


def _judging(replay: Replay, item: DatasetItem, answer: int, estimate: Estimate, prices: _Prices) -> None:
    environment = target_of(replay, item)[1] or replay.environment
    checks = checks_of(replay, item)
    if item.was_answered:
        checks = [*checks, *checks_of(replay, item, of_record=True)]
    for check in checks:
        if check["kind"] in NEEDS_CALL:
            beside = estimate_tokens(check["value"]) if check["value"] else answer
            is_judge = check["kind"] == "judge"
            _add(estimate, prices, check["alias"], environment, answer + beside, _VERDICT if is_judge else 0)
    if replay.likeness_by and item.expected:
        _add(estimate, prices, replay.likeness_by, environment, 2 * answer, 0)


def _add(estimate: Estimate, prices: _Prices, alias: str, environment: str, prompt: int, completion: int) -> None:
    estimate.judging_calls += 1
    estimate.tokens += prompt + completion
    estimate.judging_micros += prices.cost(alias, environment, prompt, completion)
