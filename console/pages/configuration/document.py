"""Read a YAML file so that every value knows its line, and nothing is taken for what it is not.

The safe loader alone would lose lines, keep the last of two equal keys, read `no` as false and `010` as eight.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

LARGEST = 8 * 1024 * 1024
_DEEPEST = 40  # JSON nests 32 wherever it is taken, and stands up to eight deep in a file
_TAG = "tag:yaml.org,2002:"
# What YAML can spell and no database keeps: NUL, and halves of surrogate pairs.
_NO_TEXT = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is in a file: `teams[0].quotas[1].limit`, line 12."""

    path: str
    line: int

    def of(self, name: str) -> "Place":
        return Place(f"{self.path}.{name}" if self.path else name, self.line)


@dataclass(frozen=True, slots=True)
class Problem:
    place: Place
    sentence: str

    def __str__(self) -> str:
        where = f"line {self.place.line}" if self.place.line else ""
        return ": ".join(part for part in (where, self.place.path, self.sentence) if part)


class Unusable(Exception):
    """A file with problems, all of them at once, in the order of the file."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(problems, key=lambda p: p.place.line)
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value as it was written; `type` is str, int, float, bool or null."""

    place: Place
    type: str
    text: str


@dataclass(frozen=True, slots=True)
class Items:
    place: Place
    items: list["Value"]


@dataclass(frozen=True, slots=True)
class Mapping:
    place: Place
    items: dict[str, "Value"] = field(default_factory=dict)


Value = Scalar | Items | Mapping


class _Loader(yaml.SafeLoader):
    """Takes no alias: it stands for its anchor's whole content, so a few lines could stand for gigabytes."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise Unusable([Problem(Place("", line), f"*{event.anchor} repeats another place; write it out here.")])
        return super().compose_node(parent, index)


def read(text: str) -> tuple[Mapping, list[Problem]]:
    """Return the file's mapping and what is wrong with its form; Unusable when there is nothing to continue with."""
    top = Place("", 1)
    if len(text.encode()) > LARGEST:
        raise Unusable([Problem(top, "The file is larger than 8 MiB.")])
    try:
        documents = list(yaml.compose_all(text, Loader=_Loader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        words = " ".join(part for part in (error.context, error.problem) if part)
        raise Unusable([Problem(Place("", mark.line + 1 if mark else 1), f"This is not YAML: {words}.")]) from None
    except yaml.YAMLError:
        raise Unusable([Problem(top, "This is not YAML: it holds characters that are not allowed.")]) from None
    except RecursionError:
        raise Unusable([Problem(top, "The file is nested too deep.")]) from None
    if len(documents) > 1:
        line = documents[1].start_mark.line + 1
        raise Unusable([Problem(Place("", line), "A second document begins here; write one document per file.")])
    if not documents or documents[0] is None:
        return Mapping(top), []
    problems: list[Problem] = []
    value = _value(documents[0], "", problems, 0)
    if not isinstance(value, Mapping):
        raise Unusable([Problem(top, "The top of the file must be a mapping: providers, models, aliases, teams.")])
    return value, problems


def _value(node: yaml.Node, path: str, problems: list[Problem], depth: int) -> Value:
    place = Place(path, node.start_mark.line + 1)
    if depth > _DEEPEST:
        raise Unusable([Problem(place, "The file is nested too deep.")])
    if isinstance(node, yaml.MappingNode):
        items: dict[str, Value] = {}
        for name, key, child in _pairs(node):
            if found := _NO_TEXT.search(name):
                problems.append(Problem(place, f"A name here {_no_text(found)}"))
                continue
            here = place.of(name)
            if name in items:
                line = key.start_mark.line + 1
                problems.append(
                    Problem(Place(here.path, line), f"{name!r} is here twice, first in line {items[name].place.line}.")
                )
                continue
            items[name] = _value(child, here.path, problems, depth + 1)
        return Mapping(place, items)
    if isinstance(node, yaml.SequenceNode):
        return Items(place, [_value(child, f"{path}[{n}]", problems, depth + 1) for n, child in enumerate(node.value)])
    kind = node.tag.removeprefix(_TAG)
    if kind == "timestamp":
        kind = "str"
    if kind not in {"str", "int", "float", "bool", "null"}:
        problems.append(Problem(place, f"The tag {node.tag} has no meaning here; write plain text."))
        kind = "str"
    if found := _NO_TEXT.search(node.value):
        problems.append(Problem(place, f"This {_no_text(found)}"))
    return Scalar(place, kind, _NO_TEXT.sub("\ufffd", node.value))  # so that whoever compares can continue


def _no_text(found: re.Match[str]) -> str:
    return f"holds a character that is no text (U+{ord(found[0]):04X})."


def _pairs(node: yaml.MappingNode) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
    for key, child in node.value:
        yield str(key.value) if isinstance(key, yaml.ScalarNode) else "?", key, child


def plain(value: Value) -> Any:
    """Return what any other YAML reader would see, for the JSON schema."""
    if isinstance(value, Mapping):
        return {name: plain(child) for name, child in value.items.items()}
    if isinstance(value, Items):
        return [plain(child) for child in value.items]
    return yaml.safe_load(value.text) if value.type != "str" else value.text
