"""The shape every kind of tool has. Looking at a neighbour is how the next one is made."""

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call that may be made: it was granted, its arguments fit the schema, and whoever had to say yes did.

    Plain values, so that a kind needs no row: `config` and `secret` (decrypted) are those of the tool. `seconds` is
    what is left of the time for it. The same `idempotency_key` comes again when a call is repeated after a crash.
    """

    run_id: uuid.UUID
    step_id: uuid.UUID
    team_id: uuid.UUID
    tool_id: uuid.UUID | None
    tool_name: str
    arguments: Mapping[str, Any]
    config: Mapping[str, Any]
    secret: str
    idempotency_key: uuid.UUID
    seconds: float
    most_bytes: int


@dataclass(frozen=True, slots=True)
class Result:
    """What a tool answered. `content` is what the model reads; `note` one line for the trace."""

    content: str
    is_error: bool = False
    note: str = ""
    request_id: uuid.UUID | None = None  # of the call of a model it made
    tokens: int = 0
    cost_micros: int = 0


@dataclass(frozen=True, slots=True)
class Pause:
    """The tool needs no worker for now: until a moment, or until a person answered a form (a JSON schema)."""

    note: str
    until: dt.datetime | None = None
    form: dict[str, Any] | None = None
    question: str = ""


class ToolFailed(Exception):
    """A call that went wrong, in a sentence the model may read: no address, no secret, no body of a stranger.

    `is_unknown`: it may have happened all the same, so only an idempotent tool is called again. `may_retry`: it
    certainly did not happen, and another attempt could succeed.
    """

    def __init__(self, sentence: str, *, is_unknown: bool = False, may_retry: bool = False) -> None:
        super().__init__(sentence)
        self.sentence, self.is_unknown, self.may_retry = sentence, is_unknown, may_retry


@dataclass(frozen=True, slots=True)
class Definition:
    """What a kind makes of a form: ready to be stored on a Tool."""

    description: str
    parameters: dict[str, Any]
    config: dict[str, Any] = field(default_factory=dict)


class Kind(Protocol):
    """One folder of this package: how its tools are set up, and how they are called."""

    slug: str  # as Tool.kind
    label: str
    sentence: str  # for the page where people choose a kind
    effect: str  # read or write: what a new tool of this kind is marked as
    is_idempotent: bool

    def schema(self, config: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return the JSON schema of the arguments; for kinds with fixed arguments `parameters` does not matter."""

    def check(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return the configuration ready to be kept; BadInput names the field at fault. Never connects anywhere."""

    async def call(self, call: ToolCall) -> Result | Pause:
        """Make the call within its time; raises ToolFailed. Runs on the gateway's event loop, and may be cancelled."""
