"""Search the team's documents. There are none yet, and it says so instead of finding nothing."""

from collections.abc import Mapping
from typing import Any

from agents_app.tools import reading
from agents_app.tools.base import Result, ToolCall, ToolFailed


class Knowledge:
    slug = "knowledge"
    label = "Knowledge search"
    icon = "library"
    sentence = "Find passages in the team's documents."
    description = "Find passages in the team's documents."
    effect = "read"
    is_idempotent = True
    needs_run = False
    unavailable = "This installation keeps no documents yet, so there is nothing to search."

    def schema(self, config: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {"query": {"type": "string", "minLength": 1, "maxLength": 1_000}},
            "required": ["query"],
            "additionalProperties": False,
        }

    def check(self, config: Mapping[str, Any]) -> dict[str, Any]:
        reading.only(config, ())
        return {}

    def origin(self, config: Mapping[str, Any]) -> str:
        return ""

    async def call(self, call: ToolCall) -> Result:
        raise ToolFailed(f"Knowledge search is not available. {self.unavailable}")
