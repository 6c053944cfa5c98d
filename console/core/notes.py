"""A note of a room above about an object of a room below."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Note:
    """`tone` is brand, ok, warn or bad; `action` names the link to `url`."""

    tone: str
    icon: str
    title: str
    text: str
    action: str
    url: str
