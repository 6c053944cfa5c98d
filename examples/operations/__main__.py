"""Tell the story: `make example-operations`."""

import os
from typing import Any

from examples.console import Console, find_console
from examples.operations.model import think
from examples.operations.services import Services
from examples.operations.setting_up import AGENT, MODEL, QUEUE, set_up
from examples.scripted import answer_as
from examples.serving import Reply, Request, say, serve, tell

PORT = int(os.environ.get("EXAMPLE_PORT") or 8751)
QUIET = ["web: GET /cart 200 in 41 ms", "web: deployed 2026.11.3 to all workers", "checkout: GET /pay 200 in 97 ms"]
LOUD = [
    "checkout: worker 3 ended, OutOfMemory",
    "checkout: worker 5 ended, OutOfMemory",
    "web: POST /pay 502 after 10,004 ms",
    "checkout: worker 1 ended, OutOfMemory",
]


def story() -> None:
    console = find_console()
    services = Services()

    def answer(request: Request) -> Reply:
        found = answer_as(MODEL, think, request) or services.answer(request)
        return found or Reply({"error": f"There is no {request.path} here."}, status=404)

    serve(PORT, answer)
    queue = set_up(console, f"http://127.0.0.1:{PORT}")
    say(f"The log watcher is ready: {console.url}/agents/{AGENT}/")

    say("\n1. Lines that need nothing go into the queue:")
    quiet = _put(console, QUIET)
    say(f"   result: {_result(_wait(console, quiet))}")

    say("\n2. Lines that look bad:")
    loud = _put(console, LOUD)
    run = _run_of(console, queue, loud)
    say(f"   It looks at the service by itself. Before it restarts it, it asks:\n   {console.url}/approvals/")
    say(f"   result: {_result(_wait(console, loud))}")
    say(f"   restarts of checkout: {services.restarts['checkout']}")

    say(f"\n3. Open the run and ask why:\n   {console.url}/runs/{run}/")


def _put(console: Console, lines: list[str]) -> str:
    for line in lines:
        say(f"   {line}")
    item = console.call("POST", f"queues/{QUEUE}/items", {"body": {"message": "\n".join(lines)}})
    return str(item["id"])


def _wait(console: Console, item: str) -> dict[str, Any]:
    """Wait until the result is written back, however long a person takes."""
    while True:
        found = console.call("GET", f"queues/{QUEUE}/items/{item}?wait=60", wait=60)
        if found["status"] in {"done", "failed", "parked"}:
            return dict(found)


def _result(item: dict[str, Any]) -> str:
    """Return what was written back, in words."""
    return str(item["result"]["value"]["reason"]) if item["result"] else f"failed: {item['error']}"


def _run_of(console: Console, queue: dict[str, Any], item: str) -> str:
    """Return the run the item started, once it has."""
    while True:
        console.call("GET", f"queues/{QUEUE}/items/{item}?wait=1", wait=1)
        for one in console.ask("GET", f"queues/{queue['id']}/items/")["data"]:
            if one["id"].replace("-", "") == item.removeprefix("item_") and one["run"]:
                return str(one["run"])


if __name__ == "__main__":
    tell(story)
