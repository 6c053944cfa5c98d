"""Calls of tools in a stream, piece by piece: kept for the log, and put so that clients can add them up.

Clients insert a piece at its `index` and join every text of pieces with the same one. So numbers must begin at 0 and
leave none out, and an id or a name must come once. Providers that only say they speak OpenAI's wire format leave
`index` out, give each of several calls the same one, repeat the id and the name with every piece, or write arguments
as an object.
"""

from typing import Any

import orjson

from console.core.ids import uuid7


def new_id() -> str:
    """Return an id for a call whose provider gave it none; its result is sent back under it."""
    return f"call_{uuid7().hex}"


def holder_of(call: dict[str, Any]) -> tuple[str, str]:
    """Return which member of a call holds what is called, and which of its members the text for it."""
    is_custom = call.get("type") == "custom" or isinstance(call.get("custom"), dict)
    return ("custom", "input") if is_custom else ("function", "arguments")


def as_text(value: Any) -> str:
    """Return arguments as the text they should have been."""
    return value if isinstance(value, str) else "" if value is None else orjson.dumps(value).decode()


class Calls:
    """The calls of one choice, as far as they have come."""

    __slots__ = ("_places", "made")

    def __init__(self) -> None:
        self.made: list[dict[str, Any]] = []
        self._places: dict[int | None, int] = {}  # where the call is that the provider gives this number

    def take(self, call: dict[str, Any]) -> bool:
        """Keep what a piece adds, and mend it in place; return whether there was anything to mend."""
        before = dict(call)
        kind, text = holder_of(call)
        function = call.get(kind)
        function = dict(function) if isinstance(function, dict) else {}
        index, id, name = call.get("index"), call.get("id") or "", function.get("name") or ""
        index = index if type(index) is int else None
        place = self._places.get(index)
        if place is None or self._is_another(place, index, id, name):
            place = self._places[index] = len(self.made)
            self._begin(call, function, kind, text)
        else:
            call.pop("id", None)
            known = self.made[place]
            kind = known["type"]
            if name and known[kind]["name"] == name:
                del function["name"]
            self._add(known[kind], function, text)
        call["index"] = place
        if function or kind in before:
            call[kind] = function
        return call != before

    def _is_another(self, place: int, index: int | None, id: Any, name: Any) -> bool:
        """Return whether a piece begins a call although its number was there before."""
        if not name:
            return False
        known = self.made[place]
        return known["id"] != str(id) if id else index is None

    def _begin(self, call: dict[str, Any], function: dict[str, Any], kind: str, text: str) -> None:
        call["id"] = str(call.get("id") or "") or new_id()
        call["type"] = kind
        function["name"] = str(function.get("name") or "")
        function[text] = as_text(function.get(text))
        self.made.append({"id": call["id"], "type": kind, kind: {"name": function["name"], text: function[text]}})

    @staticmethod
    def _add(known: dict[str, Any], function: dict[str, Any], text: str) -> None:
        if text in function:
            function[text] = as_text(function[text])
            known[text] = known.get(text, "") + function[text]
        known["name"] += str(function.get("name") or "")
