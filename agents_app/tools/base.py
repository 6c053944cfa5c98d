"""The interface of every kind of tool. To add one, copy its neighbour."""

import asyncio
import datetime as dt
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from console.gateway.refusals import Identify
from console.gateway.types import AnsweringAgent
from console.teams.models import Team


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call that may be made: it was granted, its arguments fit the schema, and whoever had to say yes did.

    Plain values, so that a kind needs no row: `config` and `secret` (decrypted) are those of the tool. `seconds` is
    what is left of the time for it. The same `idempotency_key` comes again when a call is repeated after a crash.
    `identify` is on whose behalf a model is called; None where nobody may be charged. Without a `run_id` a person
    tries the tool out.
    """

    run_id: uuid.UUID | None
    step_id: uuid.UUID | None
    team_id: uuid.UUID
    tool_id: uuid.UUID | None
    tool_name: str
    arguments: Mapping[str, Any]
    config: Mapping[str, Any]
    secret: str
    idempotency_key: uuid.UUID
    seconds: float
    most_bytes: int
    identify: Identify | None = None
    environment: str = "production"
    by_name: str = ""  # who acts, for what they put somewhere
    agent: AnsweringAgent | None = None  # whose run it is, for the calls of models it makes
    end_user: str = ""  # whose run it is, for those as well
    metadata: dict[str, str] | None = None  # and what it is for

    @property
    def run(self) -> str:
        """The run by the id people see, by which the log finds all that belongs to it; empty where there is none."""
        return f"run_{self.run_id.hex}" if self.run_id else ""


@dataclass(frozen=True, slots=True)
class Result:
    """What a tool answered. `content` is what the model reads; `note` one line for the trace.

    `tokens` are those of the call of a model it made, and `completion_tokens` those of them that were written.
    """

    content: str
    is_error: bool = False
    note: str = ""
    request_id: uuid.UUID | None = None  # of the call of a model it made
    tokens: int = 0
    cost_micros: int = 0
    completion_tokens: int = 0


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


class Kind(Protocol):
    """One folder of this package: how its tools are set up, and how they are called."""

    slug: str  # as Tool.kind
    label: str
    icon: str
    sentence: str  # for the page where people choose a kind
    description: str  # what a model is told of a new tool, until somebody writes it better
    effect: str  # read or write: what a new tool of this kind is marked as
    is_idempotent: bool
    needs_run: bool  # cannot be tried out by itself

    @property
    def unavailable(self) -> str:
        """Return why nobody can make one here; empty when they can."""

    def schema(self, config: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return the JSON schema of the arguments; for kinds with fixed arguments `parameters` does not matter."""

    def check(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return the configuration ready to be kept; BadInput names the field at fault. Never connects anywhere."""

    def origin(self, config: Mapping[str, Any]) -> str:
        """Return scheme, host and port a secret would be sent to; empty for kinds that send none."""

    async def call(self, call: ToolCall) -> Result | Pause:
        """Make the call within its time; raises ToolFailed. Runs on the gateway's event loop, and may be cancelled."""


@runtime_checkable
class Names(Protocol):
    """A kind whose configuration names what is made elsewhere: a queue, an alias, a collection."""

    def check_names(self, config: Mapping[str, Any], team: Team) -> None:
        """Refuse what a team does not have; BadInput names the field, what is missing in it, and what there is."""


def cut(text: str, most_bytes: int) -> str:
    """Return a result the model can read and a database can keep; what does not fit is left out, and that is said."""
    raw = text.replace("\x00", "\ufffd").encode(errors="replace")  # half of a surrogate pair is no character
    if len(raw) <= most_bytes:
        return raw.decode()
    kept = raw[:most_bytes].decode(errors="ignore")
    return f"{kept}\n[cut: {len(raw) - most_bytes:,} of {len(raw):,} bytes left out]"


def within(seconds: float) -> asyncio.Timeout:
    """Return a deadline for the whole of a call."""
    return asyncio.timeout(max(seconds, 0.05))


def written_json(value: Any) -> str:
    """Return JSON as people read it."""
    return json.dumps(value, indent=2, ensure_ascii=False)
