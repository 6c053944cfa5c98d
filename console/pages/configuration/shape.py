"""What a configuration file may say: one description, from which both the reader and the JSON schema are made."""

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

from console.catalog.models import Capability
from console.catalog.names import ALIAS, SLUG, kinds
from console.pages.configuration.document import Items, Mapping, Place, Problem, Scalar, Value
from console.teams.models import Role
from usage_app.models import Metric, Mode, Window

_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]*)\Z")
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


class Wrong(Exception):
    """A value is not what belongs here; carries the sentence."""


class Form(Protocol):
    def read(self, value: Value, problems: list[Problem]) -> Any: ...
    def schema(self) -> dict[str, Any]: ...


def _shown(value: Value) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, Items):
        return "a list"
    return repr(value.text) if value.type != "null" else "nothing"


@dataclass(frozen=True, slots=True)
class Text:
    """Text; numbers and words like `no` must be quoted, so that nobody wonders what was read."""

    what: str
    pattern: str = ""
    longest: int = 500

    def read(self, value: Value, problems: list[Problem]) -> str:
        if not isinstance(value, Scalar):
            raise Wrong(f"Found {_shown(value)}; write {self.what}.")
        if value.type != "str":
            hint = f", in quotes if you mean the text {value.text}" if value.type != "null" else ""
            raise Wrong(f"Found {_shown(value)}; write {self.what}{hint}.")
        if not value.text.strip() or len(value.text) > self.longest:
            raise Wrong(f"Write {self.what}, of 1 to {self.longest} characters.")
        if self.pattern and not re.fullmatch(self.pattern, value.text):
            raise Wrong(f"Found {value.text!r}; write {self.what}.")
        return value.text

    def schema(self) -> dict[str, Any]:
        made: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": self.longest}
        # A word of the pattern's own keeps a trailing line break from passing, where `$` would let it.
        return made | ({"pattern": f"^(?:{self.pattern})$"} if self.pattern else {"pattern": r"\S"})


@dataclass(frozen=True, slots=True)
class Day:
    def read(self, value: Value, problems: list[Problem]) -> dt.date:
        try:
            return dt.date.fromisoformat(value.text if isinstance(value, Scalar) else "")
        except ValueError:
            raise Wrong(f"Found {_shown(value)}; write a day such as 2026-12-31.") from None

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "date"}


@dataclass(frozen=True, slots=True)
class Moment:
    def read(self, value: Value, problems: list[Problem]) -> dt.datetime:
        try:
            moment = dt.datetime.fromisoformat(value.text if isinstance(value, Scalar) else "")
        except ValueError:
            moment = dt.datetime.min
        if moment.tzinfo is None:
            raise Wrong(f"Found {_shown(value)}; write a moment with its zone, such as 2026-12-31T00:00:00Z.")
        return moment

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "date-time"}


@dataclass(frozen=True, slots=True)
class Choice:
    values: Callable[[], list[str]]

    def read(self, value: Value, problems: list[Problem]) -> str:
        if not isinstance(value, Scalar) or value.text not in self.values():
            raise Wrong(f"Found {_shown(value)}; write one of {', '.join(self.values())}.")
        return value.text

    def schema(self) -> dict[str, Any]:
        return {"enum": self.values()}


@dataclass(frozen=True, slots=True)
class Whole:
    least: int = 1
    most: int = 100_000_000

    def read(self, value: Value, problems: list[Problem]) -> int:
        if not isinstance(value, Scalar) or value.type != "int" or not _WHOLE.match(value.text):
            raise Wrong(f"Found {_shown(value)}; write a whole number in plain digits.")
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
            raise Wrong(f"Found {_shown(value)}; write a number such as 5 or 0.15.")
        number = Decimal(value.text)
        if not 0 <= number <= self.most:
            raise Wrong(f"Found {value.text}; write a number from 0 to {self.most}.")
        if -int(number.as_tuple().exponent) > self.decimals:
            raise Wrong(f"Found {value.text}; write at most {self.decimals} decimals.")
        return number

    def schema(self) -> dict[str, Any]:
        return {"type": "number", "minimum": 0, "maximum": self.most}


@dataclass(frozen=True, slots=True)
class ListOf:
    form: Form
    what: str

    def read(self, value: Value, problems: list[Problem]) -> list[Any]:
        if not isinstance(value, Items):
            raise Wrong(f"Found {_shown(value)}; write a list of {self.what}, each line beginning with a hyphen.")
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
    """A mapping with these fields and no others. `one_of`: exactly one of the fields must be there."""

    what: str
    fields: dict[str, Field]
    one_of: bool = False
    extra: dict[str, Any] = field(default_factory=dict)

    def read(self, value: Value, problems: list[Problem]) -> Entry:
        if not isinstance(value, Mapping):
            raise Wrong(f"Found {_shown(value)}; write a mapping with {', '.join(self.fields)}.")
        values, places = {}, {}
        for name, child in value.items.items():
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


_slug = Text("a short name of lower-case letters, digits and hyphens", SLUG.pattern, 60)
_alias = Text("an alias of lower-case letters, digits, dots, hyphens and underscores", ALIAS.pattern, 100)
_model = Text("provider/name, for example openai/gpt-4o-mini", r"[a-z0-9][a-z0-9-]{0,59}/[^\s]{1,200}", 261)
_price = Number(999_999)
_description = Text("a few words", longest=300)
_PRICES = {
    "input": Field(_price, "Per million input tokens.", required=True),
    "output": Field(_price, "Per million output tokens.", required=True),
    "cached_input": Field(_price, "Per million input tokens read from the provider's cache."),
    "reasoning": Field(_price, "Per million output tokens the model thought with."),
}

PROVIDER = Record(
    "A provider",
    {
        "slug": Field(_slug, "The provider's short name; models and pins refer to it.", required=True),
        "kind": Field(Choice(kinds), "The wire format it speaks.", required=True),
        "base_url": Field(
            Text("an address such as https://api.example.com/v1", r"https?://\S+"), "Its address.", required=True
        ),
        "secret": Field(
            Record(
                "A secret",
                {
                    "env": Field(
                        Text("the name of an environment variable", r"[A-Za-z_][A-Za-z0-9_]*", 200),
                        "The environment variable to read it from when the file is applied.",
                    ),
                    "file": Field(Text("a file's path", longest=4096), "The file to read it from."),
                    "value": Field(
                        Text("the secret itself", longest=10_000), "The secret itself; env or file keep it out of here."
                    ),
                },
                one_of=True,
            ),
            "What the provider asks for. Kept encrypted, never written by export.",
        ),
    },
)
MODEL = Record(
    "A model",
    {
        "provider": Field(_slug, "The provider's short name.", required=True),
        "name": Field(Text("the model's name at the provider", r"[^\s]+", 200), "Its name there.", required=True),
        "context_tokens": Field(Whole(), "Tokens of input and output together."),
        "max_output_tokens": Field(Whole(), "The most tokens one answer may have."),
        "capabilities": Field(
            ListOf(Choice(lambda: list(Capability.values)), "capabilities"), "What it can do; chat unless given."
        ),
        "description": Field(_description, "What people read about it."),
        "shutdown_on": Field(Day(), "The day its provider switches it off."),
        "price": Field(Record("A price", _PRICES), "Currency units per million tokens, from now on."),
        "later_prices": Field(
            ListOf(
                Record("A later price", {"from": Field(Moment(), "When it begins.", required=True)} | _PRICES),
                "later prices",
            ),
            "Prices that begin later; one whose time has come counts as the price.",
        ),
    },
)
ALIAS_RECORD = Record(
    "An alias",
    {
        "name": Field(_alias, "What callers write as model.", required=True),
        "description": Field(_description, "What people read about it."),
        "production": Field(_model, "The model version it means for production keys."),
        "sandbox": Field(_model, "The model version it means for sandbox keys."),
    },
)
MEMBER = Record(
    "A member",
    {
        "email": Field(
            Text("an e-mail address", r"[^@\s]+@[^@\s]+", 254), "Who; made when nobody has the address.", required=True
        ),
        "role": Field(Choice(lambda: list(Role.values)), "What they may do in the team.", required=True),
    },
)
QUOTA = Record(
    "A quota",
    {
        "metric": Field(Choice(lambda: list(Metric.values)), "What is counted.", required=True),
        "window": Field(Choice(lambda: list(Window.values)), "Per what; every metric but concurrency needs one."),
        "limit": Field(
            Number(1_000_000_000_000), "Requests, tokens, calls at once, or currency units for cost.", required=True
        ),
        "mode": Field(Choice(lambda: list(Mode.values)), "hard refuses at the limit, soft warns; hard unless given."),
        "key": Field(Text("the name of one of the team's API keys", longest=80), "Only calls with this key."),
        "alias": Field(_alias, "Only calls of this alias."),
    },
    extra={
        "if": {"properties": {"metric": {"const": "concurrency"}}},
        "then": {"properties": {"window": False}},
        "else": {"required": ["window"]},
    },
)
TEAM = Record(
    "A team",
    {
        "slug": Field(_slug, "The team's short name.", required=True),
        "name": Field(Text("the team's name", longest=120), "Its name; the short name unless given."),
        "members": Field(ListOf(MEMBER, "members"), "People and their roles."),
        "aliases": Field(ListOf(_alias, "aliases"), "Aliases for this team; an alias no team names is for everybody."),
        "quotas": Field(ListOf(QUOTA, "quotas"), "Limits of the team."),
    },
)
FILE = Record(
    "The file",
    {
        "providers": Field(ListOf(PROVIDER, "providers"), "Upstreams that serve models."),
        "models": Field(ListOf(MODEL, "models"), "Exact models of providers, with limits and prices."),
        "aliases": Field(ListOf(ALIAS_RECORD, "aliases"), "Names callers use, and what they mean."),
        "teams": Field(ListOf(TEAM, "teams"), "Teams with their members, aliases and quotas."),
    },
)


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of a configuration file, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of a Facet installation",
    } | FILE.schema()
