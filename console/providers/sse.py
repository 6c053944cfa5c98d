"""Server-sent events as bytes: any cutting and any writing the standard allows becomes whole events with LF lines."""

from console.core.errors import ProviderError

MAX_EVENT_BYTES = 1024 * 1024


class EventSplitter:
    """Collects the bytes of one stream and gives out its events, each without the blank line that ended it."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the events that these bytes complete; raises ProviderError when one grows without end."""
        data = self._rest + chunk if self._rest else chunk
        if b"\r" in data:
            data = _without_cr(data)
        *events, self._rest = data.split(b"\n\n")
        if len(self._rest) > MAX_EVENT_BYTES:
            raise ProviderError("The provider sent an event that is too large.", code="upstream_invalid")
        return events

    def finish(self) -> bytes:
        """Return what came after the last blank line: an event whose end was left out, or nothing."""
        last, self._rest = self._rest.rstrip(b"\r\n"), b""
        return last.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _without_cr(data: bytes) -> bytes:
    """Make CRLF and CR into LF. A CR at the very end stays, since its LF may be on the way."""
    tail = b"\r" if data.endswith(b"\r") else b""
    body = data[:-1] if tail else data
    return body.replace(b"\r\n", b"\n").replace(b"\r", b"\n") + tail


def data_of(event: bytes) -> bytes:
    """Return the joined data lines of an event, whatever other fields and comments stand around them."""
    lines = []
    for line in event.split(b"\n"):
        if line.startswith(b"data:"):
            value = line[5:]
            lines.append(value[1:] if value.startswith(b" ") else value)
        elif line == b"data":
            lines.append(b"")
    return b"\n".join(lines)
