"""The editor: what was typed into it, kept exactly, whatever is wrong with it.

Messages and variables are rows of one form, named by their place (`m-0-text`, `v-2-type`). Adding, removing and moving
rows are buttons of that form, so they work without scripts; nothing is lost on the way.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from console.core import parsing, strict_json
from console.core.errors import BadInput
from console.core.formatting import as_text
from prompts_app.models import Draft, Kind
from prompts_app.text.content import MOST_MESSAGES, ROLES
from prompts_app.text.plain import problem
from prompts_app.text.variables import MOST, TYPES, names_of

# What has a field of its own; every other parameter is written as JSON.
NUMBERS = {"temperature": "Temperature", "top_p": "Top p", "max_tokens": "Max output tokens"}
_LONGEST_NUMBER = 18  # digits of a whole number in JSON that everybody reads alike


@dataclass(slots=True)
class MessageRow:
    role: str
    text: str
    error: str = ""


@dataclass(slots=True)
class VariableRow:
    """One variable as it was typed: everything is text here, whatever its type."""

    name: str
    type: str = "text"
    is_required: bool = True
    default: str = ""
    example: str = ""
    choices: str = ""
    error: str = ""
    is_in_text: bool = True


@dataclass(slots=True)
class Editor:
    kind: str
    messages: list[MessageRow]
    variables: list[VariableRow] = field(default_factory=list)
    numbers: dict[str, str] = field(default_factory=dict)
    more: str = ""
    message: str = ""
    # The number of the version it was begun on; None for a prompt that has none yet.
    base: int | None = None
    # The version it was begun on before somebody else saved; the comparison of three sides stays until it is gone.
    was: int | None = None
    errors: list[str] = field(default_factory=list)
    parameter_errors: dict[str, str] = field(default_factory=dict)

    @property
    def is_chat(self) -> bool:
        return self.kind == Kind.CHAT

    @property
    def content(self) -> list[dict[str, str]]:
        return [{"role": row.role if self.is_chat else "", "text": row.text} for row in self.messages]

    @property
    def has_errors(self) -> bool:
        at_rows = any(row.error for row in self.messages) or any(row.error for row in self.variables)
        return bool(self.errors or self.parameter_errors or at_rows)

    @property
    def number_fields(self) -> list[tuple[str, str, str, str]]:
        """Return (name, label, what was typed, what is wrong) of the parameters with a field of their own."""
        return [
            (name, label, self.numbers.get(name, ""), self.parameter_errors.get(name, ""))
            for name, label in NUMBERS.items()
        ]

    @property
    def more_error(self) -> str:
        return self.parameter_errors.get("more", "")

    def raw_variables(self) -> list[dict[str, Any]]:
        """Return the rows as a draft keeps them."""
        return [
            {
                "name": row.name,
                "type": row.type,
                "is_required": row.is_required,
                "default": row.default,
                "example": row.example,
                "choices": row.choices,
            }
            for row in self.variables
        ]

    def raw_parameters(self) -> dict[str, Any]:
        return {
            **{name: text for name, text in self.numbers.items() if text},
            **({"more": self.more} if self.more else {}),
        }

    @property
    def draft(self) -> dict[str, Any]:
        """Return all that is typed as `keep_draft` takes it, and `from_draft` gives it back."""
        return {
            "content": self.content,
            "variables": self.raw_variables(),
            "parameters": self.raw_parameters(),
            "message": self.message,
        }

    def variable_specs(self) -> list[dict[str, Any]]:
        """Return the variables as a version declares them, noting at its row what cannot be read."""
        found = []
        for row in self.variables:
            if not row.is_in_text:
                continue
            spec: dict[str, Any] = {"name": row.name, "type": row.type, "is_required": row.is_required}
            spec["choices"] = _choices(row.choices) if row.type == "choice" else []
            for name in ("default", "example"):
                try:
                    spec[name] = _value(getattr(row, name), row.type)
                except ValueError:
                    row.error, spec[name] = f"The {name} is not a number.", None
                except BadInput as wrong:
                    row.error, spec[name] = f"The {name} is not JSON that can be kept: {wrong.message}", None
            if row.type == "choice" and not spec["choices"]:
                row.error = row.error or "Write the choices, separated by commas."
            found.append(spec)
        return found

    def parameters(self) -> dict[str, Any]:
        """Return the default parameters, noting at its field what cannot be read."""
        found: dict[str, Any] = {}
        if self.more.strip():
            hint = 'Write a JSON object, for example {"stop": ["END"]}.'
            try:
                more = strict_json.typed(self.more, "This")
                if isinstance(more, dict):
                    found |= more
                else:
                    self.parameter_errors["more"] = hint
            except BadInput as wrong:
                self.parameter_errors["more"] = f"{hint} {wrong.message}"
        for name, text in self.numbers.items():
            if not text.strip():
                continue
            try:
                found[name] = int(text) if name == "max_tokens" else _number(text)
            except ValueError:
                self.parameter_errors[name] = "Write a whole number." if name == "max_tokens" else "Write a number."
        return found

    def apply(self, wish: str, include: str = "") -> None:
        """Do what a button of the form asks: add, remove-2, up-2, down-2, include."""
        verb, _, place = wish.partition("-")
        at = int(place) if place.isdecimal() and len(place) < 4 else len(self.messages) - 1
        if verb == "include" and include.strip():
            row = self.messages[min(at, len(self.messages) - 1)]
            form = f"{{{{> {include.strip()}}}}}"
            row.text = f"{row.text.rstrip()}\n\n{form}\n" if row.text.strip() else f"{form}\n"
        if not self.is_chat:
            return
        if verb == "add" and len(self.messages) < MOST_MESSAGES:
            last = self.messages[-1].role if self.messages else ""
            self.messages.append(MessageRow("assistant" if last == "user" else "user", ""))
        elif verb == "remove" and len(self.messages) > 1 and at < len(self.messages):
            del self.messages[at]
        elif verb in {"up", "down"}:
            to = at + (-1 if verb == "up" else 1)
            if 0 <= at < len(self.messages) and 0 <= to < len(self.messages):
                self.messages[at], self.messages[to] = self.messages[to], self.messages[at]

    def leave_out_gone(self) -> None:
        """Mark rows of variables that the text does not name any more, unless a partial may ask for them.

        The page does so while one types; what is saved before it did, or without script, would be asked forever.
        """
        texts = [row.text for row in self.messages]
        if not any("{{>" in text for text in texts):
            names = {name for text in texts for name in names_of(text)}
            for row in self.variables:
                row.is_in_text = row.name in names

    def match_variables(self, names: Sequence[str], from_partials: Mapping[str, Any]) -> None:
        """Give every variable of the text a row, in the order of the text, and mark rows that left it."""
        known = {row.name: row for row in self.variables}
        rows = [known.pop(name) if name in known else VariableRow(name) for name in names]
        for row in rows:
            row.is_in_text = True
        rows = rows[: MOST + 1]
        for row in known.values():
            row.is_in_text = row.name in from_partials
            rows.append(row)
        self.variables = rows


def blank(kind: str) -> Editor:
    messages = [MessageRow("system", ""), MessageRow("user", "")] if kind == Kind.CHAT else [MessageRow("", "")]
    return Editor(kind, messages)


def from_parts(
    kind: str,
    content: Sequence[Mapping[str, Any]],
    variables: Sequence[Mapping[str, Any]],
    parameters: Mapping[str, Any],
    *,
    message: str = "",
    base: int | None = None,
) -> Editor:
    """Fill the editor from the parts of a version, or of a draft, whose values are still as they were typed."""
    more = {name: value for name, value in parameters.items() if name not in NUMBERS and name != "more"}
    raw = parameters.get("more")
    return Editor(
        kind,
        [MessageRow(str(one.get("role", "")), str(one.get("text", ""))) for one in content] or blank(kind).messages,
        [_row(variable) for variable in variables],
        {name: _as_text(parameters.get(name)) for name in NUMBERS},
        raw if isinstance(raw, str) else (json.dumps(more, indent=2, ensure_ascii=False) if more else ""),
        message,
        base,
    )


def from_draft(kind: str, draft: Draft) -> Editor:
    """Fill the editor with what was left in it."""
    base = draft.base.number if draft.base else None
    return from_parts(kind, draft.content, draft.variables, draft.parameters, message=draft.message, base=base)


def from_post(kind: str, post: Mapping[str, str]) -> Editor:
    """Read what was typed. Messages and variables beyond the most of each are left out; services check all else."""
    rows = []
    for at in range(MOST_MESSAGES if kind == Kind.CHAT else 1):
        if f"m-{at}-text" not in post:
            break
        role = post.get(f"m-{at}-role", "")
        rows.append(MessageRow(role if role in ROLES else "user", _lines(post[f"m-{at}-text"])))
    variables = []
    for at in range(MOST):
        name = post.get(f"v-{at}-name", "")
        if not name:
            break
        kind_of = post.get(f"v-{at}-type", "text")
        variables.append(
            VariableRow(
                name,
                kind_of if kind_of in TYPES else "text",
                f"v-{at}-is_required" in post,
                _lines(post.get(f"v-{at}-default", "")),
                _lines(post.get(f"v-{at}-example", "")),
                post.get(f"v-{at}-choices", ""),
            )
        )
    return Editor(
        kind,
        rows or blank(kind).messages,
        variables,
        {name: post.get(f"p-{name}", "").strip() for name in NUMBERS},
        _lines(post.get("p-more", "")),
        post.get("message", ""),
        parsing.number(post.get("base", ""), None),
        parsing.number(post.get("was", ""), None),
    )


def _lines(text: str) -> str:
    """Undo what browsers do to line ends."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _row(spec: Mapping[str, Any]) -> VariableRow:
    choices = spec.get("choices") or ""
    return VariableRow(
        str(spec.get("name", "")),
        str(spec.get("type", "text")),
        bool(spec.get("is_required", True)),
        _as_text(spec.get("default")),
        _as_text(spec.get("example")),
        ", ".join(map(_as_text, choices)) if isinstance(choices, list) else _as_text(choices),
    )


def _as_text(value: Any) -> str:
    return "" if value is None else as_text(value)


def _number(text: str) -> int | float:
    value = float(text)
    if not math.isfinite(value) or len(text) > _LONGEST_NUMBER:
        raise ValueError
    return int(text) if text.lstrip("+-").isdecimal() else value


def _value(text: str, kind: str) -> Any:
    if text == "" or (kind in {"number", "json"} and not text.strip()):
        return None
    if kind == "number":
        return _number(text.strip())
    if kind != "json":
        return text
    value = strict_json.typed(text, "it")
    if said := problem(value):
        raise BadInput(f"it {said}.")
    return value


def _choices(text: str) -> list[str]:
    """Return the choices between commas or line ends."""
    return list(dict.fromkeys(part.strip() for part in text.replace("\n", ",").split(",") if part.strip()))
