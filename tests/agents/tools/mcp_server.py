"""MCP servers behind streamable HTTP on loopback, served by the official package as anybody would serve them."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from tests.live import free_port


class Heard:
    """What a server got: method and headers of each request, and the bodies."""

    def __init__(self, app: Any) -> None:
        self._app, self.requests, self.bodies = app, [], []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.requests.append((scope["method"], headers))
        place = len(self.bodies)
        self.bodies.append(b"")

        async def listen() -> Any:
            message = await receive()
            self.bodies[place] += message.get("body", b"")
            return message

        await self._app(scope, listen, send)

    def calls(self) -> list[tuple[dict[str, str], dict[str, Any]]]:
        """Return headers and parameters of the calls of tools."""
        said = [
            (headers, json.loads(body)) for (_, headers), body in zip(self.requests, self.bodies, strict=True) if body
        ]
        return [(headers, message["params"]) for headers, message in said if message.get("method") == "tools/call"]


@contextmanager
def served(server: Any) -> Iterator[tuple[str, Heard]]:
    """Serve an MCPServer in a thread; yields its address and what it heard."""
    port, heard = free_port(), Heard(server.streamable_http_app())
    config = uvicorn.Config(heard, host="127.0.0.1", port=port, log_level="error", ws="none", loop="asyncio")
    running = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(running.serve()), daemon=True)
    thread.start()
    while not running.started and thread.is_alive():
        thread.join(0.02)
    try:
        yield f"http://127.0.0.1:{port}/mcp", heard
    finally:
        running.should_exit = running.force_exit = True
        thread.join(10)
