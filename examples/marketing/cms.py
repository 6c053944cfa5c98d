"""A little content system: keeps drafts, each once for its idempotency key, and shows them on a page."""

import html
import threading
from typing import Any

from examples.serving import Reply, Request, say

_HEAD = '<!doctype html><html lang=en><meta charset=utf-8><link rel=icon href="data:,"><title>Drafts</title>'


class Cms:
    def __init__(self) -> None:
        self.pieces: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()

    def answer(self, request: Request) -> Reply | None:
        """Answer GET / for people, and GET and POST /pieces for programs."""
        match request.method, request.path:
            case "GET", "/":
                shown = "".join(
                    f"<h2>{html.escape(one['section'])}</h2><p>{html.escape(one['text'])}</p>"
                    for one in self.pieces.values()
                )
                return Reply(f"{_HEAD}<h1>Drafts</h1>{shown or '<p>None yet.'}".encode(), content_type="text/html")
            case "GET", "/pieces":
                return Reply({"pieces": list(self.pieces.values())})
            case "POST", "/pieces":
                return self._store(request)
        return None

    def _store(self, request: Request) -> Reply:
        given = request.body if isinstance(request.body, dict) else {}
        if not given.get("section") or not given.get("text"):
            return Reply({"error": "A piece has a section and a text."}, status=422)
        with self._lock:
            key = request.headers.get("idempotency-key") or f"by-hand-{len(self.pieces)}"
            if key not in self.pieces:
                piece = {"id": len(self.pieces) + 1, "section": str(given["section"]), "text": str(given["text"])}
                self.pieces[key] = piece
                say(f"  [cms] stored {piece['section']}")
            return Reply(self.pieces[key], status=201)
