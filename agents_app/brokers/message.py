"""A message from a broker, and its identity for deduplication."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

from agents_app.tools.base import ToolFailed
from agents_app.tools.queue.items import LARGEST_BODY
from agents_app.tools.web import pointed
from console.core import strict_json
from console.core.errors import BadInput

ID, BODY, HEADER, FIELD = "id", "body", "header:", "/"
_LONGEST_KEY = 150


@dataclass(frozen=True, slots=True)
class Message:
    """`tag` is the broker's own name of this delivery; `is_plain`: on Redis, the JSON itself without an envelope."""

    body: bytes
    tag: Any
    message_id: str = ""
    correlation_id: str = ""
    headers: dict[str, Any] = field(default_factory=dict)
    is_plain: bool = False

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.body).hexdigest()


def value_of(message: Message) -> Any:
    """Return what a message says, as JSON; BadInput when it is none."""
    if len(message.body) > LARGEST_BODY:
        raise BadInput(f"The message has {len(message.body):,} bytes; {LARGEST_BODY:,} is the most.")
    if message.headers.get("compression"):
        raise BadInput("The message is compressed; send it as plain JSON.")
    value, _ = strict_json.loads(message.body)
    return value


def kept_of(message: Message) -> Any:
    """Return what is kept of a message for people to look at: its JSON, or the beginning of what is none."""
    try:
        return value_of(message)
    except BadInput:
        return message.body[:4_000].decode(errors="replace").replace("\x00", "�")


def key_of(message: Message, dedupe: str, value: Any) -> str:
    """Return what tells a message from others, as the trigger wants it; BadInput when the message does not say."""
    if dedupe == BODY:
        return f"body:{message.digest}"
    if dedupe == ID:
        if not message.message_id:
            raise BadInput("The message has no id. Have the trigger tell messages apart by a field or by the body.")
        return _short(message.message_id)
    if dedupe.startswith(HEADER):
        found = message.headers.get(dedupe.removeprefix(HEADER))
        what = f"header {dedupe.removeprefix(HEADER)!r}"
    else:
        try:
            found = pointed(value, dedupe)
        except ToolFailed:
            found = None
        what = f"field {dedupe}"
    if isinstance(found, bool) or not isinstance(found, str | int) or found == "":
        raise BadInput(f"The message has no {what} with a text or a number in it, which tells it from others.")
    return _short(str(found))


def _short(text: str) -> str:
    if len(text) <= _LONGEST_KEY and text.isprintable():
        return text
    return f"sha256:{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()}"


def check_dedupe(text: str) -> str:
    text = text.strip() or ID
    is_known = text in {ID, BODY} or (text.startswith(HEADER) and len(text) > len(HEADER)) or text.startswith(FIELD)
    if not is_known or len(text) > 100 or not text.isprintable():
        raise BadInput("dedupe is id, body, header:NAME or a JSON pointer such as /order/id.", param="config.dedupe")
    return text
