"""Look prices up in the list that genai-prices carries; run as a program of its own.

The list takes a second and 20 MB to load, for what an operator asks now and then, and matches names by whatever pattern
its authors wrote. So a process of its own reads it, which knows nothing of Facet and asks nobody: JSON comes in on
standard input (`base_url`, `names`), and one line of JSON goes out (`version`, `prices` by name).
"""

import json
import sys
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import genai_prices
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelInfo, TieredPrices

# What is charged by the call or the message besides cannot be said per million tokens.
_BY_THE_CALL = ("requests_kcount", "input_text_messages_kcount")
_NAMES = {
    "input": "input_mtok",
    "cached_input": "cache_read_mtok",
    "output": "output_mtok",
    "reasoning": "output_reasoning_mtok",
}


def prices_at(base_url: str, names: list[str]) -> dict[str, dict[str, Any]]:
    """Return the prices of those the list knows at this address, as text by part.

    `is_tiered` says that long inputs cost more.
    """
    snapshot = get_snapshot()
    found = {}
    for name in names:
        try:
            _, model = snapshot.find_provider_model(name.removeprefix("models/"), None, None, base_url)
        except LookupError:
            continue
        if price := _price(model):
            found[name] = price
    return found


def _price(model: ModelInfo) -> dict[str, Any]:
    said = model.get_prices(datetime.now(UTC)).__dict__
    if said.get("input_mtok") is None or any(said.get(name) for name in _BY_THE_CALL):
        return {}
    price: dict[str, Any] = {part: _amount(said.get(name)) for part, name in _NAMES.items()}
    price["is_tiered"] = any(isinstance(said.get(name), TieredPrices) for name in _NAMES.values())
    return price


def _amount(value: Decimal | TieredPrices | None) -> str | None:
    """Return the price up to the first tier."""
    amount = value.base if isinstance(value, TieredPrices) else value
    return None if amount is None else f"{amount:f}"


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    sys.stdout.write(
        json.dumps({"version": genai_prices.__version__, "prices": prices_at(asked["base_url"], asked["names"])})
    )
