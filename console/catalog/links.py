"""Links from an alias's page to rooms above, which append to SOURCES in their `AppConfig.ready`."""

from collections.abc import Callable
from dataclasses import dataclass

from console.teams.callers import Caller


@dataclass(frozen=True, slots=True)
class Link:
    label: str
    icon: str
    url: str


# Given who looks and the alias's name; only what they may do there.
SOURCES: list[Callable[[Caller, str], list[Link]]] = []


def links_on(caller: Caller, alias: str) -> list[Link]:
    return [link for source in SOURCES for link in source(caller, alias)]
