"""Call one tool: what a kind of tool receives, and the possible outcomes."""

import asyncio
import logging
import time
from typing import NamedTuple

from agents_app import hooks
from agents_app.engine import limits
from agents_app.engine.identity import RunIdentity
from agents_app.models import Run, Step, Tool
from agents_app.tools.base import Pause, Result, ToolCall, ToolFailed
from agents_app.tools.registry import KINDS
from agents_app.tools.secret import secret_of
from console.core.clock import now
from console.gateway.types import AnsweringAgent

log = logging.getLogger(__name__)


class TooLate(NamedTuple):
    """The call was not begun, as another worker may have the run by now: it is made in another turn."""


Outcome = Result | Pause | ToolFailed | TooLate


def call_for(run: Run, step: Step, tool: Tool) -> ToolCall:
    """Return the call of a step whose intent is committed; raises ToolFailed when it cannot be made."""
    number = run.version.number if run.version else 0
    return ToolCall(
        run_id=run.pk,
        step_id=step.pk,
        team_id=run.agent.team_id,
        tool_id=tool.pk,
        tool_name=tool.slug,
        arguments=step.arguments or {},
        config=tool.config,
        secret=secret_of(tool),
        idempotency_key=step.idempotency_key,
        seconds=min(float(tool.timeout_seconds), limits.seconds_left(run)),
        most_bytes=tool.most_bytes,
        identify=RunIdentity(run, now()),
        environment=run.environment,
        by_name=run.actor_name,
        # The prompts of such a call are those of the team that pays, as they are without a run.
        agent=AnsweringAgent(run.agent_id, run.agent.slug, run.version_id or run.agent_id, number, run.team_id, None),
        end_user=run.end_user,
        metadata=run.metadata,
    )


async def call_tool(kind: str, call: ToolCall, *, latest: float) -> Outcome:
    """Make the call within its time. After `latest` (monotonic) another worker may have the run: nothing begins."""
    if kind not in KINDS:
        return ToolFailed(f"This installation has no tools of the kind {kind!r}.")
    if time.monotonic() > latest:
        return TooLate()
    try:
        async with asyncio.timeout(call.seconds):
            await hooks.before_tool_call(call)
            if time.monotonic() > latest:  # hooks may take their time
                return TooLate()
            outcome = await KINDS[kind].call(call)
        return await _show_to_hooks(call, outcome)
    except hooks.HookFailed as stopped:
        return ToolFailed(stopped.sentence)
    except ToolFailed as failed:
        return failed
    except TimeoutError:
        return ToolFailed(f"It did not answer within {call.seconds:.0f} seconds.", is_unknown=True)
    except Exception:
        log.exception("A tool of the kind %s broke.", kind)
        return ToolFailed("Something broke in the tool.", is_unknown=True)


async def _show_to_hooks(call: ToolCall, outcome: Outcome) -> Outcome:
    """Show a result to the hooks; one they stop is kept from the model, though the call was made."""
    if isinstance(outcome, Result):
        try:
            await hooks.after_tool_call(call, outcome)
        except hooks.HookFailed as stopped:
            return Result(
                f"The call was made, and its result is kept back. {stopped.sentence}", True, "stopped by a hook"
            )
    return outcome


def may_repeat(tool: Tool | None) -> bool:
    """Return whether a call that may have happened can simply be made again: it says so of itself, or only reads."""
    return tool is not None and (tool.is_idempotent or tool.effect == Tool.Effect.READ)
