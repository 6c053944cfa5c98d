"""What the story needs in the console."""

from typing import Any

from examples.console import Console
from examples.making import ensure_agent, ensure_model, ensure_tool, every

ALIAS, MODEL, AGENT, QUEUE = "operations", "scripted-operations", "log-watcher", "log-lines"

_SERVICE = {"type": "string", "description": "Its name.", "maxLength": 40}
_REASON = {"type": "string", "description": "Why; the person on call reads it.", "maxLength": 500}


def set_up(console: Console, outside: str) -> dict[str, Any]:
    """Make the agent with its tools, its queue and its trigger; return the queue."""
    about = "Decides about log lines. Scripted until you pin it to a model of yours."
    ensure_model(console, alias=ALIAS, name=MODEL, base_url=f"{outside}/v1", about=about)
    _tools(console, outside)
    # The template brings instructions, grants (it asks before a restart), limits and the schema of the result.
    ensure_agent(console, AGENT, template="log-watcher", alias=ALIAS)
    return _queue(console)


def _tools(console: Console, outside: str) -> None:
    ensure_tool(
        console,
        "service_status",
        kind="http",
        name="Status of a service",
        description="Say how a service is.",
        effect="read",
        config={"method": "GET", "url": f"{outside}/services/{{service}}"},
        parameters={"type": "object", "properties": {"service": _SERVICE}, "required": ["service"]},
    )
    ensure_tool(
        console,
        "restart_service",
        kind="http",
        name="Restart a service",
        description="Restart all workers of a service. Takes a moment, and drops what they were doing.",
        effect="write",
        config={"method": "POST", "url": f"{outside}/services/{{service}}/restart"},
        parameters={
            "type": "object",
            "properties": {"service": _SERVICE, "reason": _REASON},
            "required": ["service", "reason"],
        },
    )


def _queue(console: Console) -> dict[str, Any]:
    queues = {queue["slug"]: queue for queue in every(console, f"queues/?team={console.team}")}
    queue = queues.get(QUEUE)
    if queue is None:
        fields = {"team": console.team, "slug": QUEUE, "name": "Log lines", "description": "Lines worth a look."}
        queue = console.ask("POST", "queues/", fields)
    if not console.ask("GET", f"agents/{AGENT}/triggers/")["data"]:
        trigger = {"kind": "queue", "name": "Log lines", "config": {"queue": QUEUE}}
        console.ask("POST", f"agents/{AGENT}/triggers/", trigger)
    return dict(queue)
