"""Published prices, to look at and adopt. Nothing here sets one."""

import json
import logging
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from django.conf import settings

from console.catalog.families import guess
from console.catalog.models import AMOUNTS, Amounts, Capability, Provider
from console.core.connections import let_go

log = logging.getLogger(__name__)

_SECONDS = 15
# The list says dollars. What a price is in another currency, only the contract knows.
_CURRENCY = "USD"
_PROGRAM = Path(__file__).with_name("price_list.py")


@dataclass(frozen=True, slots=True)
class Published(Amounts):
    """A published price. `is_tiered`: long inputs cost more, in a way a price here cannot say."""

    is_tiered: bool = False


class PriceList(NamedTuple):
    """`source` is the list and its version; empty when it was not asked."""

    source: str
    prices: Mapping[str, Published]


NOT_ASKED = PriceList("", MappingProxyType({}))


def published(provider: Provider, names: Sequence[str]) -> PriceList:
    """Return the published prices of those models the list knows at the provider's address.

    Nothing is asked over the network. A list that cannot be read is no list: prices can be typed.
    """
    if not names or provider.is_builtin or settings.CURRENCY != _CURRENCY:
        return NOT_ASKED
    let_go()
    try:
        done = subprocess.run(  # noqa: S603 (a program of ours; what it reads comes in as data)
            [sys.executable, "-I", str(_PROGRAM)],
            input=json.dumps({"base_url": provider.base_url, "names": list(names)}).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=True,
            env={},
        )
        said = json.loads(done.stdout)
    except (subprocess.SubprocessError, OSError, ValueError):
        log.exception("The list of published prices could not be read.")
        return NOT_ASKED
    found = {name: _read(price) for name, price in said["prices"].items()}
    usable = {name: price for name, price in found.items() if price.output is not None or _makes_vectors(name)}
    return PriceList(f"genai-prices {said['version']}", usable)


def _read(price: Mapping[str, str | None]) -> Published:
    amounts = {part: Decimal(text) if (text := price.get(part)) else None for part in AMOUNTS}
    above = int(text) if (text := price.get("long_above")) else None
    return Published(**amounts, long_above=above, is_tiered=bool(price["is_tiered"]))  # type: ignore[arg-type]


def _makes_vectors(name: str) -> bool:
    found = guess(name)
    return found is not None and found.capabilities == (Capability.EMBEDDING.value,)
