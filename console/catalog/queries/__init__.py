"""Reads of the catalog: what its pages need, already joined."""

from console.catalog.queries.aliases import (
    AliasPage,
    AliasRow,
    Canary,
    Stop,
    alias_page,
    alias_rows,
    moves,
    open_proposals,
    teams_shown,
)
from console.catalog.queries.providers import Health, ProviderRow, breakers_open, health_of, incidents, provider_rows
from console.catalog.queries.versions import Dependent, choices, collections_with, dependents, price_now, versions_of

__all__ = [
    "AliasPage",
    "AliasRow",
    "Canary",
    "Dependent",
    "Health",
    "ProviderRow",
    "Stop",
    "alias_page",
    "alias_rows",
    "breakers_open",
    "choices",
    "collections_with",
    "dependents",
    "health_of",
    "incidents",
    "moves",
    "open_proposals",
    "price_now",
    "provider_rows",
    "teams_shown",
    "versions_of",
]
