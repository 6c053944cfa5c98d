"""A tool of an MCP server, with the name, description and schema that a person reviewed; other ones suspend it."""

import json
import uuid
from collections.abc import Mapping
from typing import Any

from agents_app.models import Tool, ToolServer
from agents_app.tools import config_fields
from agents_app.tools.base import Result, ToolCall, ToolFailed, cut
from agents_app.tools.mcp.session import Address, Changed, call_offer
from agents_app.tools.secret import secret_of
from agents_app.tools.web import without_secret
from console.audit import actions
from console.audit.services import record
from console.core.connections import in_thread
from console.teams.actors import SYSTEM


class Mcp:
    slug = "mcp"
    label = "MCP server"
    icon = "server"
    sentence = "Connect a server that speaks the Model Context Protocol, and add its tools one by one."
    description = ""
    effect = "write"
    is_idempotent = False
    needs_run = False
    unavailable = ""

    def schema(self, config: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
        return dict(parameters)

    def check(self, config: Mapping[str, Any]) -> dict[str, Any]:
        config_fields.only(config, ("name",))
        return {"name": config_fields.text(config, "name", most=200, is_required=True)}

    def origin(self, config: Mapping[str, Any]) -> str:
        return ""

    async def call(self, call: ToolCall) -> Result:
        tool = await in_thread(lambda: _row(call.tool_id))
        if tool is None or tool.server is None or not tool.is_callable:
            raise ToolFailed("This tool is not offered any more, or waits for a review.")
        address = address_of(tool.server, call.run_id)
        answer = await call_offer(
            address,
            call.seconds,
            name=call.config["name"],
            digest=tool.digest,
            arguments=dict(call.arguments),
            key=str(call.idempotency_key),
        )
        if isinstance(answer, Changed):
            await in_thread(lambda: suspend(tool, answer.sentence))
            raise ToolFailed(f"{answer.sentence} It is suspended until somebody reviews it.")
        content = without_secret(_content(answer), address.secret)
        return Result(cut(content, call.most_bytes), bool(answer.is_error), tool.server.name)


def _row(tool_id: uuid.UUID | None) -> Tool | None:
    return Tool.objects.select_related("server", "team").filter(pk=tool_id).first() if tool_id else None


def address_of(server: ToolServer, run_id: uuid.UUID | None = None) -> Address:
    """Return where a server is called, for a run if one is given; ToolFailed when its secret cannot be read."""
    run = f"run_{run_id.hex}" if run_id is not None else ""
    return Address(server.transport == ToolServer.Transport.STDIO, server.address, secret_of(server), run)


def suspend(tool: Tool, why: str) -> bool:
    """Let nobody call a tool until it is reviewed; once, whoever notices first."""
    if not Tool.objects.filter(pk=tool.pk, suspended="").update(suspended=why[:500]):
        return False
    record(actions.TOOL_SUSPENDED, actor=SYSTEM, target=tool, target_name=tool.slug, team=tool.team, reason=why)
    return True


def _content(answer: Any) -> str:
    """Return a result as text: words as they are, other things as what they are called."""
    parts = []
    for block in answer.content:
        if block.type == "text":
            parts.append(block.text)
        elif block.type == "resource" and getattr(block.resource, "text", None) is not None:
            parts.append(block.resource.text)
        elif block.type == "resource_link":
            parts.append(f"({block.name}: {block.uri})")
        else:
            parts.append(f"({block.type}, which is not text)")
    if not parts and answer.structured_content is not None:
        parts.append(json.dumps(answer.structured_content, ensure_ascii=False))
    return "\n".join(parts) or "(empty answer)"
