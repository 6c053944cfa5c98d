"""Free-form JSON values that a configuration file passes on, such as schemas and tool configurations."""

import math
import re
from dataclasses import dataclass
from typing import Any

from console.pages.configuration.document import Items, Mapping, Place, Problem, Scalar, Value
from console.pages.configuration.forms import Wrong

_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,299})\Z")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?\Z")


@dataclass(frozen=True, slots=True)
class Given:
    """A value that was understood, and where its parts stand."""

    value: Any
    source: Value

    def find(self, path: str) -> Place:
        """Return where `0.arguments.sum` stands, as deep as the file has it."""
        found = self.source
        for name in path.split("."):
            child: Value | None = None
            if isinstance(found, Mapping):
                child = found.items.get(name)
            elif isinstance(found, Items) and name.isdigit() and int(name) < len(found.items):
                child = found.items[int(name)]
            if child is None:
                break
            found = child
        return found.place


def plain(value: Any) -> Any:
    """Return what a form read as services take it: a `Given` without the places of its parts."""
    return value.value if isinstance(value, Given) else value


@dataclass(frozen=True, slots=True)
class Free:
    """JSON: `object`, `array` or `any`. Words and numbers other readers would take otherwise must be quoted."""

    what: str
    kind: str = "object"

    def read(self, value: Value, problems: list[Problem]) -> Given:
        wanted = {"object": Mapping, "array": Items}.get(self.kind)
        if wanted is not None and not isinstance(value, wanted):
            raise Wrong(f"Write {self.what}.")
        return Given(_json(value, problems), value)

    def schema(self) -> dict[str, Any]:
        return {} if self.kind == "any" else {"type": self.kind}


def _json(value: Value, problems: list[Problem]) -> Any:
    if isinstance(value, Mapping):
        return {name: _json(child, problems) for name, child in value.items.items()}
    if isinstance(value, Items):
        return [_json(child, problems) for child in value.items]
    return _scalar(value, problems)


def _scalar(value: Scalar, problems: list[Problem]) -> Any:
    text = value.text
    if value.type == "str":
        return text
    if value.type == "null":
        return None
    if value.type == "bool" and text in {"true", "false"}:
        return text == "true"
    if value.type == "int" and _WHOLE.match(text):
        return int(text)
    if value.type == "float" and _NUMBER.match(text) and math.isfinite(float(text)):
        return float(text)
    problems.append(
        Problem(value.place, f"Found {text!r}; write true, false or a number in plain digits, or quote the text.")
    )
    return text
