"""What every kind of upstream has to offer the gateway."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from console.core.errors import ProviderError


class Usage(NamedTuple):
    """Tokens as the provider counted them. `cached` are part of `prompt`, `reasoning` part of `completion`."""

    prompt: int
    completion: int
    cached: int = 0
    reasoning: int = 0


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


class StreamReader(Protocol):
    """Reads one stream. `feed` returns what may go to the client at once; the terminal event is held back.

    After the last chunk: `is_complete` says whether the provider finished its answer, `held` is what to send after the
    call is on record, `answer()` is the whole answer as one object, for the log.
    """

    usage: Usage | None
    is_complete: bool
    has_content: bool
    held: bytes

    def feed(self, chunk: bytes) -> bytes:
        """Take bytes from the provider; raises ProviderError when they are not its protocol, or say it failed."""

    def finish(self) -> bytes:
        """Say that the provider's bytes have ended; returns what may still go to the client."""

    def answer(self) -> dict[str, Any]: ...


class Kind(Protocol):
    """One kind of upstream. Lives in a folder of its own and is listed in registry.KINDS."""

    label: str
    presets: tuple[Preset, ...]

    def chat(self, endpoint: Endpoint, body: dict[str, Any], *, is_legacy: bool = False) -> Outgoing:
        """Return the provider's form of an OpenAI chat completion request; `is_legacy`: it uses `functions`."""

    def read(self, raw: bytes, *, is_legacy: bool = False) -> Answer:
        """Return the answer in OpenAI's shape; ProviderError when it is not one."""

    def reader(self, *, choices: int = 1, include_usage: bool, is_legacy: bool = False) -> StreamReader:
        """Return a reader for a stream that was asked for so many choices."""

    def models(self, endpoint: Endpoint) -> Outgoing:
        """Return the request that lists the provider's models; its body is empty and its method GET."""

    def read_models(self, raw: bytes) -> list[str]: ...

    def failure(self, status: int, raw: bytes) -> ProviderError:
        """Return what our caller may hear of a refusal by the provider."""
