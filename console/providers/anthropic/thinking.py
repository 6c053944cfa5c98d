"""The reasoning effort, and thinking blocks that must be returned unchanged.

Thoughts go to the caller twice: as `reasoning_content`, for reading, and as `reasoning_details`, one entry a block with
its signature, which a client sends back with the assistant's message. `index` is the block's place in the answer, so
that thoughts between two tool calls return to where they were.
"""

import re
from collections.abc import Iterable
from typing import Any

from console.core.errors import BadInput
from console.providers.anthropic.content import Block

FORMAT = "anthropic-claude-v1"
# Models from 4.6 on decide themselves how long to think and are told how hard to try; older ones want a budget.
_FIRST_ADAPTIVE = (4, 6)
_EFFORTS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh", "max": "max"}
_SHARES = {"minimal": 0.1, "low": 0.2, "medium": 0.5, "high": 0.8, "xhigh": 0.9, "max": 0.95}
_LEAST_BUDGET, _MOST_BUDGET = 1024, 32_000


def effort(model: str, level: Any, max_tokens: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return `thinking` and `output_config` that make the model try as hard as `reasoning_effort` says."""
    if level is None:
        return {}, {}
    if not isinstance(level, str) or (level != "none" and level not in _EFFORTS):
        names = ", ".join(["none", *_EFFORTS])
        raise BadInput(f"reasoning_effort must be one of {names}.", param="reasoning_effort")
    if is_adaptive(model):
        if level == "none":
            return {"type": "disabled"}, {}
        return {"type": "adaptive", "display": "summarized"}, {"effort": _EFFORTS[level]}
    if level == "none":
        return {}, {}
    if max_tokens <= _LEAST_BUDGET:
        raise BadInput(
            f"To reason, this model needs more than {_LEAST_BUDGET:,} tokens to answer with.",
            param="max_completion_tokens",
        )
    budget = max(_LEAST_BUDGET, min(int(max_tokens * _SHARES[level]), _MOST_BUDGET))
    return {"type": "enabled", "budget_tokens": budget}, {}


def is_adaptive(model: str) -> bool:
    """Return whether a model takes `adaptive` thinking, from the version in its name; a name without one is new."""
    match = re.search(r"-(\d{1,2})(?:[-.](\d{1,2}))?(?=\D|$)", model)
    return match is None or (int(match[1]), int(match[2] or 0)) >= _FIRST_ADAPTIVE


def detail(block: Block, index: int) -> dict[str, Any] | None:
    """Return a block of thought as an entry of `reasoning_details`; None when it is no thought."""
    if block.get("type") == "thinking":
        text, signature = str(block.get("thinking") or ""), str(block.get("signature") or "")
        return {"type": "reasoning.text", "text": text, "signature": signature, "format": FORMAT, "index": index}
    if block.get("type") == "redacted_thinking":
        data = str(block.get("data") or "")
        return {"type": "reasoning.encrypted", "data": data, "format": FORMAT, "index": index}
    return None


def with_thoughts(blocks: list[Block], details: Any, where: str) -> list[Block]:
    """Return an assistant's blocks with the thoughts of `reasoning_details` where they were.

    Entries of another provider's format, and text without a signature, mean nothing to Anthropic and are left out.
    """
    if details is None:
        return blocks
    if not isinstance(details, list):
        raise BadInput("reasoning_details must be a list.", param=f"{where}.reasoning_details")
    placed = list(blocks)
    for index, block in sorted(_thoughts(details), key=lambda found: found[0]):
        placed.insert(index, block)  # past the end means at the end
    return placed


def _thoughts(details: Iterable[Any]) -> Iterable[tuple[int, Block]]:
    for place, entry in enumerate(details):
        if not isinstance(entry, dict) or entry.get("format") != FORMAT:
            continue
        index = entry.get("index")
        index = index if type(index) is int and index >= 0 else place
        if entry.get("type") == "reasoning.text" and isinstance(entry.get("signature"), str) and entry["signature"]:
            text = str(entry.get("text") or "")
            yield index, {"type": "thinking", "thinking": text, "signature": entry["signature"]}
        elif entry.get("type") == "reasoning.encrypted" and isinstance(entry.get("data"), str):
            yield index, {"type": "redacted_thinking", "data": entry["data"]}
