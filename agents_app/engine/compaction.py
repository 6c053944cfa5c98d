"""Shorten a conversation that outgrows its model, by a rule and recorded; no model summarises it.

1. Results of tools before the newest two turns are cut to 400 characters each.
2. If that is not enough, the oldest turns become one line per call, until the rest fits; the newest turn stays.
3. If the newest turn alone is too long, its results are cut as well.
"""

from collections.abc import Sequence
from typing import Any

import orjson

from agents_app.engine.history import messages_of
from agents_app.models import Definition, Run, Step
from console.catalog.models import Pin
from console.core.size import estimate_tokens

_SHARE = 0.7
_SHORT = 400
# When nothing is known of the model; a refusal of it says so better than a guess would.
_UNKNOWN = 32_000


def room_of(run: Run, definition: Definition) -> int:
    """Return how many tokens a conversation may have before it is shortened."""
    pins = Pin.objects.filter(alias__name=definition.alias, environment=run.environment)
    context = pins.values_list("model_version__context_tokens", flat=True).first() or _UNKNOWN
    return int(context * _SHARE)


def size_of(messages: Sequence[dict[str, Any]]) -> int:
    return estimate_tokens(orjson.dumps(list(messages)).decode())


def rule_for(run: Run, definition: Definition, steps: Sequence[Step], room: int) -> dict[str, Any] | None:
    """Return the rule that makes the conversation fit, None when it does already or nothing can be left out."""
    before = size_of(messages_of(run, definition, steps))
    turns = sorted({step.turn for step in steps if step.kind == Step.Kind.MODEL})
    if before <= room or not turns:
        return None
    last, newest_two = turns[-1], turns[-2] if len(turns) > 1 else turns[-1]
    rules: list[dict[str, Any]] = [{"most": _SHORT, "cut_before": newest_two}]
    rules += [{"most": _SHORT, "cut_before": last, "drop_before": turn} for turn in turns[1:]]
    rules.append({"most": _SHORT, "cut_before": last + 1, "drop_before": last})
    for rule in rules:
        after = size_of(messages_of(run, definition, [*steps, Step(kind=Step.Kind.COMPACTION, turn=last, output=rule)]))
        if after <= room or rule is rules[-1]:
            return rule | {"before": before, "after": after} if after < before else None
    return None
