"""Unknown fields of a request: passed on, dropped or refused, as the caller's key says.

A key without a word of its own, and whoever calls without a key, goes by the installation's setting; a laxer one holds
only where an operator gave it (`teams/unknown_fields.py`). The word is read from the snapshot a call is planned from,
so another one holds from the key's next request on. Nothing goes without a word: what is left out, by that or because
it is never sent on (`fields.NOT_SENT`), is named to the caller. So is what the wire format of the provider that answers
has no word for, which is known once that one is chosen.
"""

from collections.abc import Iterable, Set
from dataclasses import replace

from console.core.errors import BadInput
from console.gateway.operations import OPERATIONS
from console.gateway.operations.message import BETA
from console.gateway.shapes.fields import NOT_SENT
from console.gateway.types import Ask, Asker
from console.teams.unknown_fields import word_of

_MOST_NAMES = 20  # the answer's header and the log say a few of them, for whoever wonders


def left_out(word: str, unknown: Set[str], withheld: Set[str]) -> Set[str]:
    """Return those of these fields that go no further, by the word that holds for a key. May raise BadInput.

    `withheld` are fields that the operation takes and keeps: no reason to refuse a request.
    """
    if word == "refuse" and (strange := unknown - withheld):
        name = min(strange)[:60]
        raise BadInput(f"{name!r} is not a field of this request.", param=name)
    return unknown & (NOT_SENT | withheld) if word == "pass" else unknown


def names_of(fields: Iterable[str]) -> tuple[str, ...]:
    """Return the names of fields as a header and the log can say them."""
    return tuple(ascii(name[:60])[1:-1] for name in sorted(fields)[:_MOST_NAMES])


def settled(asker: Asker, ask: Ask) -> Ask:
    """Return the ask with its unknown fields dealt with; the same ask when it has none. May raise BadInput.

    Betas are what unknown fields need at Anthropic, so they go where those go. Clients name some by themselves: no
    reason to refuse a request.
    """
    if not ask.unknown and not ask.betas:
        return ask
    word = word_of(asker.key)
    out = left_out(word, ask.unknown, OPERATIONS[ask.operation].withheld)
    body = {name: value for name, value in ask.body.items() if name not in out} if out else ask.body
    if ask.betas and word != "pass":
        return replace(ask, body=body, unknown=frozenset(), dropped=names_of({*out, BETA}), betas=())
    return replace(ask, body=body, unknown=frozenset(), dropped=names_of(out))


def named(asker: Asker, ask: Ask, dropped_fields: Set[str]) -> tuple[str, ...]:
    """Return the names of all that goes no further, with what the chosen provider cannot be told. May raise BadInput.

    Only whole fields are refused: what is inside messages is the conversation's, and unknown members of it never were.
    """
    if not dropped_fields:
        return ask.dropped
    if word_of(asker.key) == "refuse" and (whole := dropped_fields & ask.body.keys()):
        name = min(whole)
        raise BadInput(f"The model behind {ask.model!r} cannot be told {name}.", param=name)
    return names_of({*ask.dropped, *dropped_fields})
