"""Create the demo's documents through the services."""

import re

from console.catalog.models import ModelVersion
from console.catalog.services.builtin import EMBEDDINGS
from console.knowledge.models import Collection
from console.knowledge.services.collections import create_collection
from console.knowledge.services.documents import add_document, save_version
from console.teams.actors import Actor
from console.teams.models import Team, User

SLUG = "support"
_BY = "tomas.lind@demo.example"

PRICE_POLICY = """# Price policy

All prices on the site are in euros and include tax. The price at the moment of the order counts, also when it changes
before the goods arrive.

## Delivery costs

Standard delivery costs 4 euros and is free from 50 euros on. Express delivery costs {express} euros and arrives on the
next working day when it is ordered before noon.

## Discounts

- Students get 10 % with a valid card.
- Subscribers of the newsletter get 5 euros off their first order.

Discounts do not add up: the customer gets the larger one.

## Price promise

Where the same article becomes cheaper within 14 days of the order, we pay the difference back on request. This does not
hold for clearance sales.
"""

RETURNS = """# Returns and refunds

## How long

Goods can be returned within 30 days of delivery, unworn and in their packaging. From 15 November to 24 December the
30 days begin on 27 December, so that presents can be exchanged.

## How

The customer asks for a label in their account under *Orders*, and hands the parcel in at any pick-up point. Without an
account, support sends the label by mail; ask for the order number and the postal code.

## When the money comes

Refunds go to the means of payment the order was paid with, within five working days of the parcel's arrival. Vouchers
are given back as vouchers. Delivery costs are paid back when the whole order is returned.

## What cannot be returned

Underwear and earrings that were unsealed, and articles made to measure. Faulty goods can always be returned, for two
years.
"""

PARCELS = """# Lost and damaged parcels

## Not arrived

If a parcel has not arrived ten days after it was sent, we send the goods again or pay the whole amount back, as the
customer wishes. Ask for the order number first, and look at the carrier's tracking: a parcel that waits at a pick-up
point is not lost.

## Damaged

Ask for a photograph of the parcel and of the goods. Up to 80 euros we send a replacement at once; above that, a person
of the support team decides.

## Wrong article

We send the right article the same day and a label for the wrong one. The customer pays nothing.
"""


def make_knowledge(teams: dict[str, Team], people: dict[str, User]) -> None:
    """Make the collection with its documents, once; with vectors where the built-in embeddings are there."""
    team = teams["support"]
    if Collection.objects.filter(team=team, slug=SLUG, deleted_at=None).exists():
        return
    person = people[_BY]
    actor = Actor(kind="user", id=person.pk, name=person.name)
    collection = create_collection(
        actor=actor,
        team=team,
        slug=SLUG,
        name="Support",
        description="Demo. Prices, returns and parcels: what we tell customers.",
        model=_built_in_embeddings(),
    )
    policy = add_document(
        actor=actor,
        collection=collection,
        name="Price policy",
        text=_unbroken(PRICE_POLICY).format(express=12),
        message="As agreed with finance",
    )
    add_document(actor=actor, collection=collection, name="Returns and refunds", text=_unbroken(RETURNS))
    add_document(actor=actor, collection=collection, name="Lost and damaged parcels", text=_unbroken(PARCELS))
    save_version(
        actor=actor,
        document=policy,
        text=_unbroken(PRICE_POLICY).format(express=9),
        message="Express delivery is three euros cheaper",
        seen_version=1,
    )


def _unbroken(text: str) -> str:
    """Give each paragraph one line, as people type them; here they are broken for whoever reads this file."""
    return re.sub(r"(?<!\n)\n(?=\w)", " ", text)


def _built_in_embeddings() -> ModelVersion | None:
    found = ModelVersion.objects.filter(provider__slug=EMBEDDINGS.slug, provider__is_builtin=True, retired_at=None)
    return found.select_related("provider").filter(name=EMBEDDINGS.name).first()
