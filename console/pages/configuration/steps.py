"""One step of applying a file, and how it is shown."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from console.pages.configuration.document import Place

Sign = Literal["+", "~", "="]
Ref = tuple[str, str]  # what and which: ("alias", "support-chat")


def shown(value: Any) -> str:
    """Return a value as the diff writes it."""
    if value is None or value == "":
        return "none"
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, list | tuple):
        return ", ".join(str(v) for v in value) or "none"
    return str(value)


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

    @property
    def makes(self) -> Ref:
        return (self.noun, self.name)

    def lines(self) -> list[str]:
        head = f"{self.sign} {self.noun:<9} {self.name}"
        if self.sign == "+":
            rest = ", ".join(f"{f.name} {f.new}" for f in self.fields if f.new != "none")
            return [f"{head}  ({rest})" if rest else head]
        return [head, *(f"    {f.name}: {f.old} → {f.new}" for f in self.fields)]


def differences(pairs: dict[str, tuple[Any, Any]]) -> list[FieldChange]:
    """Return the fields whose old and new value are not the same."""
    return [FieldChange(name, shown(old), shown(new)) for name, (old, new) in pairs.items() if old != new]


def summary(steps: list[Step]) -> str:
    counts = {sign: sum(step.sign == sign for step in steps) for sign in "+~="}
    return f"{counts['+']} to create, {counts['~']} to change, {counts['=']} unchanged."


def drop(_: object) -> None:
    """Let go of what a service returns: a step's later neighbours find it by name."""
