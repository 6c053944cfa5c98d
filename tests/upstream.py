"""A scripted provider on loopback: answers what was queued, in order, and counts what it really served.

Speaks HTTP by hand so that it can do what no server library lets one do: cut a body, never answer, lie about its type.
"""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from tests.waiting import until

Script = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Seen:
    """One request as the provider got it."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]  # empty when what was sent is no JSON
    method: str = ""
    raw: bytes = b""


def usage(prompt: int = 23, completion: int = 5) -> dict[str, int]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def completion(text: str = "Hello there.", **more: Any) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "fake-model",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": text}, "logprobs": None, "finish_reason": "stop"}
        ],
        "usage": usage(),
        **more,
    }


def chunk(delta: dict[str, Any] | None = None, *, finish: str | None = None, **more: Any) -> dict[str, Any]:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": "fake-model",
        "choices": choices,
        **more,
    }


def text_chunks(*words: str, with_usage: bool = True) -> list[dict[str, Any]]:
    """Return the events of an ordinary streamed answer, without the final [DONE]."""
    events = [chunk({"role": "assistant", "content": ""}), *(chunk({"content": word}) for word in words)]
    events.append(chunk({}, finish="stop"))
    if with_usage:
        events.append(chunk(usage=usage(23, len(words))))
    return events


def sse(*events: dict[str, Any] | str) -> bytes:
    return b"".join(
        b"data: " + (event if isinstance(event, str) else json.dumps(event)).encode() + b"\n\n" for event in events
    )


def head(status: int, content_type: str, length: int | None = None, extra: str = "") -> bytes:
    sized = "Connection: close\r\n" if length is None else f"Content-Length: {length}\r\n"
    return f"HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\n{sized}{extra}\r\n".encode()


class _Written:
    """A writer that remembers whether the answer says how long it is."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer, self.is_sized = writer, False

    def write(self, raw: bytes) -> None:
        self.is_sized = self.is_sized or b"Content-Length:" in raw
        self._writer.write(raw)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._writer, name)


@dataclass
class Upstream:
    """The provider. `script` holds what the next requests get; when it is empty, an ordinary answer."""

    port: int = 0
    script: list[Script] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    closed_early: int = 0
    _test: int = 0
    _loop: asyncio.AbstractEventLoop | None = None
    _thread: threading.Thread | None = None
    _server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    # What to answer ------------------------------------------------------------------------------------------------

    def enqueue(
        self,
        body: dict[str, Any] | bytes | str,
        *,
        status: int = 200,
        content_type: str = "application/json",
        extra: str = "",
    ) -> None:
        raw = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()

        async def play(writer: asyncio.StreamWriter) -> None:
            writer.write(head(status, content_type, len(raw), extra) + raw)

        self.script.append(play)

    def enqueue_stream(
        self,
        *pieces: bytes | Callable[[], object],
        pause: float = 0.0,
        done: bool = True,
        hang: float = 0.0,
    ) -> None:
        """Stream these bytes, with `pause` seconds between; `hang` keeps the connection open in silence afterwards.

        What can be called among them is waited for: the rest comes once it holds.
        """

        async def play(writer: asyncio.StreamWriter) -> None:
            writer.write(head(200, "text/event-stream"))
            await writer.drain()
            for piece in pieces:
                if not isinstance(piece, bytes):
                    while not piece():
                        await asyncio.sleep(0.01)
                    continue
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(pause)
            if done:
                writer.write(b"data: [DONE]\n\n")
                await writer.drain()
            await asyncio.sleep(hang)

        self.script.append(play)

    def enqueue_cut(self, raw: bytes) -> None:
        """Send these bytes of a response and close the connection."""

        async def play(writer: asyncio.StreamWriter) -> None:
            writer.write(raw)
            await writer.drain()
            writer.transport.abort()

        self.script.append(play)

    def enqueue_slowly(self, seconds: float, *, status: int = 200) -> None:
        """Answer as usual, or with an error, after a while."""

        async def play(writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(seconds)
            raw = json.dumps(completion() if status == 200 else {"error": {"message": "boom"}}).encode()
            writer.write(head(status, "application/json", len(raw)) + raw)

        self.script.append(play)

    def enqueue_when(self, is_time: Callable[[], object], *, status: int = 200, stream: bool = False) -> None:
        """Answer as usual, or with an error, once it is time: for what must happen while the call is under way."""

        async def play(writer: asyncio.StreamWriter) -> None:
            while not is_time():
                await asyncio.sleep(0.01)
            if status == 200:
                await self._default({"stream": stream})(writer)
            else:
                raw = b'{"error": {"message": "boom"}}'
                writer.write(head(status, "application/json", len(raw)) + raw)

        self.script.append(play)

    def enqueue_silence(self, seconds: float = 30) -> None:
        async def play(writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(seconds)

        self.script.append(play)

    # Serving -------------------------------------------------------------------------------------------------------

    def start(self) -> "Upstream":
        ready = threading.Event()

        def run() -> None:
            self._loop = asyncio.new_event_loop()

            async def serve() -> None:
                self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
                self.port = self._server.sockets[0].getsockname()[1]
                ready.set()

            self._loop.run_until_complete(serve())
            self._loop.run_forever()
            assert self._server is not None
            self._server.close()
            for task in asyncio.all_tasks(self._loop):
                task.cancel()
            self._loop.run_until_complete(asyncio.sleep(0))
            self._loop.close()

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()
        assert ready.wait(60), "the provider did not start"
        return self

    def stop(self) -> None:
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(5)

    def was_closed_early(self, times: int = 1) -> bool:
        """Wait until so many clients left before their answer, and say whether no more did."""
        until(lambda: self.closed_early >= times, lambda: f"{times} clients left early, and not {self.closed_early}")
        return self.closed_early == times

    def reset(self) -> None:
        self.script.clear()
        self.seen.clear()
        self.closed_early = 0
        self._test += 1

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                raw_head = await reader.readuntil(b"\r\n\r\n")
                first, *lines = raw_head.decode().split("\r\n")
                headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines if line)}
                raw = await reader.readexactly(int(headers.get("content-length", 0)))
                body = json.loads(raw) if raw[:1] in {b"{", b"["} else {}
                self.seen.append(Seen(first.split()[1], headers, body, first.split()[0], raw))
                script = self.script.pop(0) if self.script else self._default(body)
                written = _Written(writer)
                test, playing = self._test, asyncio.ensure_future(script(written))  # type: ignore[arg-type]
                playing.add_done_callback(lambda played: played.cancelled() or played.exception())
                gone = asyncio.ensure_future(reader.read(1))
                await asyncio.wait({playing, gone}, return_when=asyncio.FIRST_COMPLETED)
                if gone.done() and (not playing.done() or isinstance(playing.exception(), ConnectionError)):
                    self.closed_early += test == self._test  # what an earlier test left behind is not this one's
                    playing.cancel()
                    return
                gone.cancel()
                await asyncio.wait({gone})
                await writer.drain()
                # Only who was told that the connection ends may find it closed: others send the next request on it.
                if not written.is_sized or writer.is_closing():
                    return
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    @staticmethod
    def _default(body: dict[str, Any]) -> Script:
        async def play(writer: asyncio.StreamWriter) -> None:
            if body.get("stream"):
                writer.write(head(200, "text/event-stream") + sse(*text_chunks("Hello", " there", "."), "[DONE]"))
            else:
                raw = json.dumps(completion()).encode()
                writer.write(head(200, "application/json", len(raw)) + raw)

        return play
