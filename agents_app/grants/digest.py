"""The digest that binds a decision to one exact call: other arguments, steps or versions have another one."""

import json
from hashlib import sha256
from typing import Any

from agents_app.models import Run, Step, Tool


def canonical(value: Any) -> str:
    """Return JSON with one spelling: the same value is the same text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest_of(run: Run, step: Step, arguments: Any) -> str:
    bound = {
        "run": run.pk.hex,
        "step": step.pk.hex,
        "tool": step.tool_name,
        "tool_id": step.tool_id.hex if step.tool_id else "",
        "arguments": arguments,
        "version": run.version_id.hex if run.version_id else "draft",
    }
    return sha256(canonical(bound).encode()).hexdigest()


def mark_of(tool: Tool) -> str:
    """Return what changes when a call of a tool would do something else; its words and limits do not count.

    Needs the tool's `server`.
    """
    address = tool.server.address if tool.server else ""
    return sha256(canonical([tool.pk.hex, tool.kind, tool.config, address]).encode()).hexdigest()[:32]
