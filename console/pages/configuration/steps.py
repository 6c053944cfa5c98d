"""One step of applying a file, and how it is shown."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from console.pages.configuration.document import Place

Sign = Literal["+", "~", "="]
Ref = tuple[str, str]  # what and which: ("alias", "support-chat")
_LONGEST = 160


def as_shown(value: Any) -> str:
    """Return a value as the diff writes it."""
    if value is None or value == "":
        return "none"
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
        return ", ".join(value) or "none"
    if isinstance(value, list | tuple | dict):
        return json.dumps(value, ensure_ascii=False) if value else "none"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def brief(value: Any) -> str:
    """Return a value in one line of moderate length."""
    line = " ".join(as_shown(value).split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


@dataclass(frozen=True, slots=True)
class FieldChange:
    name: str
    old: str
    new: str


@dataclass(slots=True)
class Step:
    """Create (+), change (~) or leave (=) one thing. `run` does it, by the services the pages use."""

    place: Place
    noun: str
    name: str
    sign: Sign
    fields: list[FieldChange] = field(default_factory=list)
    run: Callable[[], None] = lambda: None
    needs: frozenset[Ref] = frozenset()
    # Where in the file a field is that a service refuses; without it, at the step's own place.
    locate: Callable[[str], Place] | None = None
    # Why it is left as it is, where that is not what the file says.
    note: str = ""
    # What `run` came to know and nobody can read again, such as a secret it made.
    reveals: list[str] = field(default_factory=list)

    def where(self, param: str) -> Place:
        if self.locate is not None:
            return self.locate(param)
        return Place(f"{self.place.path}.{param}", self.place.line)

    @property
    def makes(self) -> Ref:
        return (self.noun, self.name)

    def lines(self) -> list[str]:
        head = f"{self.sign} {self.noun:<9} {self.name}" + (f"  ({self.note})" if self.note else "")
        if self.sign == "+":
            rest = ", ".join(f"{f.name} {f.new}" for f in self.fields if f.new != "none")
            return [f"{head}  ({rest})" if rest else head]
        return [head, *(f"    {f.name}: {f.old} → {f.new}" for f in self.fields)]


def differences(pairs: dict[str, tuple[Any, Any]]) -> list[FieldChange]:
    """Return the fields whose old and new value are not the same."""
    return [FieldChange(name, *_two(old, new)) for name, (old, new) in pairs.items() if old != new]


def _two(old: Any, new: Any) -> tuple[str, str]:
    """Return both in brief; when what differs is what was cut away, the new one says so."""
    was, becomes = brief(old), brief(new)
    return (was, f"{becomes} (another ending)") if was == becomes else (was, becomes)


def summary(steps: list[Step]) -> str:
    counts = {sign: sum(step.sign == sign for step in steps) for sign in "+~="}
    return f"{counts['+']} to create, {counts['~']} to change, {counts['=']} unchanged."


def drop(_: object) -> None:
    """Let go of what a service returns: a step's later neighbours find it by name."""
