"""A Python tool of a package that the operator of the deployment installed and allowed."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agents_app import plugins
from agents_app.tools import config_fields, schemas
from agents_app.tools.base import Result, ToolCall, ToolFailed, cut
from console.core.errors import BadInput

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Context:
    """What a plug-in is told besides the arguments. `run_id` is empty when a person tries the tool."""

    run_id: str
    team_id: str
    tool: str
    idempotency_key: str
    seconds: float


class Plugin:
    slug = "plugin"
    label = "Plug-in"
    icon = "package"
    sentence = "A function in Python, of a package that is installed here and allowed."
    description = ""
    effect = "write"
    is_idempotent = False
    needs_run = False

    @property
    def unavailable(self) -> str:
        if any(not one.trouble for one in plugins.allowed(plugins.TOOLS).values()):
            return ""
        return "No package with tools is installed and allowed here (PLUGINS_ALLOWED)."

    def schema(self, config: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
        tool = _tool_named(config["plugin"], param="plugin")
        try:
            return schemas.checked(getattr(tool, "parameters", None))
        except BadInput as wrong:
            raise BadInput(f"The plug-in cannot be used. {wrong.message}", param="plugin") from None

    def check(self, config: Mapping[str, Any]) -> dict[str, Any]:
        config_fields.only(config, ("plugin",))
        name = config_fields.text(config, "plugin", most=100, is_required=True)
        _tool_named(name, param="plugin")
        return {"plugin": name}

    def origin(self, config: Mapping[str, Any]) -> str:
        return ""

    async def call(self, call: ToolCall) -> Result:
        plugin = plugins.allowed(plugins.TOOLS).get(str(call.config["plugin"]))
        if plugin is None or plugin.object is None:
            raise ToolFailed("The plug-in is not installed here any more, or not allowed.")
        context = Context(
            run_id=str(call.run_id or ""),
            team_id=str(call.team_id),
            tool=call.tool_name,
            idempotency_key=str(call.idempotency_key),
            seconds=call.seconds,
        )
        try:
            answer = await plugins.run(
                plugin.package, plugin.object.call, dict(call.arguments), context, seconds=call.seconds
            )
        except TimeoutError:
            raise ToolFailed("The plug-in took too long.", is_unknown=True) from None
        except plugins.Busy:
            raise ToolFailed("The plug-in is busy with other calls.", may_retry=True) from None
        except Exception as broken:
            if getattr(type(broken), "is_for_model", False):
                return Result(cut(str(broken), call.most_bytes), True, type(broken).__name__)
            log.exception("The plug-in %s broke.", plugin.name)
            raise ToolFailed("The plug-in broke.", is_unknown=True) from None
        return Result(cut(_as_text(answer), call.most_bytes), note=f"{plugin.package} {plugin.version}")


def _tool_named(name: str, *, param: str) -> Any:
    installed = plugins.allowed(plugins.TOOLS)
    if name not in installed:
        names = ", ".join(installed) or "none"
        raise BadInput(f"No allowed package brings a tool {name[:60]!r}; there are {names}.", param=param)
    if installed[name].trouble:
        raise BadInput(f"{name}: {installed[name].trouble}", param=param)
    return installed[name].object


def _as_text(answer: Any) -> str:
    if isinstance(answer, str):
        return answer
    try:
        return json.dumps(answer, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        raise ToolFailed("The plug-in answered with something that is no text and no JSON.") from None
