"""What the story needs in the console."""

from typing import Any

from examples.console import Console
from examples.making import ensure_agent, ensure_model, ensure_prompt, ensure_tool, every

ALIAS, MODEL, AGENT, QUEUE = "operations", "scripted-operations", "log-watcher", "log-lines"

INSTRUCTIONS = """You watch the log lines of a shop. Decide whether a service has to be restarted.
Look at a service before you restart it. Restart only what says it is degraded, and say why.
When the lines show nothing serious, do nothing."""

_SERVICE = {"type": "string", "description": "Its name.", "maxLength": 40}
_REASON = {"type": "string", "description": "Why; the person on call reads it.", "maxLength": 500}
RESULT = {
    "type": "object",
    "properties": {
        "action": {"enum": ["restarted", "none"]},
        "service": {"type": "string"},
        "reason": {"type": "string"},
    },
    "required": ["action", "service", "reason"],
    "additionalProperties": False,
}


def set_up(console: Console, outside: str) -> dict[str, Any]:
    """Make the agent with its tools, its queue and its trigger; return the queue."""
    about = "Decides about log lines. Scripted until you pin it to a model of yours."
    ensure_model(console, alias=ALIAS, name=MODEL, base_url=f"{outside}/v1", about=about)
    ensure_prompt(console, f"{AGENT}/instructions", INSTRUCTIONS, about="What the log watcher is told.")
    _tools(console, outside)
    ensure_agent(
        console,
        AGENT,
        name="Log watcher",
        description="Reads log lines, and restarts a service when somebody agrees.",
        prompt_slug=f"{AGENT}/instructions",
        alias=ALIAS,
        grants=[
            {"tool": "service_status"},
            {"tool": "restart_service", "mode": "ask", "most_calls": 1, "arguments": {"service": {"max_length": 40}}},
        ],
        output_schema=RESULT,
        limits={"steps": 12, "tool_calls": 6, "seconds": 600, "approval_seconds": 3600, "escalate_seconds": 900},
    )
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
    if QUEUE not in console.browser.get(f"/agents/{AGENT}/triggers/").text:
        path = f"/agents/{AGENT}/triggers/new/queue/"
        console.send_form(path, name="Log lines", environment="production", queue=QUEUE)
    return dict(queue)
