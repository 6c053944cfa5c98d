"""Build the request for a conversation with an agent: the same for the chat page, widgets and programs."""

from collections.abc import Mapping, Sequence
from typing import Any

from agents_app.definition import LIMITS
from agents_app.models import AgentVersion
from console.gateway.agents import PREFIX


def ask_of(
    version: AgentVersion, history: Sequence[Mapping[str, Any]], *, is_stream: bool = True, whom: str = ""
) -> dict[str, Any]:
    """Return the body of a chat completion that continues with a conversation (`{"role", "content"}`, oldest first).

    It names the agent, so the pipeline adds what the live version says at that moment: instructions, parameters,
    limits. Of a long conversation the newest messages are sent, a question first. `whom` tells callers of one surface
    apart, for a canary's share. Needs `version.agent`.
    """
    most = version.limits.get("messages") or LIMITS["messages"]
    kept = [dict(message) for message in history[-most:]]
    while len(kept) > 1 and kept[0]["role"] != "user":
        kept.pop(0)
    body: dict[str, Any] = {"model": f"{PREFIX}{version.agent.slug}", "messages": kept}
    if is_stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    if whom:
        body["safety_identifier"] = whom
    return body
