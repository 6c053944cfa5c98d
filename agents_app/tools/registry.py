"""Every kind of tool, in the order people choose from. A new kind adds its folder and one line here."""

from agents_app.tools.base import Kind
from agents_app.tools.completion import Completion
from agents_app.tools.fetch import Fetch
from agents_app.tools.http import Http
from agents_app.tools.knowledge import Knowledge
from agents_app.tools.mcp import Mcp
from agents_app.tools.notes import Notes
from agents_app.tools.person import Person
from agents_app.tools.plugin import Plugin
from agents_app.tools.queue import WorkQueue
from agents_app.tools.wait import Wait
from console.core.errors import BadInput

_ALL: tuple[Kind, ...] = (
    Http(),
    Mcp(),
    Fetch(),
    Knowledge(),
    Completion(),
    WorkQueue(),
    Person(),
    Wait(),
    Notes(),
    Plugin(),
)
KINDS: dict[str, Kind] = {kind.slug: kind for kind in _ALL}


def kind_of(slug: str) -> Kind:
    if slug not in KINDS:
        raise BadInput(f"{slug[:20]!r} is not a kind of tool; there are {', '.join(KINDS)}.", param="kind")
    return KINDS[slug]
