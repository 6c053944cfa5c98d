"""Expand an ask: resolve who asks, and the agent and the prompt it names."""

from console.gateway.agents import with_agent
from console.gateway.prompts import with_prompt
from console.gateway.refusals import Identify
from console.gateway.snapshot import Snapshot
from console.gateway.types import Ask, Asker
from console.gateway.unknown_fields import apply_policy


class Expansion:
    """An ask while it is expanded. A refusal on the way is recorded with the ask as it is by then."""

    __slots__ = ("ask", "asker")

    def __init__(self, ask: Ask) -> None:
        self.ask = ask
        self.asker: Asker | None = None

    async def run(self, identify: Identify, snapshot: Snapshot) -> Asker:
        """Return who asks, once `ask` contains its agent and its prompt; raise Refusal otherwise."""
        self.asker = asker = identify(snapshot)
        self.ask = ask = with_agent(snapshot, asker, apply_policy(asker, self.ask))
        if "prompt" in ask.body:
            self.ask = await with_prompt(snapshot, asker, ask)
        return asker
