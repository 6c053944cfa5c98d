"""Forms of values in a configuration file: each parses one, refuses it in a sentence, and has a JSON schema."""

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

from console.catalog.parameters import KNOWN, check_parameters
from console.core.errors import BadInput
from console.pages.configuration.document import Items, Mapping, Place, Problem, Scalar, Value

_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,17})\Z")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?\Z")


@dataclass(frozen=True, slots=True)
class Entry:
    """One mapping of the file, checked: values by name, and where they stand."""

    place: Place
    values: dict[str, Any]
    places: dict[str, Place]

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def get(self, name: str, default: Any = None) -> Any:
        return self.values.get(name, default)

    def has(self, name: str) -> bool:
        return name in self.values

    def at(self, name: str) -> Place:
        return self.places.get(name, self.place)

    def find(self, path: str) -> Place:
        """Return where `limits.steps` of this mapping stands, as deep as the file has it."""
        name, _, rest = path.partition(".")
        if name not in self.places:
            return Place(f"{self.place.path}.{path}" if self.place.path else path, self.place.line)
        value = self.values.get(name)
        inner = getattr(value, "find", None) if rest and not isinstance(value, str) else None
        found: Place = inner(rest) if inner is not None else self.places[name]
        return found

    def in_list(self, field: str, param: str) -> Place:
        """Return where `checks[0].value`, or only `0`, of a list of this mapping stands."""
        number, _, inner = param.removeprefix(field).lstrip("[").partition("]")
        items = self.get(field, [])
        if number.isdigit() and int(number) < len(items):
            one: Entry = items[int(number)]
            return one.find(inner.lstrip(".")) if inner.lstrip(".") else one.place
        return self.at(field)


class Wrong(Exception):
    """A value is not what belongs here; carries the sentence."""


class Form(Protocol):
    def read(self, value: Value, problems: list[Problem]) -> Any: ...
    def schema(self) -> dict[str, Any]: ...


def _described(value: Value, *, is_secret: bool = False) -> str:
    """Return what was found. Where a secret belongs, a text may be one: it is not repeated."""
    if isinstance(value, Scalar) and is_secret:
        return "a text"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, Items):
        return "a list"
    return repr(value.text[:200]) if value.type != "null" else "nothing"


@dataclass(frozen=True, slots=True)
class Text:
    """Text; numbers and words like `no` must be quoted, so that nobody wonders what was read."""

    what: str
    pattern: str = ""
    longest: int = 500
    is_secret: bool = False
    may_be_empty: bool = False
    may_be_blank: bool = False

    def read(self, value: Value, problems: list[Problem]) -> str:
        if not isinstance(value, Scalar):
            raise Wrong(f"Found {_described(value)}; write {self.what}.")
        if value.type != "str" and self.is_secret:
            raise Wrong(f"Write {self.what}, in quotes if it reads as a number.")
        if value.type != "str":
            hint = f", in quotes if you mean the text {value.text}" if value.type != "null" else ""
            raise Wrong(f"Found {_described(value)}; write {self.what}{hint}.")
        is_blank = not (value.text if self.may_be_blank else value.text.strip()) and not self.may_be_empty
        if is_blank or len(value.text) > self.longest:
            raise Wrong(f"Write {self.what}, of {0 if self.may_be_empty else 1} to {self.longest} characters.")
        if self.pattern and not re.fullmatch(self.pattern, value.text):
            raise Wrong(f"Write {self.what}." if self.is_secret else f"Found {value.text!r}; write {self.what}.")
        return value.text

    def schema(self) -> dict[str, Any]:
        if self.may_be_empty:
            return {"type": "string", "maxLength": self.longest}
        made: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": self.longest}
        if self.may_be_blank:
            return made
        # A word of the pattern's own keeps a trailing line break from passing, where `$` would let it.
        return made | ({"pattern": f"^(?:{self.pattern})$"} if self.pattern else {"pattern": r"\S"})


@dataclass(frozen=True, slots=True)
class Day:
    def read(self, value: Value, problems: list[Problem]) -> dt.date:
        try:
            return dt.date.fromisoformat(value.text if isinstance(value, Scalar) else "")
        except ValueError:
            raise Wrong(f"Found {_described(value)}; write a day such as 2026-12-31.") from None

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "date"}


@dataclass(frozen=True, slots=True)
class Moment:
    def read(self, value: Value, problems: list[Problem]) -> dt.datetime:
        try:
            moment = dt.datetime.fromisoformat(value.text if isinstance(value, Scalar) else "")
        except ValueError:
            moment = dt.datetime.min
        if moment.tzinfo is None or not 1970 <= moment.year < 9999:
            raise Wrong(f"Found {_described(value)}; write a moment with its zone, such as 2026-12-31T00:00:00Z.")
        return moment

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "date-time"}


@dataclass(frozen=True, slots=True)
class Choice:
    values: Callable[[], list[str]]

    def read(self, value: Value, problems: list[Problem]) -> str:
        if not isinstance(value, Scalar) or value.text not in self.values():
            raise Wrong(f"Found {_described(value)}; write one of {', '.join(self.values())}.")
        return value.text

    def schema(self) -> dict[str, Any]:
        return {"enum": self.values()}


@dataclass(frozen=True, slots=True)
class Flag:
    def read(self, value: Value, problems: list[Problem]) -> bool:
        if not isinstance(value, Scalar) or value.type != "bool" or value.text not in {"true", "false"}:
            raise Wrong(f"Found {_described(value)}; write true or false.")
        return value.text == "true"

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class OrNone:
    """Another form, or the word none, which takes away what is there."""

    form: Form

    def read(self, value: Value, problems: list[Problem]) -> Any:
        if isinstance(value, Scalar) and value.type == "str" and value.text == "none":
            return None
        return self.form.read(value, problems)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [{"const": "none"}, self.form.schema()]}


@dataclass(frozen=True, slots=True)
class Whole:
    least: int = 1
    most: int = 100_000_000

    def read(self, value: Value, problems: list[Problem]) -> int:
        if not isinstance(value, Scalar) or value.type != "int" or not _WHOLE.match(value.text):
            raise Wrong(f"Found {_described(value)}; write a whole number in plain digits.")
        if not self.least <= int(value.text) <= self.most:
            raise Wrong(f"Found {value.text}; write a whole number from {self.least} to {self.most}.")
        return int(value.text)

    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


@dataclass(frozen=True, slots=True)
class Number:
    most: int
    decimals: int = 6

    def read(self, value: Value, problems: list[Problem]) -> Decimal:
        if not isinstance(value, Scalar) or value.type not in {"int", "float"} or not _NUMBER.match(value.text):
            raise Wrong(f"Found {_described(value)}; write a number such as 5 or 0.15.")
        number = Decimal(value.text)
        if not 0 <= number <= self.most:
            raise Wrong(f"Found {value.text}; write a number from 0 to {self.most}.")
        if -int(number.as_tuple().exponent) > self.decimals:
            raise Wrong(f"Found {value.text}; write at most {self.decimals} decimals.")
        return number

    def schema(self) -> dict[str, Any]:
        return {"type": "number", "minimum": 0, "maximum": self.most}


@dataclass(frozen=True, slots=True)
class CallParameter:
    """The value of a parameter of calls, such as temperature."""

    name: str

    def read(self, value: Value, problems: list[Problem]) -> float | int | str:
        known, text = KNOWN[self.name], value.text if isinstance(value, Scalar) else ""
        if known.choices:
            return Choice(lambda: list(known.choices)).read(value, problems)
        if not isinstance(value, Scalar) or value.type not in {"int", "float"} or not _NUMBER.match(text):
            raise Wrong(f"Found {_described(value)}; write a number such as {known.low if known.is_whole else 0.5}.")
        number = float(text)
        found = int(number) if number == int(number) else number
        try:
            check_parameters({self.name: found}, {})
        except BadInput as refusal:
            raise Wrong(refusal.message) from None
        return found

    def schema(self) -> dict[str, Any]:
        known = KNOWN[self.name]
        if known.choices:
            return {"enum": list(known.choices)}
        return {"type": "integer" if known.is_whole else "number", "minimum": known.low, "maximum": known.high}


@dataclass(frozen=True, slots=True)
class ListOf:
    form: Form
    what: str

    def read(self, value: Value, problems: list[Problem]) -> list[Any]:
        if not isinstance(value, Items):
            raise Wrong(f"Found {_described(value)}; write a list of {self.what}, each line beginning with a hyphen.")
        found = []
        for child in value.items:
            try:
                found.append(self.form.read(child, problems))
            except Wrong as wrong:
                problems.append(Problem(child.place, str(wrong)))
        return found

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": self.form.schema()}


@dataclass(frozen=True, slots=True)
class Field:
    form: Form
    about: str
    required: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """A mapping with these fields and no others. `one_of`: exactly one of the fields must be there.

    `is_secret`: what stands in its place, or as the name of a field, may be a secret and is not repeated.
    """

    what: str
    fields: dict[str, Field]
    one_of: bool = False
    extra: dict[str, Any] = field(default_factory=dict)
    is_secret: bool = False

    def read(self, value: Value, problems: list[Problem]) -> Entry:
        if not isinstance(value, Mapping):
            found = _described(value, is_secret=self.is_secret)
            raise Wrong(f"Found {found}; write a mapping with {', '.join(self.fields)}.")
        values, places = {}, {}
        for name, child in value.items.items():
            if name not in self.fields and self.is_secret:
                problems.append(Problem(value.place, f"{self.what} has another field than {', '.join(self.fields)}."))
                continue
            if name not in self.fields:
                problems.append(
                    Problem(child.place, f"{self.what} has no field {name!r}; it has {', '.join(self.fields)}.")
                )
                continue
            places[name] = child.place
            if isinstance(child, Items):
                places |= {f"{name}[{n}]": item.place for n, item in enumerate(child.items)}
            try:
                values[name] = self.fields[name].form.read(child, problems)
            except Wrong as wrong:
                problems.append(Problem(child.place, str(wrong)))
        for name, one in self.fields.items():
            if one.required and name not in value.items:
                problems.append(Problem(value.place, f"{self.what} needs {name}: {one.about}"))
        if self.one_of and len([n for n in value.items if n in self.fields]) != 1:
            problems.append(Problem(value.place, f"Write exactly one of {', '.join(self.fields)}."))
        return Entry(value.place, values, places)

    def schema(self) -> dict[str, Any]:
        made: dict[str, Any] = {
            "type": "object",
            "additionalProperties": False,
            "properties": {n: {"description": f.about} | f.form.schema() for n, f in self.fields.items()},
        }
        required = [name for name, one in self.fields.items() if one.required]
        if required:
            made["required"] = required
        if self.one_of:
            made |= {"minProperties": 1, "maxProperties": 1}
        return made | self.extra
