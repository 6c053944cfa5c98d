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
        held = call.get(kind)
        held = dict(held) if isinstance(held, dict) else {}
        said, id, name = call.get("index"), call.get("id") or "", held.get("name") or ""
        said = said if type(said) is int else None
        place = self._places.get(said)
        if place is None or self._is_another(place, said, id, name):
            place = self._places[said] = len(self.made)
            self._begin(call, held, kind, text)
        else:
            call.pop("id", None)
            kept = self.made[place]
            kind = kept["type"]
            if name and kept[kind]["name"] == name:
                del held["name"]
            self._add(kept[kind], held, text)
        call["index"] = place
        if held or kind in before:
            call[kind] = held
        return call != before

    def _is_another(self, place: int, said: int | None, id: Any, name: Any) -> bool:
        """Return whether a piece begins a call although its number was there before."""
        if not name:
            return False
        known = self.made[place]
        return known["id"] != str(id) if id else said is None

    def _begin(self, call: dict[str, Any], held: dict[str, Any], kind: str, text: str) -> None:
        call["id"] = str(call.get("id") or "") or new_id()
        call["type"] = kind
        held["name"] = str(held.get("name") or "")
        held[text] = as_text(held.get(text))
        self.made.append({"id": call["id"], "type": kind, kind: {"name": held["name"], text: held[text]}})

    @staticmethod
    def _add(kept: dict[str, Any], held: dict[str, Any], text: str) -> None:
        if text in held:
            held[text] = as_text(held[text])
            kept[text] = kept.get(text, "") + held[text]
        kept["name"] += str(held.get("name") or "")
