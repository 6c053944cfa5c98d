"""The fields of an agent. Their form is validated here; whether they fit together, in `readiness.py`."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from agents_app.grants.parsing import check_grants
from agents_app.grants.schemas import check_schema
from agents_app.models import Definition
from console.core import strict_json
from console.core.errors import BadInput
from console.gateway.shapes import knowledge_ref
from console.gateway.shapes.knowledge_ref import MOST_PASSAGES
from prompts_app.parameters import check_parameters
from prompts_app.text.refs import LABEL, parse_ref

FIELDS = (
    "prompt_slug",
    "prompt_label",
    "prompt_number",
    "prompt_variables",
    "alias",
    "parameters",
    "limits",
    "knowledge",
    "opening_message",
    "suggested_questions",
    "grants",
    "input_schema",
    "output_schema",
)
# Each limit's name, and the most it may be set to. Of an answer and a call:
CALL_LIMITS = {"output_tokens": 10_000_000, "messages": 2_000, "passages": MOST_PASSAGES}
# Of a run:
RUN_LIMITS = {
    "steps": 200,
    "model_calls": 200,
    "tool_calls": 500,
    "tokens": 50_000_000,
    "cost_micros": 1_000_000_000,
    "seconds": 7 * 24 * 3600,
    "identical_calls": 20,
    "approval_seconds": 30 * 24 * 3600,
    "escalate_seconds": 30 * 24 * 3600,
}
LIMITS = CALL_LIMITS | RUN_LIMITS
# What a run is held to that says nothing about it.
RUN_DEFAULTS = {"steps": 20, "tokens": 200_000, "seconds": 900, "identical_calls": 3, "approval_seconds": 3600}
MOST_QUESTIONS, LONGEST_QUESTION, LONGEST_OPENING = 6, 200, 2_000
_LARGEST_NUMBER = 2**31 - 1
_LONGEST_VARIABLES = 50_000


def fields_of(definition: Definition) -> dict[str, Any]:
    """Return the fields of a draft or a version."""
    return {name: getattr(definition, name) for name in FIELDS}


def run_limits(definition: Definition) -> dict[str, int]:
    """Return what a run of this definition is held to, from its start to its end."""
    return RUN_DEFAULTS | {name: limit for name, limit in definition.limits.items() if name in RUN_LIMITS}


def checked(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the given fields, ready to be kept; BadInput names the one at fault. What is not given is left out."""
    unknown = sorted(fields.keys() - set(FIELDS))
    if unknown:
        raise BadInput(f"{unknown[0][:60]!r} is not part of an agent.", param=unknown[0][:60])
    kept = {name: _CHECKS[name](value) for name, value in fields.items()}
    check_one_prompt(kept)
    for name, value in kept.items():
        strict_json.typed(json.dumps(value), name)  # a run could not send what no JSON can say
    return kept


def check_one_prompt(fields: Mapping[str, Any]) -> None:
    if fields.get("prompt_label") and fields.get("prompt_number"):
        raise BadInput("Name a label or a version of the prompt, not both.", param="prompt_number")


def _text(name: str, value: Any, most: int) -> str:
    if not isinstance(value, str):
        raise BadInput(f"{name} must be a text.", param=name)
    text = value.strip()
    if len(text) > most:
        raise BadInput(f"{name} has {len(text):,} characters; {most:,} is the most.", param=name)
    return text


def _prompt_slug(value: Any) -> str:
    slug = _text("prompt_slug", value, 200)
    ref = parse_ref(slug) if slug else None
    if slug and (ref is None or ref.number or ref.label):
        raise BadInput("prompt_slug must be the name of a prompt: support/answer.", param="prompt_slug")
    return slug


def _prompt_label(value: Any) -> str:
    label = _text("prompt_label", value, 40)
    if label and not LABEL.fullmatch(label):
        raise BadInput(f"{label!r} cannot be a label of a prompt.", param="prompt_label")
    return label


def _prompt_number(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _LARGEST_NUMBER:
        raise BadInput("prompt_number must be the number of a version.", param="prompt_number")
    return value


def _prompt_variables(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadInput("prompt_variables must be an object of names and values.", param="prompt_variables")
    if len(json.dumps(value)) > _LONGEST_VARIABLES:
        raise BadInput(
            f"The values of the variables are longer than {_LONGEST_VARIABLES:,} characters.", param="prompt_variables"
        )
    return dict(value)


def _parameters(value: Any) -> dict[str, Any]:
    for name in ("max_tokens", "max_completion_tokens"):
        if isinstance(value, dict) and name in value:
            raise BadInput("How long an answer may get is limits.output_tokens.", param=f"parameters.{name}")
    return check_parameters(value)


def _limits(value: Any) -> dict[str, int]:
    if not isinstance(value, dict):
        raise BadInput("limits must be an object.", param="limits")
    for name, limit in value.items():
        if name not in LIMITS:
            raise BadInput(f"{name[:60]!r} is not a limit; known are {', '.join(LIMITS)}.", param=f"limits.{name[:60]}")
        if limit is not None and (
            isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= LIMITS[name]
        ):
            raise BadInput(f"{name} must be a whole number from 1 to {LIMITS[name]:,}.", param=f"limits.{name}")
    return {name: limit for name, limit in value.items() if limit is not None}


def _knowledge(value: Any) -> list[str]:
    """Return the collections it answers from, as a call would name them."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise BadInput("knowledge must be a list of collections.", param="knowledge")
    if not value:
        return []
    try:
        return list(knowledge_ref.read(list(value)).collections)
    except BadInput as wrong:
        wrong.param = "knowledge"
        raise


def _questions(value: Any) -> list[str]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise BadInput("suggested_questions must be a list of texts.", param="suggested_questions")
    kept = [_text("suggested_questions", one, LONGEST_QUESTION) for one in value]
    kept = list(dict.fromkeys(one for one in kept if one))
    if len(kept) > MOST_QUESTIONS:
        raise BadInput(f"An agent suggests at most {MOST_QUESTIONS} questions.", param="suggested_questions")
    return kept


def _schema(name: str, value: Any) -> dict[str, Any] | None:
    return None if value in (None, {}, "") else check_schema(value, param=name)


_CHECKS: Mapping[str, Callable[[Any], Any]] = {
    "prompt_slug": _prompt_slug,
    "prompt_label": _prompt_label,
    "prompt_number": _prompt_number,
    "prompt_variables": _prompt_variables,
    "knowledge": _knowledge,
    "alias": lambda value: _text("alias", value, 100),
    "parameters": _parameters,
    "limits": _limits,
    "opening_message": lambda value: _text("opening_message", value, LONGEST_OPENING),
    "suggested_questions": _questions,
    "grants": check_grants,
    "input_schema": partial(_schema, "input_schema"),
    "output_schema": partial(_schema, "output_schema"),
}
