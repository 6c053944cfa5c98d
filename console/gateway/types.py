"""The values of the pipeline, without behaviour. They are not modified; `replace` makes another.

What a call reads often has slots: each member of a named tuple is a call into a descriptor, and a call to a model read
170 of them. It is not frozen, which would make it three times as dear to make. What is made again for each call and
read once, or taken apart as a tuple, is a named tuple.
"""

import datetime as dt
import uuid
from collections.abc import Callable, Set
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from console.catalog.shapes import PinShape, PriceShape, VersionShape
from console.gateway.resilience.permits import Permit
from console.providers.types import Endpoint, Kind, Outgoing, StreamReader, Usage
from console.teams.shapes import KeyShape, TeamShape
from usage_app.shapes import QuotaShape

if TYPE_CHECKING:
    from console.gateway.runtime import Gateway


class Asker(NamedTuple):
    """The caller of one call, as far as the pipeline must know. `key` is None for people and for our own work."""

    team: TeamShape
    environment: str
    actor_kind: str
    actor_id: uuid.UUID | None
    actor: str
    terms: "dict[tuple[str, str, int, str], Terms]"  # what is known of its calls already: terms.py
    key: KeyShape | None = None
    aliases: frozenset[str] = frozenset()  # empty: all the team's
    may_call_exact: bool = False  # exact versions (`provider/name`) besides aliases


class RenderedPrompt(NamedTuple):
    """The prompt of the library that stands before a call's messages."""

    ref: str  # `support/answer@7`
    record: str  # every version that took part, as JSON
    parameters: dict[str, Any]  # of the version; they lie under the pin's and the caller's


class AnsweringAgent(NamedTuple):
    """The agent a call named, and the version of it that answers."""

    id: uuid.UUID
    slug: str
    version_id: uuid.UUID
    number: int
    team_id: uuid.UUID  # whose prompts its instructions are made of, whoever calls
    most_output: int | None  # tokens of an answer

    @property
    def ref(self) -> str:
        return f"{self.slug}@{self.number}"


class Retrieved(NamedTuple):
    """The passages of documents that stand before a call's question."""

    citations: list[dict[str, Any]]  # as the answer lists them, in order
    record: dict[str, Any]  # as the log does
    looked_up: tuple[object, ...]  # what was looked up for them, and for whom
    block: str  # as the model reads them; empty when there are none

    @property
    def sources(self) -> list[dict[str, Any]]:
        """Return the passages as rooms of Facet keep them: with the ids of their documents."""
        return self.record["sources"]  # type: ignore[no-any-return]


@dataclass(slots=True)
class Ask:
    """What came in: a checked body in OpenAI's shape, and where from.

    `text` is the body as it was sent, for the log; `id` is the request's id and `at` its time, to the millisecond.
    """

    id: uuid.UUID
    at: dt.datetime
    type: str
    model: str
    body: dict[str, Any]
    text: str
    is_stream: bool = False
    include_usage: bool = False
    is_legacy: bool = False  # uses the wire format's older `functions`
    surface: str = "api"
    route: str = ""
    client_address: str = ""
    client_request_id: str = ""
    operation: str = "chat"  # a name in operations.OPERATIONS
    lane: str = ""  # empty: decided by whether the answer is streamed
    may_run: bool = False  # who asks starts a run for an agent that needs one, so that is no refusal
    is_keyed: bool = False  # carries an Idempotency-Key, so its answer may be wanted again
    prompt: RenderedPrompt | None = None
    agent: AnsweringAgent | None = None  # then `model` is the alias the agent answers with
    knowledge: Retrieved | None = None
    unknown: Set[str] = frozenset()  # fields of the body that may not be sent on; nobody has decided yet
    history: tuple[dict[str, Any], ...] = ()  # items of kept responses that this one continues from
    dropped: tuple[str, ...] = ()  # names of those that were left out of the body, whoever answers
    betas: tuple[str, ...] = ()  # what `anthropic-beta` names, for providers that speak messages
    response_id: uuid.UUID | None = None  # of a response whose caller does not wait: the id it was given at once
    trace_parent: str = ""  # what the client's trace calls the call, which `client_request_id` does not say
    end_user: str = ""  # whose call it is, as the log keeps what the caller calls its own user
    metadata: dict[str, str] | None = None  # what its caller says it is for, as the log keeps that


# A quota's id and the start of a period; and whose it is, where each end user has one.
Counter = tuple[int, dt.datetime] | tuple[int, dt.datetime, str]


class LimitColumns(NamedTuple):
    """What a limit puts into the arrays of the ledger's statements, in PostgreSQL's binary form."""

    quota: bytes
    period: bytes
    metric: bytes
    most: bytes
    refusal: bytes
    end_user: bytes


@dataclass(slots=True)
class LimitHeaders:
    """What the rate-limit headers say of a limit: its lines in a head, with places for what is left and until when."""

    form: bytes
    resets_at: float  # seconds since 1970; 0 where it never does


@dataclass(slots=True)
class Limit:
    """A quota in its present period, in the forms every call needs it in."""

    quota: QuotaShape
    metric: str  # the quota's
    counter: Counter
    most: int
    resets_at: dt.datetime | None
    refusal: bytes  # what the log's line of a call becomes when this refuses it, as JSON
    columns: LimitColumns
    headers: LimitHeaders | None  # None where the rate-limit headers do not speak of it


@dataclass(slots=True)
class Terms:
    """What the calls of one caller for one model have in common under one epoch, from `since` until `until`."""

    since: dt.datetime
    until: dt.datetime
    alias: str
    pinned: PinShape  # what the alias means
    pin: PinShape  # the same with the version that answers
    route: str  # how that version was chosen: a word of targets.py
    price: PriceShape | None
    lanes: dict[str, str]  # the lane a call gets for the one it wants
    endpoint: Endpoint
    limits: tuple[Limit, ...]
    has_each: bool  # some of them are for each end user, so a call has limits of its own
    header_limits: tuple[tuple[Limit, ...], ...]  # those in the rate-limit headers, by metric
    record: bytes  # their part of the log's line


# What one limit sets aside for a call. A plain tuple: a call has several, and a named one costs three of these to make.
Charge = tuple[Limit, int]


@dataclass(slots=True)
class Plan:
    """What an ask resolved to, under one epoch."""

    epoch: int
    asker: Asker
    ask: Ask
    alias: str
    version: VersionShape
    kind: Kind
    price: PriceShape | None
    outgoing: Outgoing
    lane: str
    prompt_tokens: int
    charges: tuple[Charge, ...]
    header_limits: tuple[tuple[Limit, ...], ...]  # the limits of the rate-limit headers, by metric
    record: bytes  # the log's line as far as it is known when the call starts: record.py
    pin: PinShape
    route: str  # how its version was chosen: a word of targets.py
    step: int  # its place in the pin's fallback chain
    dropped: tuple[str, ...]  # names of what went no further, by anybody's word


# One limit after admission and what it leaves, for the rate-limit headers; a plain tuple as well.
Remaining = tuple[Limit, int]


class Outcome(NamedTuple):
    """How a call ended, as its end record says. `usage` is the provider's count, None without one."""

    status: str
    http_status: int | None = None
    code: str = ""
    reason: str = ""
    usage: Usage | None = None
    output: str | None = None


# Most of what a call may become it never does. Such a member is the class's until a call has a value of its own, so
# that beginning one does not write all of them.
_begins_as = partial(field, init=False)


@dataclass(eq=False)
class Call:
    """An admitted call that is open until `close` wrote its end record."""

    gateway: "Gateway"  # of its event loop; asking the loop for it costs a call into the system each time
    plan: Plan
    identify: Callable[[Any], Asker]  # resolves the caller again, against a newer snapshot
    started: float  # time.perf_counter() when the request arrived
    remaining: list[Remaining]
    notes: dict[str, str] = field(default_factory=dict)  # what the log keeps besides, as its detail
    sent_at: float = _begins_as(default=0.0)  # when the provider was called
    first_token: float = _begins_as(default=0.0)
    answered: float = _begins_as(default=0.0)  # when the provider's answer was complete
    attempts: int = _begins_as(default=0)  # at the present version
    attempts_before: int = _begins_as(default=0)  # at versions it fell back from
    fell_back_from: str = _begins_as(default="")  # the version it was first meant for
    reservation: uuid.UUID | None = _begins_as(default=None)  # where it is not the record's id: see hedging.py
    permit: Permit | None = _begins_as(default=None)
    is_waiting: bool = _begins_as(default=False)  # for its turn at the provider; nothing is in progress there
    is_inside: bool = _begins_as(default=False)  # has passed the provider's breaker, which must hear how it went
    cost_micros: int = _begins_as(default=0)
    used: Usage = _begins_as(default=Usage(0, 0))  # what it is charged with, once it is closed
    estimate: Usage | None = _begins_as(default=None)  # what the client is told where its provider counted nothing
    is_unused: bool = _begins_as(default=False)  # the provider was not reached or refused: nothing to charge
    is_closed: bool = _begins_as(default=False)
    cut_off: str = _begins_as(default="")  # why we ended it from our side: the code for the log
    has_client_left: bool = _begins_as(default=False)
    reader: StreamReader | None = _begins_as(default=None)  # of its stream, once that has begun
    passed_over: dict[str, str] = field(default_factory=dict)  # fallbacks that were refused, and why
