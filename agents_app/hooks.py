"""Hooks of installed packages around every call of a model and of a tool in a run.

A hook looks and may stop the step by raising. It changes nothing: what was approved and what is sent stay as they are.
One that breaks or takes too long stops the step as well, and the worker continues.
"""

import logging
from dataclasses import dataclass
from typing import Any

from agents_app import plugins
from agents_app.tools.base import Result, ToolCall
from console.gateway.types import Ask

log = logging.getLogger(__name__)
SECONDS = 5.0


class HookFailed(Exception):
    """A hook stopped the step; the sentence says which, and why if it said so."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class SeenModelCall:
    """A call of a model as a hook sees it."""

    agent: str
    model: str
    request_id: str
    body: dict[str, Any]  # a copy, in OpenAI's shape


@dataclass(frozen=True, slots=True)
class SeenToolCall:
    """A call of a tool as a hook sees it. It has no secret."""

    tool: str
    run_id: str
    team_id: str
    arguments: dict[str, Any]
    idempotency_key: str


async def before_model_call(ask: Ask) -> None:
    await _run_hooks("before_model_call", lambda: (_model(ask),))


async def after_model_call(ask: Ask, answer: bytes) -> None:
    """Show the answer, as the JSON text it came as."""
    await _run_hooks("after_model_call", lambda: (_model(ask), answer.decode(errors="replace")))


async def before_tool_call(call: ToolCall) -> None:
    await _run_hooks("before_tool_call", lambda: (_tool(call),))


async def after_tool_call(call: ToolCall, result: Result) -> None:
    await _run_hooks("after_tool_call", lambda: (_tool(call), result.content))


def _model(ask: Ask) -> SeenModelCall:
    return SeenModelCall(ask.agent.ref if ask.agent else "", ask.model, str(ask.id), _copy(ask.body))


def _tool(call: ToolCall) -> SeenToolCall:
    return SeenToolCall(
        call.tool_name, str(call.run_id or ""), str(call.team_id), _copy(call.arguments), str(call.idempotency_key)
    )


def _copy(value: Any) -> Any:
    """Return JSON that a hook may change without changing ours."""
    if isinstance(value, dict):
        return {name: _copy(inner) for name, inner in value.items()}
    return [_copy(inner) for inner in value] if isinstance(value, list) else value


async def _run_hooks(name: str, event: Any) -> None:
    for hook in plugins.allowed(plugins.HOOKS).values():
        if hook.trouble:
            raise HookFailed(f"The hook {hook.name} cannot be loaded, so nothing passes it.")
        function = getattr(hook.object, name, None)
        if function is None:
            continue
        try:
            await plugins.run(hook.package, function, *event(), seconds=SECONDS, patience=SECONDS)
        except TimeoutError:
            raise HookFailed(f"The hook {hook.name} took too long.") from None
        except plugins.Busy:
            raise HookFailed(f"The hook {hook.name} is busy.") from None
        except Exception as broken:
            if getattr(type(broken), "is_refusal", False):
                raise HookFailed(f"The hook {hook.name} stopped this: {str(broken)[:300]}") from None
            log.exception("The hook %s broke.", hook.name)
            raise HookFailed(f"The hook {hook.name} broke.") from None
