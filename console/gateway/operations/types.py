"""The interface of operations, so that the pipeline need not know which one it relays."""

from typing import Any, NamedTuple, Protocol

from console.catalog.shapes import PinShape, VersionShape
from console.gateway.types import Ask
from console.providers.types import Endpoint, Outgoing, StreamReader, Usage

# What a model can do is guessed from its name when it is imported, so this names who puts it right.
NO_TOOLS = (
    "The model behind {!r} cannot call tools, by what is noted of it. Call one that can; "
    "if it can, an operator ticks that on the model's page."
)

NO_VISION = (
    "The model behind {!r} does not accept images, according to its capabilities. Call one that does; "
    "if it does, an operator ticks Vision on the model's page."
)


class Fitted(NamedTuple):
    """A body made fit for its model, and the most tokens that can come back, over all its choices."""

    body: dict[str, Any]
    output_tokens: int


class ReadAnswer(NamedTuple):
    """A whole answer: for the client, as it is charged, and for the log."""

    body: bytes
    usage: Usage | None
    output: str


class Operation(Protocol):
    """One thing that can be asked of a model. Listed in `operations.OPERATIONS`; `kind` is a key of the registry."""

    @property
    def known_fields(self) -> frozenset[str]:
        """The fields its bodies can have; what happens to others is for the caller's key to say."""

    @property
    def withheld(self) -> frozenset[str]:
        """Those it takes as well, and never sends on; the answer names them."""

    def check(self, value: Any) -> dict[str, Any]:
        """Return a body from outside, ready to be sent on; raises BadInput that names the field at fault."""

    def check_fit(self, version: VersionShape, ask: Ask) -> None:
        """Refuse what the model cannot do, by the name of the field that asks for it."""

    def dropped_fields(self, version: VersionShape, ask: Ask) -> frozenset[str]:
        """Return what of the request the wire format of the model's provider has no word for, by its names."""

    def beyond_tokens(self, ask: Ask) -> str:
        """Return what of the request its provider wants more for than tokens, by its name; empty for nothing."""

    def fit(self, ask: Ask, pin: PinShape, default_output: int) -> Fitted:
        """Return the body for the provider, with the pin's parameters and the model's limits."""

    def prompt_tokens(self, ask: Ask) -> int:
        """Return an upper estimate of what goes in."""

    def outgoing(self, version: VersionShape, endpoint: Endpoint, body: dict[str, Any], ask: Ask) -> Outgoing: ...

    def read(self, kind: str, raw: bytes, ask: Ask) -> ReadAnswer:
        """Return the whole answer; raises ProviderError when it is not one."""

    def reader(self, kind: str, ask: Ask) -> StreamReader:
        """Return what reads the answer as a stream."""
