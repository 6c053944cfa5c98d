"""The services somebody is on call for. A restart is done once for each idempotency key, and counted."""

import re
import threading
from collections import Counter
from typing import Any

from examples.serving import Reply, Request, say

_SERVICE = re.compile(r"/services/([a-z-]+)(/restart)?")


class Services:
    def __init__(self) -> None:
        self.broken = {"checkout"}
        self.restarts: Counter[str] = Counter()
        self._done: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()

    def answer(self, request: Request) -> Reply | None:
        """Answer GET /services/{name} and POST /services/{name}/restart."""
        match = _SERVICE.fullmatch(request.path)
        if match is None:
            return None
        if request.method == "GET" and not match[2]:
            return Reply(self.state_of(match[1]))
        if request.method == "POST" and match[2]:
            return Reply(self.restart(match[1], request.headers.get("idempotency-key", "")))
        return Reply({"error": "Ask with GET, restart with POST."}, status=405)

    def state_of(self, name: str) -> dict[str, Any]:
        state = "degraded" if name in self.broken else "running"
        return {"service": name, "state": state, "workers_ready": 2 if name in self.broken else 8, "workers": 8}

    def restart(self, name: str, key: str) -> dict[str, Any]:
        with self._lock:
            if key not in self._done:
                self.restarts[name] += 1
                self.broken.discard(name)
                self._done[key] = self.state_of(name) | {"restarted": True}
                say(f"  [services] restarted {name}")
            else:
                say(f"  [services] was asked again to restart {name}, and did nothing")
            return self._done[key]
