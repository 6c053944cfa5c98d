"""Conversations that continue from stored responses, with all their turns and referenced items."""

import re
from typing import Any

import orjson
from django.conf import settings

from console.api.background import rows
from console.api.responses import PREFIX, StoredResponse, StoredRows, id_of, record_reading, response_in
from console.api.sql import chain
from console.core.errors import BadInput, NotFound
from console.gateway.responses.kept import said_in
from console.gateway.shapes.responses import REFERENCE, kind_of
from console.teams.callers import Caller

_MOST_TURNS = 500
# An item of an answer is named after its response and its place there.
_ITEM = re.compile(r"[a-z]+_(?P<response>[0-9a-f]{32})[0-9]{2,4}")


class _Reading:
    """What one request reads of kept responses: as many, and as much of them, as a conversation may have."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._written = StoredRows({}, {}, {})
        self._outputs: dict[str, list[dict[str, Any]]] = {}  # of responses whose items were named
        self._count = self._size = 0

    def turns(self, name: str) -> list[StoredResponse]:
        """Return a response and those it continued from, the first of all first."""
        param = "previous_response_id"
        stored = [self._find(name, param, follow=True)]
        self._note(stored[0], param)
        self._take(stored[0].size, param)
        while previous := stored[-1].previous:
            stored.append(self._find(previous, param, follow=True))
            self._take(stored[-1].size, param)
        return stored[::-1]

    def with_items(self, items: list[dict[str, Any]], param: str = "") -> list[dict[str, Any]]:
        return [
            self._named(str(item.get("id") or ""), param or f"input[{place}].id")
            if kind_of(item) == REFERENCE
            else item
            for place, item in enumerate(items)
        ]

    def _named(self, name: str, param: str) -> dict[str, Any]:
        match = _ITEM.fullmatch(name)
        if match is None:
            raise NotFound(f"There is no item {name[:60]!r}; send the item itself.", param=param)
        response = PREFIX + match["response"]
        if response not in self._outputs:
            stored = self._find(response, param)
            self._note(stored, REFERENCE)
            self._outputs[response] = stored.response["output"]
        for output in self._outputs[response]:
            if output["id"] == name:
                self._take(len(orjson.dumps(output)), param)  # each time: naming it is short, and what it says is not
                return dict(output)
        raise NotFound(f"There is no item {name[:60]!r} in {response}; send the item itself.", param=param)

    def _find(self, name: str, param: str, *, follow: bool = False) -> StoredResponse:
        """Return one response; those it continued from are read with it where they will be asked for next."""
        self._count += 1
        if self._count > _MOST_TURNS:
            raise _too_long(param)
        id = id_of(name)
        if id is None:
            raise rows.missing(name, param)
        if not self._written.has(id):
            limits = {"most": _MOST_TURNS - self._count + 1, "bytes": settings.GATEWAY_BODY_BYTES - self._size}
            self._written = StoredRows.of(self._caller, [id, *chain(id, **limits)] if follow else [id])
        return response_in(self._caller, name, id, self._written, param)

    def _note(self, stored: StoredResponse, part: str) -> None:
        """Put on record that somebody has a model read to them what another key said and heard."""
        if not stored.is_own:
            record_reading(self._caller, stored, part)

    def _take(self, size: int, param: str) -> None:
        self._size += size
        if self._size > settings.GATEWAY_BODY_BYTES:
            raise _too_long(param)


def _too_long(param: str) -> BadInput:
    return BadInput(
        f"A conversation goes on for {_MOST_TURNS} responses and {settings.GATEWAY_BODY_BYTES:,} bytes at most:"
        " begin another one with what still matters.",
        param=param,
    )


def history(caller: Caller, name: str) -> list[dict[str, Any]]:
    """Return all items of a conversation up to and with this response: what was said to it, and what it said."""
    reading = _Reading(caller)
    items: list[dict[str, Any]] = []
    for stored in reading.turns(name):
        items += reading.with_items(said_in(stored.request), "previous_response_id")
        items += stored.response["output"]
    return items


def named_items(caller: Caller, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return items with those in full that are only named (`item_reference`): parts of kept answers, by their ids."""
    return _Reading(caller).with_items(items)
