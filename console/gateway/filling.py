"""Fill in an ask: whose it is, and what agents and prompts put before its messages."""

from console.gateway.agents import with_agent
from console.gateway.prompting import prompted
from console.gateway.refusing import Identify
from console.gateway.snapshot import Snapshot
from console.gateway.types import Ask, Asker
from console.gateway.unknown_fields import settled


class Filling:
    """An ask as far as it is filled in: what is refused on the way is on record with that much of it."""

    __slots__ = ("ask", "asker")

    def __init__(self, ask: Ask) -> None:
        self.ask = ask
        self.asker: Asker | None = None

    async def fill(self, identify: Identify, snapshot: Snapshot) -> Asker:
        """Return whose ask it is, with its agent and its prompt filled in; raise Refusal otherwise."""
        self.asker = asker = identify(snapshot)
        self.ask = ask = with_agent(snapshot, asker, settled(asker, self.ask))
        if "prompt" in ask.body:
            self.ask = await prompted(snapshot, asker, ask)
        return asker
