"""A small server on loopback for what a story needs outside the console: its model, its services, its site."""

import json
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from examples.console import Trouble


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True)
class Reply:
    body: Any
    status: int = 200
    content_type: str = "application/json"


Answer = Callable[[Request], Reply]


def serve(port: int, answer: Answer) -> ThreadingHTTPServer:
    """Answer requests on loopback, in threads of this process, until it ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            try:
                body = json.loads(raw) if raw else None
            except ValueError:
                body = None
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = answer(Request(self.command, self.path, headers, body))
            content = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.content_type)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = _serve

        def log_message(self, *_: Any) -> None:
            """Say nothing: the story says what happens."""

    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    except OSError as error:
        raise Trouble(f"Port {port} cannot be used ({error}); choose another with EXAMPLE_PORT=…") from None
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def say(text: str) -> None:
    print(text, flush=True)


def tell(story: Callable[[], None]) -> None:
    """Tell a story, then keep its servers up for whoever looks around in the console."""
    try:
        story()
        say("\nThe model and the services go on until you press Ctrl-C.")
        while True:
            time.sleep(3600)
    except Trouble as trouble:
        sys.exit(str(trouble))
    except KeyboardInterrupt:
        say("")
