"""For tests on real processes: a model that goes by what it is told, and a till that counts what it took."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.runs.scripts import wants, words
from tests.upstream import Script, Upstream, head

PARAMETERS = {"type": "object", "properties": {"what": {"type": "string"}}, "required": ["what"]}


def answer(value: dict[str, Any]) -> Script:
    raw = json.dumps(value).encode()

    async def play(writer: asyncio.StreamWriter) -> None:
        writer.write(head(200, "application/json", len(raw)) + raw)

    return play


def later(script: Script, is_open: Callable[[], bool]) -> Script:
    """Play a script once the gate is open."""

    async def play(writer: asyncio.StreamWriter) -> None:
        while not is_open():
            await asyncio.sleep(0.02)
        await script(writer)

    return play


class Brain(Upstream):
    """A model. Told `word`, it wants pay(what=word), then says what came of it; `plans` says otherwise for some words.

    What it is told did not happen it wants again. `shut` holds these words' answers.
    """

    def __init__(self) -> None:
        super().__init__()
        self.shut: set[str] = set()
        self.asked: Counter[str] = Counter()
        self.rounds: dict[str, int] = {}
        self.plans: dict[str, list[tuple[str, dict[str, Any]]]] = {}

    def _default(self, body: dict[str, Any]) -> Script:  # type: ignore[override]
        messages = body["messages"]
        word = next(message["content"] for message in messages if message["role"] == "user")
        results = [message["content"] for message in messages if message["role"] == "tool"]
        self.asked[f"{word} {len(results)}"] += 1
        happened = [result for result in results if "did not happen" not in result]
        plan = self.plans.get(word) or [
            ("pay", {"what": f"{word} {number}" if word in self.rounds else word})
            for number in range(self.rounds.get(word, 1))
        ]
        if len(happened) < len(plan):
            said = wants(plan[len(happened)])
        else:
            said = words(f"Result: {results[-1] if results else 'none'}")
        return later(answer(said), lambda: word not in self.shut)


class Till(Upstream):
    """A server that takes money: once per idempotency key, and counts. It can hang before it acts, or after."""

    def __init__(self) -> None:
        super().__init__()
        self.before: set[str] = set()
        self.after: set[str] = set()
        self.taken: Counter[str] = Counter()
        self.keys: dict[str, set[str]] = {}

    def hangs(self, what: str) -> bool:
        """Say whether a request about it has come."""
        return any(seen.body.get("what") == what for seen in self.seen)

    def _default(self, body: dict[str, Any]) -> Script:  # type: ignore[override]
        what = body["what"]
        key = self.seen[-1].headers.get("idempotency-key", "")

        async def play(writer: asyncio.StreamWriter) -> None:
            while what in self.before:
                await asyncio.sleep(0.02)
            if key not in self.keys.setdefault(what, set()):
                self.keys[what].add(key)
                self.taken[what] += 1
            await later(answer({"taken": what}), lambda: what not in self.after)(writer)

        return play
