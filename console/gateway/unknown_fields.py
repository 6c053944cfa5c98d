"""Fields of a request that we do not know: sent on, left out or refused, as the caller's key says.

A key without a word of its own, and whoever calls without a key, goes by the installation's setting. The word is read
from the snapshot a call is planned from, so another one holds from the key's next request on.
"""

from collections.abc import Set

from console.core.errors import BadInput
from console.core.quick_settings import settings
from console.gateway.types import Ask, Asker

_MOST_NAMES = 20  # the answer's header and the log say a few of them, for whoever wonders


def policy(own: str) -> str:
    """Return what counts for a key with this word of its own."""
    return own or str(settings.GATEWAY_UNKNOWN_FIELDS)


def refuse(unknown: Set[str]) -> None:
    name = min(unknown)[:60]
    raise BadInput(f"{name!r} is not a field of this request.", param=name)


def settled(asker: Asker, ask: Ask) -> Ask:
    """Return the ask with its unknown fields dealt with; the same ask when it has none. May raise BadInput."""
    if not ask.unknown:
        return ask
    word = policy(asker.key.unknown_fields if asker.key is not None else "")
    if word == "refuse":
        refuse(ask.unknown)
    if word == "pass":
        return ask._replace(unknown=frozenset())
    body = {name: value for name, value in ask.body.items() if name not in ask.unknown}
    names = tuple(ascii(name[:60])[1:-1] for name in sorted(ask.unknown)[:_MOST_NAMES])
    return ask._replace(body=body, unknown=frozenset(), dropped=names)
