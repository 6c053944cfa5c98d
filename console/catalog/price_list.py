"""Look up prices in the list of genai-prices; it runs as a program of its own.

The list takes a second and 20 MB to load, for what an operator asks now and then, and matches names by whatever pattern
its authors wrote. So a process of its own reads it, which knows nothing of Facet and asks nobody: JSON comes in on
standard input (`base_url`, `names`), and one line of JSON goes out (`version`, `prices` by name).
"""

import json
import re
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import genai_prices
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelInfo, TieredPrices

# What is charged by the call or the message besides cannot be said per million tokens.
_BY_THE_CALL = ("requests_kcount", "input_text_messages_kcount")
_GO_OUT = frozenset({"reasoning", "audio_output"})
_NAMES = {
    "input": "input_mtok",
    "cached_input": "cache_read_mtok",
    "output": "output_mtok",
    "reasoning": "output_reasoning_mtok",
    "cache_write": "cache_write_mtok",
    "cache_write_1h": "cache_write_1h_mtok",
    "audio_input": "input_audio_mtok",
    "audio_output": "output_audio_mtok",
}


def prices_at(base_url: str, names: list[str]) -> dict[str, dict[str, Any]]:
    """Return the prices of those the list knows at this address, as text by part.

    `is_tiered` says that long inputs cost more and no price of theirs is with it.
    """
    snapshot = get_snapshot()
    found = {}
    for name in names:
        try:
            provider, model = snapshot.find_provider_model(name.removeprefix("models/"), None, None, base_url)
        except LookupError:
            continue
        if _is_at(provider.api_pattern, base_url) and (price := _price(model, datetime.now(UTC))):
            found[name] = price
    return found


def _is_at(pattern: str, base_url: str) -> bool:
    """Return whether the host is the pattern's to its end: `api.openai.com.example.net` is somebody else's."""
    found = re.match(pattern, base_url)
    if found is None:
        return False
    ends_in_a_word = re.search(r"\w\Z", found[0]) is not None
    return not (ends_in_a_word and re.match(r"[\w.-]", base_url[found.end() :]))


def _price(model: ModelInfo, day: datetime) -> dict[str, Any]:
    """Return the price on a day: where it goes by the hour the dearest, so that looking at night offers no other."""
    midnight = day.replace(hour=0, minute=0, second=0, microsecond=0)
    hours = [model.get_prices(midnight + timedelta(minutes=minutes)) for minutes in range(0, 24 * 60, 30)]
    said = max((price.__dict__ for price in hours), key=_dearness)
    if said.get("input_mtok") is None or any(said.get(name) for name in _BY_THE_CALL):
        return {}
    price: dict[str, Any] = {part: _amount(said.get(name)) for part, name in _NAMES.items()}
    long = _long(said)
    price |= long or dict.fromkeys(("long_above", "long_input", "long_output"))
    price["is_tiered"] = not long and any(isinstance(said.get(name), TieredPrices) for name in _NAMES.values())
    return price


def _long(entry: dict[str, Any]) -> dict[str, str | None]:
    """Return the price above the one length from which all of it is dearer in proportion; nothing where that is not so.

    It holds for more tokens of input than that, as here.
    """
    prices = {part: price for part, name in _NAMES.items() if (price := entry.get(name)) is not None}
    starts = {tuple(tier.start for tier in price.tiers) for price in prices.values() if isinstance(price, TieredPrices)}
    if len(starts) != 1 or len(start := starts.pop()) != 1:
        return {}
    short = {part: price.base if isinstance(price, TieredPrices) else price for part, price in prices.items()}
    long = {part: price.tiers[0].price if isinstance(price, TieredPrices) else price for part, price in prices.items()}
    for part in prices.keys() - {"input", "output"}:
        whole = "output" if part in _GO_OUT else "input"
        if whole not in long or short[part] * long[whole] != long[part] * short[whole]:
            return {}
    amounts = {f"long_{part}": f"{long[part]:f}" if part in long else None for part in ("input", "output")}
    return {"long_above": str(start[0]), **amounts}


def _dearness(entry: dict[str, Any]) -> tuple[Decimal, Decimal]:
    amounts = (_amount(entry.get(name)) for name in ("output_mtok", "input_mtok"))
    output, taken_in = (Decimal(amount or 0) for amount in amounts)
    return output, taken_in


def _amount(value: Decimal | TieredPrices | None) -> str | None:
    """Return the price up to the first tier."""
    amount = value.base if isinstance(value, TieredPrices) else value
    return None if amount is None else f"{amount:f}"


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    sys.stdout.write(
        json.dumps({"version": genai_prices.__version__, "prices": prices_at(asked["base_url"], asked["names"])})
    )
