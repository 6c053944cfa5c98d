"""`prompt` of a call: a prompt of the library, and its variables."""

from typing import Any, NamedTuple

from console.core.errors import BadInput
from prompts_app.text.refs import LABEL, Ref, parse_ref

_FIELDS = {"id", "version", "label", "variables"}
_LARGEST = 2**31 - 1


class PromptRef(NamedTuple):
    ref: Ref
    variables: dict[str, Any]


def check(value: Any) -> None:
    read(value)


def read(value: Any) -> PromptRef:
    """Return what a body's `prompt` names, or name the field at fault."""
    if not isinstance(value, dict):
        raise BadInput(
            "prompt must be an object with id and, where wanted, version or label, and variables.", param="prompt"
        )
    unknown = sorted(value.keys() - _FIELDS)
    if unknown:
        raise BadInput(f"{unknown[0][:60]!r} is not a field of prompt.", param=f"prompt.{unknown[0][:60]}")
    named = value.get("id")
    ref = parse_ref(named) if isinstance(named, str) else None
    if ref is None:
        raise BadInput("prompt.id must name a prompt: support/answer.", param="prompt.id")
    number, label = value.get("version"), value.get("label")
    if sum(part is not None for part in (number, label, ref.number or ref.label)) > 1:
        raise BadInput("Name a version or a label, not both.", param="prompt.version")
    if number is not None:
        if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= _LARGEST:
            raise BadInput("prompt.version must be the number of a version.", param="prompt.version")
        ref = Ref(ref.slug, number)
    elif label is not None:
        if not isinstance(label, str) or not LABEL.fullmatch(label):
            raise BadInput("prompt.label must be the name of a label.", param="prompt.label")
        ref = Ref(ref.slug, label=label)
    variables = value.get("variables")
    if variables is None:
        variables = {}
    if not isinstance(variables, dict):
        raise BadInput("prompt.variables must be an object of names and values.", param="prompt.variables")
    return PromptRef(ref, variables)
