"""A kind of tool for tests: it counts what it did in a file, which outlives every process that is killed.

Arguments say how it behaves: `seconds` before it acts or `until` a file is there, `after` before it answers, `fails`,
and what it `says`.
"""

import asyncio
import json
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agents_app.tools.base import Pause, Result, ToolCall, ToolFailed

PARAMETERS = {
    "type": "object",
    "properties": {
        "what": {"type": "string"},
        "seconds": {"type": "number"},
        "until": {"type": "string"},
        "after": {"type": "number"},
        "fails": {"enum": ["plainly", "unknown", "retry", "broken"]},
        "says": {"type": "string"},
        "asks": {"type": "boolean"},
    },
}


class Counting:
    slug, label, icon, sentence, description = "counting", "Counting", "bolt", "Counts.", "Counts."
    effect, is_idempotent, needs_run, unavailable = "write", False, True, ""

    def schema(self, config: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
        return dict(PARAMETERS)

    def check(self, config: Mapping[str, Any]) -> dict[str, Any]:
        return dict(config)

    def origin(self, config: Mapping[str, Any]) -> str:
        return ""

    async def call(self, call: ToolCall) -> Result | Pause:
        given, path = call.arguments, Path(call.config["file"])
        note(path, "begun", call)
        if given.get("asks"):
            form = {"type": "object", "properties": {"size": {"enum": ["s", "m"]}}, "required": ["size"]}
            return Pause("Asks for a size", form=form, question="Which size?")
        await asyncio.sleep(given.get("seconds", 0))
        while "until" in given and not Path(given["until"]).exists():
            await asyncio.sleep(0.02)
        if given.get("fails") in {"plainly", "retry"}:
            raise ToolFailed("The shelf is empty.", may_retry=given["fails"] == "retry")
        note(path, "done", call)
        await asyncio.sleep(given.get("after", 0))
        if given.get("fails") == "unknown":
            raise ToolFailed("The line went dead.", is_unknown=True)
        if given.get("fails") == "broken":
            raise RuntimeError("a bug")
        return Result(given.get("says", f"{given.get('what', 'it')} is done"), note="counted")


def note(path: Path, event: str, call: ToolCall) -> None:
    line = json.dumps([event, call.arguments.get("what", ""), call.idempotency_key.hex]).encode() + b"\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, line)
    os.close(descriptor)


def counted(path: Path, event: str = "done") -> Counter[str]:
    """Return how often each thing was done, by its name."""
    if not path.exists():
        return Counter()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return Counter(what for kind, what, _ in lines if kind == event)


def keys(path: Path, what: str) -> set[str]:
    return {key for _, name, key in map(json.loads, path.read_text().splitlines()) if name == what}
