"""Ask a person: the run waits without a worker until somebody answers in the inbox of approvals."""

from collections.abc import Mapping
from typing import Any

from agents_app.tools import config_fields, schemas
from agents_app.tools.base import Pause, Result, ToolCall
from console.core.errors import BadInput

ANSWER = {
    "type": "object",
    "properties": {"answer": {"type": "string", "title": "Your answer", "maxLength": 10_000}},
    "required": ["answer"],
    "additionalProperties": False,
}
_PLAIN = frozenset({"string", "number", "integer", "boolean"})


class Person:
    slug = "person"
    label = "Ask a person"
    icon = "user"
    sentence = "The run waits until somebody of the team answered. Waiting costs nothing."
    description = "Ask a person of the team something only they know, and wait for the answer."
    effect = "read"
    is_idempotent = True
    needs_run = True
    unavailable = ""

    def schema(self, config: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
        question = {"type": "string", "description": "The question, with what one must know to answer it."}
        return {
            "type": "object",
            "properties": {"question": {**question, "minLength": 1, "maxLength": 4_000}},
            "required": ["question"],
            "additionalProperties": False,
        }

    def check(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """`form` is a JSON schema of one flat object; without one the answer is a text."""
        config_fields.only(config, ("form",))
        if config.get("form") in (None, ""):
            return {"form": None}
        try:
            form = schemas.checked(config["form"])
        except BadInput as wrong:
            raise BadInput(wrong.message.replace("of the arguments", "of the form"), param="form") from None
        for name, field in form["properties"].items():
            if not isinstance(field.get("type"), str) or field["type"] not in _PLAIN:
                raise BadInput(f"The form's field {name!r} must be of type {', '.join(sorted(_PLAIN))}.", param="form")
        if not form["properties"]:
            raise BadInput("The form has no field to answer.", param="form")
        return {"form": form}

    def origin(self, config: Mapping[str, Any]) -> str:
        return ""

    async def call(self, call: ToolCall) -> Result | Pause:
        question = str(call.arguments["question"])
        return Pause("waits for a person", form=call.config.get("form") or ANSWER, question=question)
