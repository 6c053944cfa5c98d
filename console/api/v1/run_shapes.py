"""Runs and steps as /v1/agents/{slug}/runs returns them."""

from typing import Any

from agents_app import access
from agents_app.errors import UnknownRun
from agents_app.models import Run, Step
from console.api.v1 import rows


def shape(run: Run) -> dict[str, Any]:
    """Return a run as programs read it. Needs `agent` and `version`."""
    return {
        "id": run.public_id,
        "object": "agent.run",
        "agent": run.agent.slug,
        "version": run.version.number if run.version else None,
        "status": run.state,
        "waits_for": run.waits_for or None,
        "input": run.input,
        "output": run.output,
        "error": {"code": run.code, "message": run.trouble} if run.code or run.trouble else None,
        "environment": run.environment,
        "again": _shape_of_parent(run),
        "usage": {
            "steps": run.steps_done,
            "model_calls": run.model_calls,
            "tool_calls": run.tool_calls,
            "total_tokens": run.tokens,
            "cost": f"{run.cost_micros / 1_000_000:.6f}",
        },
        "created_at": rows.unix(run.created_at),
        "started_at": rows.unix(run.started_at),
        "ended_at": rows.unix(run.ended_at),
    }


def _shape_of_parent(run: Run) -> dict[str, Any] | None:
    return {"run": f"run_{run.parent_id.hex}", "step": run.parent_step} if run.parent_id else None


def step_shape(step: Step) -> dict[str, Any]:
    return {
        "number": step.number,
        "object": "agent.run.step",
        "kind": step.kind,
        "status": step.state,
        "tool": step.tool_name or None,
        "arguments": step.arguments,
        "output": step.output,
        "error": step.trouble or None,
        "is_taken_over": step.is_taken_over,
        "model": step.model or None,
        "ended_at": rows.unix(step.ended_at),
    }


def run_of(client: rows.Client, slug: str, run_id: str, to: str = "view") -> Run:
    """Return a run of the agent; UnknownRun for one of another agent, NotFound where the caller may not see it."""
    run = access.run_for(client.caller, run_id, to=to)
    if run.agent.slug != slug:
        raise UnknownRun
    return run


def visible_shape(client: rows.Client, run: Run) -> dict[str, Any]:
    """Return a run as this key may see it: what was said is for who started it, and for who may read content."""
    hidden = {} if access.may_read(client.caller, run) else {"input": None, "output": None}
    return shape(run) | hidden
