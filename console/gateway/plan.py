"""Plan an ask in memory: which version, what it may cost, and which limits count it."""

import orjson

from console.catalog.shapes import PinShape
from console.core.errors import BadInput
from console.gateway.errors import Unpriced
from console.gateway.limits import header_limits_of, limits_of
from console.gateway.operations import OPERATIONS, lengths
from console.gateway.record import joined, of_ask
from console.gateway.snapshot import Snapshot
from console.gateway.targets import CANARY, PINNED_STEP
from console.gateway.terms import terms_of
from console.gateway.types import Ask, Asker, Charge, Limit, Plan, Terms
from console.gateway.unknown_fields import dropped_names
from console.providers.registry import KINDS

# Surfaces where a person waits for the answer, streamed or not.
_LIVE = frozenset({"chat", "widget", "playground"})


def make_plan(
    snapshot: Snapshot, asker: Asker, ask: Ask, input_sha256: str, default_output: int, step: int = 0
) -> Plan:
    """Resolve an ask against the snapshot, for one step of its pin's chain. Raises Refusal; asks no database.

    A canary whose provider does not support the request, or that lacks a price where one is needed, leaves the call to
    the pin.
    """
    terms = terms_of(snapshot, asker, ask, step)
    if terms.route == CANARY:
        try:
            return _plan(snapshot, asker, ask, terms, input_sha256, default_output, step)
        except (BadInput, Unpriced):
            terms = terms_of(snapshot, asker, ask, PINNED_STEP)
    return _plan(snapshot, asker, ask, terms, input_sha256, default_output, step)


def _plan(
    snapshot: Snapshot, asker: Asker, ask: Ask, terms: Terms, input_sha256: str, default_output: int, step: int
) -> Plan:
    pin, version, price = terms.pin, terms.pin.version, terms.price
    provider = version.provider
    operation = OPERATIONS[ask.operation]
    operation.check_fit(version, ask)
    if pin.max_parameters:
        _check_maximum(pin, ask)
    dropped = dropped_names(asker, ask, operation.dropped_fields(version, ask))
    body, output_tokens = operation.fit(ask, pin, default_output)
    prompt_tokens = operation.prompt_tokens(ask)
    lane = terms.lanes[ask.lane or ("interactive" if ask.is_stream or ask.surface in _LIVE else "standard")]
    limits, header_limits = terms.limits, terms.header_limits
    if terms.has_each:
        limits = limits_of(limits, asker, ask)
        header_limits = header_limits_of(limits)
    start = {
        **of_ask(ask),
        "lane": lane,
        "prompt_tokens": prompt_tokens,
        "cost_micros": price.cost(prompt_tokens) if price else 0,
        "input_sha256": input_sha256,
    }
    outgoing = operation.outgoing(version, terms.endpoint, body, ask)
    beyond_tokens = operation.beyond_tokens(ask)
    return Plan(  # in the order of its members: naming seventeen takes three times as long as making it
        snapshot.epoch,
        asker,
        ask,
        terms.alias,
        version,
        KINDS[provider.kind],
        price,
        outgoing,
        lane,
        prompt_tokens,
        _charges(terms, limits, prompt_tokens, output_tokens, outgoing.body, beyond_tokens),
        header_limits,
        joined(terms.record, orjson.dumps(start)),
        terms.pinned,
        terms.route,
        step,
        dropped,
    )


def _check_maximum(pin: PinShape, ask: Ask) -> None:
    """Refuse parameters beyond the pin's maximum, by name; the length of an answer is capped instead."""
    bounds = dict(pin.max_parameters)
    if "n" in bounds:
        bounds["best_of"] = bounds["n"]  # that many answers are generated, however many are returned
    for name, most in bounds.items():
        value = ask.body.get(name)
        if name not in lengths.NAMES and isinstance(value, int | float) and value > most:
            raise BadInput(f"{name} is {value}; {ask.model!r} allows at most {most}.", param=name)


def _charges(
    terms: Terms, limits: tuple[Limit, ...], prompt_tokens: int, output_tokens: int, body: bytes, beyond_tokens: str
) -> tuple[Charge, ...]:
    """Return what each limit must reserve: the most this call can use."""
    amounts = {"requests": 1, "tokens": prompt_tokens + output_tokens, "concurrency": 1}
    if terms.price is not None and not beyond_tokens:
        amounts["cost"] = terms.price.most(prompt_tokens, output_tokens, body)
    try:
        return tuple([(limit, amounts[limit.metric]) for limit in limits])
    except KeyError:
        if beyond_tokens and terms.price is not None:
            raise Unpriced(
                f"The provider wants more for {beyond_tokens} than for its tokens, and no price here says how much, so "
                "it cannot be used where a cost limit applies.",
                param=beyond_tokens,
            ) from None
        raise Unpriced(
            f"{terms.pin.version.label} has no price, so it cannot be used where a cost limit applies.", param="model"
        ) from None
