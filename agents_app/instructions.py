"""The instructions of an agent: a prompt of the library, as the agent's own team sees it."""

import uuid
from typing import Any

from agents_app.models import Definition
from prompts_app.errors import NotCallable
from prompts_app.rendering import Filled, fill_now, is_callable
from prompts_app.text.refs import Ref


def ref_of(definition: Definition) -> Ref | None:
    """Return the prompt an agent speaks with; None when it has none."""
    if not definition.prompt_slug:
        return None
    return Ref(definition.prompt_slug, definition.prompt_number, definition.prompt_label or None)


def as_named_in_a_call(definition: Definition) -> dict[str, Any] | None:
    """Return what the `prompt` of a call would be to get the same instructions."""
    if not definition.prompt_slug:
        return None
    named: dict[str, Any] = {"id": definition.prompt_slug, "variables": definition.prompt_variables}
    if definition.prompt_number is not None:
        named["version"] = definition.prompt_number
    elif definition.prompt_label:
        named["label"] = definition.prompt_label
    return named


def knowledge_of(definition: Definition) -> dict[str, Any] | None:
    """Return what the `knowledge` of a call would be to answer from the same documents; None without any."""
    if not definition.knowledge:
        return None
    limit = definition.limits.get("passages")
    return {"collections": definition.knowledge} | ({"limit": limit} if limit else {})


def rendered(team_id: uuid.UUID, definition: Definition, environment: str = "production") -> Filled | None:
    """Return the instructions as a call would get them, None without a prompt; raises the Refusal a call would get."""
    ref = ref_of(definition)
    if ref is None:
        return None
    filled = fill_now(team_id, ref, environment, definition.prompt_variables, text_role="system")
    if not is_callable(filled.version.kind):
        raise NotCallable(ref.slug)
    return filled
