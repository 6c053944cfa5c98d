"""Try a tool by hand: the real call, made on behalf of the person, and recorded."""

from typing import Any

from agents_app.grants.schemas import check_arguments
from agents_app.models import Tool
from agents_app.tools.base import Pause, Result, ToolCall, ToolFailed
from agents_app.tools.registry import kind_of
from agents_app.tools.secret import secret_of
from console.audit import actions
from console.audit.models import Status
from console.audit.services import record
from console.core.errors import BadInput, Conflict
from console.core.ids import uuid7
from console.gateway import sync
from console.gateway.identity import PersonIdentity
from console.teams.actors import Actor

MOST_SECONDS = 60.0


def try_tool(*, actor: Actor, tool: Tool, arguments: dict[str, Any]) -> Result:
    """Call the tool with these arguments; what went wrong comes back as a result that is an error."""
    kind = kind_of(tool.kind)
    if kind.needs_run:
        raise BadInput("This kind of tool works inside a run only; try an agent that has it.")
    if not tool.is_callable:
        raise Conflict("The tool is switched off or waits for a review, so it is not called.")
    check_arguments(tool.parameters, arguments)
    identify = None
    if actor.kind == "user" and actor.id is not None:
        identify = PersonIdentity(actor.id, tool.team_id, "sandbox")
    key = uuid7()
    try:
        call = ToolCall(
            run_id=None,
            step_id=None,
            team_id=tool.team_id,
            tool_id=tool.pk,
            tool_name=tool.slug,
            arguments=arguments,
            config=tool.config,
            secret=secret_of(tool),
            idempotency_key=key,
            seconds=min(float(tool.timeout_seconds), MOST_SECONDS),
            most_bytes=tool.most_bytes,
            identify=identify,
            environment="sandbox",
            by_name=actor.name,
        )
        answer = sync.run(kind.call(call))
    except ToolFailed as failed:
        answer = Result(failed.sentence, True, "may have happened" if failed.is_unknown else "did not happen")
    if isinstance(answer, Pause):
        answer = Result(answer.note)
    record(
        actions.TOOL_TRIED,
        actor=actor,
        target=tool,
        target_name=tool.slug,
        team=tool.team,
        status=Status.ERROR if answer.is_error else Status.OK,
        detail={"arguments": sorted(arguments), "note": answer.note, "idempotency_key": str(key)},
    )
    return answer
