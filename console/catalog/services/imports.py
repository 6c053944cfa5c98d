"""Add several models of a provider at once, with properties guessed from their names."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType

from django.db import transaction

from console.catalog.families import KINDS, Guess, guess, guess_of
from console.catalog.models import PARTS, Amounts, Capability, ModelVersion, Provider
from console.catalog.published import NOT_ASKED, PriceList
from console.catalog.services.versions import create_version, set_price
from console.core.errors import BadInput
from console.teams.callers import Actor

MOST_AT_ONCE = 200


@transaction.atomic
def import_models(
    *,
    actor: Actor,
    provider: Provider,
    names: Sequence[str],
    prices: Mapping[str, tuple[Decimal, Decimal | None]] = MappingProxyType({}),
    known_prices: PriceList = NOT_ASKED,
    kinds: Mapping[str, str] = MappingProxyType({}),
) -> list[ModelVersion]:
    """Add the named models; those that are there already stay as they are. Limits are guesses, and prices never.

    `prices` are those somebody typed or left as offered, per million tokens of input and output. A price nobody checked
    would be worse than none: without one, a call is refused where a quota limits cost. One that is as `known_prices`
    says is taken whole, with what the provider's cache costs.

    `kinds` says of models what each is, one of `KINDS`. Otherwise an unknown name is taken for one that chats, and one
    that seems to be for something other than text is refused.
    """
    if not names:
        raise BadInput("Choose at least one model.", param="models")
    if len(names) > MOST_AT_ONCE:
        raise BadInput(f"Import up to {MOST_AT_ONCE} models at once; these are {len(names)}.", param="models")
    known = set(provider.model_versions.values_list("name", flat=True))
    made = []
    for name in dict.fromkeys(name.strip() for name in names):
        if name in known:
            continue
        found = _kind_of(name, kinds.get(name, ""))
        version = create_version(
            actor=actor,
            provider=provider,
            name=name,
            capabilities=list(found.capabilities),
            context_tokens=found.context_tokens,
            max_output_tokens=found.max_output_tokens,
        )
        if name in prices and prices[name][1] is None and version.capabilities != [Capability.EMBEDDING]:
            raise BadInput(f"The output price of {name}: only models for embeddings have none.", param="prices")
        if name in prices:
            amounts, source = _published_or_typed(*prices[name], known_prices, name)
            set_price(actor=actor, version=version, amounts=amounts, source=source)
        made.append(version)
    return made


def _kind_of(name: str, kind: str) -> Guess:
    """Return what a model is taken for: by its name, unless somebody says that it is something else."""
    if kind and kind not in KINDS:
        raise BadInput(f"{name} cannot be {kind[:60]!r}; what it can be is {', '.join(KINDS)}.", param="kinds")
    found = guess(name)
    if kind and (found is None or kind not in found.capabilities):
        return guess_of(kind)
    if found is None:
        raise BadInput(
            f"{name} seems to be for sound, images or verdicts, by its name, which cannot be called here. Say what it "
            "is, if it is something else, or leave it out.",
            param="kinds",
        )
    return found


def _published_or_typed(taken: Decimal, output: Decimal | None, known: PriceList, name: str) -> tuple[Amounts, str]:
    """Return a price and where it was taken from: the published one where it is that, else what was typed."""
    found = known.prices.get(name)
    if found is None or (found.input, found.output) != (taken, output):
        return Amounts(taken, output), ""
    return Amounts(*(getattr(found, name) for name in PARTS)), known.source
