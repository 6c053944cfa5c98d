"""A request to /v1/: its head, read once, and its body, which is never read past what is allowed."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from itertools import chain
from typing import Any
from urllib.parse import parse_qsl

from console.api.v1.server import WHOLE_ANSWER
from console.core import strict_json
from console.core.cached_settings import settings
from console.core.client_address import client_address
from console.core.errors import BadInput, Refusal, TooLarge
from console.core.files.picture import LONGEST_SIDE
from console.core.ids import TRACE_PARENT, request_id, time_of, uuid7
from console.core.lanes import Lane
from console.gateway.shapes import fields
from console.gateway.shapes.messages import betas_in
from console.teams.callers import read_key, refuse_keys_in_query

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Headers = list[tuple[bytes, bytes]]

_MAX_HEADER_BYTES = 32 * 1024
_MAX_QUERY_BYTES = 4 * 1024
_LARGE_BODY = 128 * 1024
METADATA = "x-facet-metadata"
# Routes of OpenAI's and of ours: who calls them reads OpenAI's errors, whatever else it says.
_NOT_ANTHROPICS = tuple(
    f"/v1/{room}" for room in ("agents", "batches", "chat", "completions", "embeddings", "files", "queues", "responses")
)
_RARE = frozenset(
    {
        b"anthropic-beta",
        b"anthropic-version",
        b"content-encoding",
        b"idempotency-key",
        b"traceparent",
        b"x-client-request-id",
        b"x-facet-lane",
        b"x-facet-metadata",
        b"x-facet-run",
    }
)


class ClientGone(Exception):
    """The client left before its request was complete."""


class HeadersTooLarge(Refusal):
    status, code = 431, "headers_too_large"


class UnsupportedMediaType(Refusal):
    status, code = 415, "unsupported_media_type"


class MethodNotAllowed(Refusal):
    status, code = 405, "method_not_allowed"


class Request:
    """The head of one request, read once. `key` is the credential it carries."""

    # What few clients say, and what seldom happens, is written only then.
    content_encoding = client_request_id = trace_parent = lane = calling_run = ""
    idempotency_key: str | None = None
    has_anthropic_version = False
    betas: tuple[str, ...] = ()
    raw_metadata: bytes | None = None
    metadata: dict[str, str] | None = None  # what the call is for, of those whose bodies have no place for it
    is_answered = False  # its response has begun
    problem: Refusal | None = None  # with the head; refused once we know who asks, so that the log can say

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.started = time.perf_counter()
        self.id: uuid.UUID = uuid7()
        self.at = time_of(self.id)
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.receive = receive
        self.key: str | None = None
        self.takes_whole_answers = WHOLE_ANSWER in scope.get("extensions", ())
        self._read_headers(scope)

    def _read_headers(self, scope: Scope) -> None:
        headers: Headers = scope["headers"]
        fields = dict(headers)  # what is said twice counts as it was said last, but for credentials
        self.raw_content_type = fields.get(b"content-type", b"").decode("latin-1")  # a boundary's case matters
        self.content_type = self.raw_content_type.lower()
        length = fields.get(b"content-length", b"")
        self._length = int(length) if length.isdigit() and len(length) < 16 else 0
        peer = scope.get("client")
        forwarded = fields.get(b"x-forwarded-for", b"").decode("latin-1")
        if forwarded and len(fields) != len(headers):
            forwarded = ",".join(_all(headers, b"x-forwarded-for"))  # some proxies add a line of their own below
        self.client_address = client_address(peer[0] if peer else "", forwarded)
        if not _RARE.isdisjoint(fields):
            self._read_rare_headers(fields)
        self.query = query = scope.get("query_string", b"")
        try:
            is_plain = len(fields) == len(headers) and b"x-api-key" not in fields
            self.key = _bearer(fields.get(b"authorization", b"").decode("latin-1")) if is_plain else None
            if self.key is None:
                self.key = read_key(_all(headers, b"authorization"), _all(headers, b"x-api-key"))
            if sum(map(len, chain.from_iterable(headers))) > _MAX_HEADER_BYTES:
                raise HeadersTooLarge("The request's headers are larger than 32 KiB.")
            if self.lane and self.lane not in Lane.values:
                self.lane = ""
                raise BadInput(f"x-facet-lane is one of {', '.join(Lane.values)}.", param="x-facet-lane")
            if self.raw_metadata is not None:
                self.metadata = _labels(self.raw_metadata)
            if len(query) > _MAX_QUERY_BYTES:
                raise HeadersTooLarge("The request's query is longer than 4 KiB.")
            if query:
                _refuse_query(query)
        except Refusal as refusal:
            self.problem = refusal

    def _read_rare_headers(self, fields: dict[bytes, bytes]) -> None:
        """Read what few clients send."""

        def text(name: bytes) -> str:
            return fields.get(name, b"").decode("latin-1")

        self.content_encoding = text(b"content-encoding").lower()
        self.idempotency_key = text(b"idempotency-key") if b"idempotency-key" in fields else None
        self.client_request_id = "".join(c for c in text(b"x-client-request-id")[:200] if c.isprintable())
        if TRACE_PARENT.fullmatch(parent := text(b"traceparent")):
            if self.client_request_id:
                self.trace_parent = parent
            else:
                self.client_request_id = parent  # what else ties the call to the client's own records
        self.lane = text(b"x-facet-lane").strip().lower()
        self.calling_run = text(b"x-facet-run")[:60]
        self.raw_metadata = fields.get(METADATA.encode())
        self.has_anthropic_version = b"anthropic-version" in fields
        if b"anthropic-beta" in fields:
            self.betas = betas_in(text(b"anthropic-beta").split(","))

    @property
    def public_id(self) -> str:
        return request_id(self.id)

    @property
    def speaks_messages(self) -> bool:
        """Return whether the answer goes to a client of Anthropic's, errors too."""
        path = self.path
        if path.startswith("/v1/messages"):
            return True
        return self.has_anthropic_version and not path.startswith(_NOT_ANTHROPICS)

    @property
    def speaks_responses(self) -> bool:
        """Return whether a stream to this client is made of the events of a response."""
        return self.path == "/v1/responses"

    @property
    def length(self) -> int:
        """Return how long the body says it is; 0 when it does not say."""
        return self._length

    def check_is_json(self) -> None:
        """Refuse a body that its headers do not say to be JSON as it is."""
        if self.content_type and "json" not in self.content_type:
            raise UnsupportedMediaType("Send the body as application/json.")
        if self.content_encoding not in {"", "identity"}:
            raise UnsupportedMediaType("Send the body without Content-Encoding.")

    async def body(self) -> bytes:
        """Return the whole body; TooLarge as soon as it is known to be, before it is read to its end."""
        limit = settings.GATEWAY_BODY_BYTES
        self.check_is_json()
        if self._length > limit:
            raise _too_large(limit)
        message = await self.receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        raw: bytes = message.get("body", b"")
        if message.get("more_body"):
            parts, size = [raw], len(raw)
            while message.get("more_body"):
                message = await self.receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > limit:
                    break
            raw = b"".join(parts)
        if len(raw) > limit:
            raise _too_large(limit)
        return raw


def _too_large(limit: int) -> TooLarge:
    return TooLarge(
        f"The body is larger than {limit:,} bytes. If it has images, make them smaller: models look at none that is"
        f" longer than about {LONGEST_SIDE:,} pixels as it is. An operator can raise GATEWAY_BODY_BYTES."
    )


async def read_json(request: Request) -> tuple[Any, str]:
    """Return the body as a value and as text; a large one is parsed where it does not hold up others' streams."""
    raw = await request.body()
    if len(raw) > _LARGE_BODY:
        return await asyncio.to_thread(strict_json.loads, raw)
    return strict_json.loads(raw)


def _bearer(authorization: str) -> str | None:
    """Return the key of the header nearly every client sends; None leaves the judging to `read_key`."""
    scheme, _, text = authorization.partition(" ")
    return text if scheme == "Bearer" and text and text.strip() == text else None


def _all(headers: Headers, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in headers if key == name]


def _labels(raw: bytes) -> dict[str, str]:
    """Return the labels in a header; BadInput names the header and says what is wrong."""
    try:
        value, _ = strict_json.loads(raw)
    except BadInput as wrong:
        sentence = wrong.message.replace("The body", METADATA).replace("the body", METADATA)
        raise BadInput(sentence, param=METADATA) from None
    fields.labels(METADATA, value)
    return dict(value)


def _refuse_query(query: bytes) -> None:
    refuse_keys_in_query(parse_qsl(query.decode("latin-1")))
