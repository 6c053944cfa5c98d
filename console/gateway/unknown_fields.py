"""Unknown fields of a request: passed on, dropped or refused, by the policy of the caller's key.

Keys without a policy, and callers without a key, follow the installation's setting; a laxer policy counts only if an
operator set it (`teams/unknown_fields.py`). It is part of the snapshot, so a change applies from the key's next request
on. Dropped fields are always named to the caller: those the policy drops, those that are never sent on
(`fields.NOT_SENT`), and those without counterpart in the wire format of the provider, once that is chosen.
"""

from collections.abc import Iterable, Set
from dataclasses import replace

from console.core.errors import BadInput
from console.gateway.operations import OPERATIONS
from console.gateway.operations.message import BETA
from console.gateway.shapes.fields import NOT_SENT
from console.gateway.types import Ask, Asker
from console.teams.unknown_fields import policy_of

_MOST_NAMES = 20  # in the answer's header and the log


def dropped_by(policy: str, unknown: Set[str], withheld: Set[str]) -> Set[str]:
    """Return which of these fields a policy drops; raise BadInput if it refuses one.

    `withheld` are fields that the operation accepts and never sends on; they are never refused.
    """
    if policy == "refuse" and (strange := unknown - withheld):
        name = min(strange)[:60]
        raise BadInput(f"{name!r} is not a field of this request.", param=name)
    return unknown & (NOT_SENT | withheld) if policy == "pass" else unknown


def names_of(fields: Iterable[str]) -> tuple[str, ...]:
    """Return the names of fields, fit for a header and the log."""
    return tuple(ascii(name[:60])[1:-1] for name in sorted(fields)[:_MOST_NAMES])


def apply_policy(asker: Asker, ask: Ask) -> Ask:
    """Return the ask with the policy applied to its unknown fields; raise BadInput if it refuses one.

    Betas are what unknown fields need at Anthropic, so they are passed on or dropped with them. They are never refused,
    because clients send some by themselves.
    """
    if not ask.unknown and not ask.betas:
        return ask
    policy = policy_of(asker.key)
    out = dropped_by(policy, ask.unknown, OPERATIONS[ask.operation].withheld)
    body = {name: value for name, value in ask.body.items() if name not in out} if out else ask.body
    if ask.betas and policy != "pass":
        return replace(ask, body=body, unknown=frozenset(), dropped=names_of({*out, BETA}), betas=())
    return replace(ask, body=body, unknown=frozenset(), dropped=names_of(out))


def dropped_names(asker: Asker, ask: Ask, dropped_fields: Set[str]) -> tuple[str, ...]:
    """Return the names of all dropped fields, with those the chosen provider does not support; may raise BadInput.

    Only top-level fields are refused; fields inside messages never are.
    """
    if not dropped_fields:
        return ask.dropped
    if policy_of(asker.key) == "refuse" and (refused := dropped_fields & ask.body.keys()):
        name = min(refused)
        raise BadInput(f"The model behind {ask.model!r} cannot be told {name}.", param=name)
    return names_of({*ask.dropped, *dropped_fields})
