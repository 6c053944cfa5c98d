"""Wait: the run sleeps in the database until its time."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from agents_app.tools import config_fields
from agents_app.tools.base import Pause, Result, ToolCall
from console.core.clock import now

LONGEST = 7 * 24 * 3600


class Wait:
    slug = "wait"
    label = "Wait"
    icon = "hourglass"
    sentence = "The run sleeps for a time the agent names, up to a limit you set. Sleeping costs nothing."
    description = "Wait before going on, for example until a deployment had time to start."
    effect = "read"
    is_idempotent = True
    needs_run = True
    unavailable = ""

    def schema(self, config: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
        most = config.get("most_seconds", LONGEST)
        seconds = {"type": "integer", "minimum": 1, "maximum": most, "description": "How long, in seconds."}
        return {
            "type": "object",
            "properties": {"seconds": seconds},
            "required": ["seconds"],
            "additionalProperties": False,
        }

    def check(self, config: Mapping[str, Any]) -> dict[str, Any]:
        config_fields.only(config, ("most_seconds",))
        return {"most_seconds": config_fields.number(config, "most_seconds", least=1, most=LONGEST, default=3600)}

    def origin(self, config: Mapping[str, Any]) -> str:
        return ""

    async def call(self, call: ToolCall) -> Result | Pause:
        seconds = int(call.arguments["seconds"])
        return Pause(f"waits {seconds:,} s", until=now() + dt.timedelta(seconds=seconds))
