"""The interface of a kind of provider."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

from console.core.errors import ProviderError


class Usage(NamedTuple):
    """Tokens as the provider counted them. `cached` and `written` are part of `prompt`, `reasoning` of `completion`.

    In the order that `PriceShape.cost` takes them in.
    """

    prompt: int
    completion: int
    cached: int = 0
    reasoning: int = 0
    cache_written: int = 0  # into the provider's cache
    cache_written_1h: int = 0  # of those, to stay there for an hour
    audio_in: int = 0  # of the prompt, what was neither read from a cache nor written to one
    audio_out: int = 0  # of the completion, besides reasoning


@dataclass(frozen=True, slots=True)
class Preset:
    """A provider people know, to fill the form with."""

    slug: str
    label: str
    base_url: str
    needs_secret: bool = True


class Endpoint(NamedTuple):
    """Where to send a call: what the snapshot knows of a provider."""

    base_url: str
    secret: str


class Outgoing(NamedTuple):
    url: str
    headers: Mapping[str, str]
    body: bytes


class Answer(NamedTuple):
    """A whole answer in OpenAI's shape, as bytes for the client, with what the provider said it used."""

    body: bytes
    usage: Usage | None


class Embedded(NamedTuple):
    """Vectors in OpenAI's shape, as bytes for the client, and what the log keeps in their place."""

    body: bytes
    usage: Usage | None
    summary: dict[str, Any]


class StreamReader(Protocol):
    """Reads one stream. `feed` returns what may go to the client at once; the terminal event is held back.

    After the last chunk: `is_complete` says whether the provider finished its answer, `last_frames` is what to send
    after the call is recorded, `answer()` is the whole answer as one object, for the log.
    """

    usage: Usage | None
    is_complete: bool
    has_content: bool

    @property
    def last_frames(self) -> bytes: ...

    def feed(self, chunk: bytes) -> bytes:
        """Take bytes from the provider; raises ProviderError when they are not its protocol, or say it failed."""

    def finish(self) -> bytes:
        """Say that the provider's bytes have ended; returns what may still go to the client."""

    def answer(self) -> dict[str, Any]: ...


@runtime_checkable
class TellsUsage(Protocol):
    """A reader whose last event says what was used, whether or not the provider counted it."""

    def count(self, usage: Usage) -> None:
        """Take what Facet estimates, where the provider's stream is over and `usage` is still None."""


class Kind(Protocol):
    """One kind of upstream. Lives in a folder of its own and is listed in registry.KINDS.

    What can be asked of it are the protocols below; a kind has the methods of those it offers.
    """

    label: str
    presets: tuple[Preset, ...]

    def models(self, endpoint: Endpoint) -> Outgoing:
        """Return the request that lists the provider's models; its body is empty and its method GET."""

    def read_models(self, raw: bytes) -> list[str]: ...

    def failure(self, status: int, raw: bytes) -> ProviderError:
        """Return what our caller may hear of a refusal by the provider."""


@runtime_checkable
class Chats(Protocol):
    """A kind that answers conversations."""

    def dropped_fields(self, body: dict[str, Any]) -> frozenset[str]:
        """Return what of a chat completion request goes no further here: fields, and places inside (`messages[].name`).

        Only what asks for something; what would change the answer is refused by `chat` instead.
        """

    def chat(self, endpoint: Endpoint, body: dict[str, Any], *, is_legacy: bool = False) -> Outgoing:
        """Return the provider's form of an OpenAI chat completion request; `is_legacy`: it uses `functions`."""

    def read(self, raw: bytes, *, is_legacy: bool = False) -> Answer:
        """Return the answer in OpenAI's shape; ProviderError when it is not one."""

    def reader(self, *, choices: int = 1, include_usage: bool, is_legacy: bool = False) -> StreamReader:
        """Return a reader for a stream that was asked for so many choices."""


@runtime_checkable
class SpeaksMessages(Protocol):
    """A kind whose own wire format is Anthropic's messages, so that those who write them need no translation."""

    def may_switch_on(self, beta: str, *, long_above: int | None) -> bool:
        """Return whether a caller may name this beta: it changes how a conversation is written, and nothing else.

        Above `long_above` tokens, inputs of the model have a price of their own, so that a beta may allow those.
        """

    def message(self, endpoint: Endpoint, body: dict[str, Any], betas: Sequence[str] = ()) -> Outgoing:
        """Return the request for a body of /v1/messages, with the betas it needs."""

    def read_message(self, raw: bytes) -> Answer:
        """Return the message; ProviderError when it is none."""

    def message_reader(self) -> StreamReader:
        """Return a reader that passes the events on."""


@runtime_checkable
class Completes(Protocol):
    """A kind that continues with a text."""

    def complete(self, endpoint: Endpoint, body: dict[str, Any]) -> Outgoing:
        """Return the provider's form of an OpenAI text completion request."""

    def read_completion(self, raw: bytes, *, echo: Sequence[str] = ()) -> Answer:
        """Return the answer in OpenAI's shape, with `echo` before its choices; ProviderError when it is not one."""

    def completion_reader(self, *, choices: int = 1, include_usage: bool, echo: Sequence[str] = ()) -> StreamReader:
        """Return a reader for a stream that was asked for so many choices, and puts `echo` before them."""


@runtime_checkable
class Embeds(Protocol):
    """A kind that turns texts into vectors."""

    def embed(self, endpoint: Endpoint, body: dict[str, Any]) -> Outgoing:
        """Return the provider's form of an OpenAI embeddings request."""

    def read_embeddings(self, raw: bytes, *, count: int, as_base64: bool) -> Embedded:
        """Return `count` vectors in order and in the encoding asked for; ProviderError when they are not there."""
