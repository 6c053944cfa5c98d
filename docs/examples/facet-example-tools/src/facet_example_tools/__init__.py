"""Two tools and a hook, to copy from. Nothing here imports Facet."""

import asyncio
import re

_METRES = {"m": 1.0, "km": 1000.0, "mile": 1609.344, "foot": 0.3048}
_CARD = re.compile(r"\b(?:\d[ -]?){13,16}\b")


class CannotConvert(Exception):
    is_for_model = True  # its words are told to the model


class ConvertUnits:
    """A tool that computes something: it reads, and calling it again does no harm."""

    description = "Convert a length between metres, kilometres, miles and feet."
    effect = "read"
    is_idempotent = True
    parameters = {
        "type": "object",
        "properties": {
            "value": {"type": "number"},
            "unit": {"type": "string"},
            "to": {"type": "string", "description": "m, km, mile or foot"},
        },
        "required": ["value", "unit", "to"],
    }

    def call(self, arguments, context):
        try:
            metres = arguments["value"] * _METRES[arguments["unit"]]
            return {"value": round(metres / _METRES[arguments["to"]], 6), "unit": arguments["to"]}
        except KeyError as unknown:
            raise CannotConvert(f"I know m, km, mile and foot, not {unknown}.") from None


class SlowEcho:
    """A tool that waits: it is async, and its time limit ends it."""

    description = "Say a text again after some seconds."
    effect = "write"
    parameters = {
        "type": "object",
        "properties": {"text": {"type": "string"}, "seconds": {"type": "number"}},
        "required": ["text", "seconds"],
    }

    async def call(self, arguments, context):
        await asyncio.sleep(arguments["seconds"])
        return f"{arguments['text']} ({context.tool})"


class CardNumber(Exception):
    is_refusal = True  # its words say why the step stopped


class NoCardNumbers:
    """A hook that lets no number of a payment card out to a tool."""

    def before_tool_call(self, call):
        if _CARD.search(str(call.arguments)):
            raise CardNumber("The arguments hold a card number.")
