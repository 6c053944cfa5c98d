"""The YAML on top of a prompt's file: plain values only, read strictly, written the same way every time.

Values mean what they mean in JSON. The usual YAML reader would take `no` for false, `1:30` for ninety and `2026-01-01`
for a date, would keep the last of two equal keys, and would let ten lines stand for gigabytes.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

import yaml

from prompts_app.git.problems import Unreadable, unreadable

_DEEPEST = 40  # a prompt's values nest 32, and stand up to three deep in a file
# Of a file. What may be declared of variables comes to fewer.
_MOST_VALUES = 120_000
_TAG = "tag:yaml.org,2002:"
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?\Z")
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)\Z")
_BREAK = re.compile("[\n\r\x85\u2028\u2029]")  # what YAML takes for the end of a line
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "~": None, "": None}


class _Reader(yaml.SafeLoader):
    """Reads every plain word as text; `_scalar` decides what it is."""

    yaml_implicit_resolvers: dict[str, Any] = {}


class _Writer(yaml.SafeDumper):
    """Indents lists under their key, and writes no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _write_text(writer: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # Texts with line breaks, or which this module's reader would take for something else, stand in double quotes.
    plain = not _BREAK.search(text) and text not in _WORDS and not _NUMBER.match(text)
    return writer.represent_scalar(f"{_TAG}str", text, style=None if plain else '"')


def _write_number(writer: yaml.SafeDumper, number: float) -> yaml.ScalarNode:
    return writer.represent_scalar(f"{_TAG}float", json.dumps(number, allow_nan=False))


_Writer.add_representer(str, _write_text)
_Writer.add_representer(float, _write_number)
# The writer asks these whether a number may stand without a tag.
_Writer.add_implicit_resolver(f"{_TAG}float", _NUMBER, list("-0123456789"))


def write(values: Mapping[str, Any]) -> str:
    """Return the YAML of a mapping, its keys in the order given."""
    return yaml.dump(
        dict(values), Dumper=_Writer, sort_keys=False, allow_unicode=True, width=1_000_000, default_flow_style=False
    )


def read(text: str, *, path: str, first_line: int) -> tuple[dict[str, Any], dict[str, int]]:
    """Return the mapping, and the line in the file on which each of its keys stands."""
    depth = values = 0
    try:
        for event in yaml.parse(text, Loader=_Reader):
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                raise unreadable(path, _line(event, first_line), "Anchors and aliases are not read; write it out.")
            # As early as this: each further level makes every word after it dearer to read.
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST + 1:
                raise _too_deep(path, _line(event, first_line))
            values += isinstance(event, yaml.NodeEvent)
            if values > _MOST_VALUES:
                raise unreadable(path, _line(event, first_line), "The front matter holds too many values.")
        documents = list(yaml.compose_all(text, Loader=_Reader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = first_line + mark.line if mark else first_line
        raise unreadable(path, line, f"This is not YAML: {error.problem or error.context}.") from None
    except (yaml.YAMLError, RecursionError):
        raise unreadable(path, first_line, "This is not YAML, or is nested too deep.") from None
    if not documents or documents[0] is None:
        return {}, {}
    top = documents[0]
    if len(documents) > 1 or not isinstance(top, yaml.MappingNode):
        raise unreadable(path, first_line, "The front matter must be one mapping, like `kind: text`.")
    reading = _Reading(path, first_line)
    return reading.value(top, 0), {str(key.value): _line(key, first_line) for key, _ in top.value}


def _too_deep(path: str, line: int) -> Unreadable:
    return unreadable(path, line, "The front matter is nested too deep.")


def _line(at: Any, first_line: int) -> int:
    return first_line + (at.start_mark.line if at.start_mark else 0)


class _Reading:
    """One file being read; knows where it is for its errors."""

    def __init__(self, path: str, first_line: int) -> None:
        self.path, self.first_line = path, first_line

    def value(self, node: yaml.Node, depth: int) -> Any:
        line = _line(node, self.first_line)
        if depth > _DEEPEST:
            raise _too_deep(self.path, line)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, depth)
        if isinstance(node, yaml.SequenceNode):
            self._no_tag(node, "seq")
            return [self.value(child, depth + 1) for child in node.value]
        self._no_tag(node, "str")
        return self._scalar(node, line)

    def _no_tag(self, node: yaml.Node, usual: str) -> None:
        if node.tag != f"{_TAG}{usual}":
            line = _line(node, self.first_line)
            raise unreadable(self.path, line, f"The tag {node.tag[:60]} has no meaning here; write a plain value.")

    def _mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Any]:
        self._no_tag(node, "map")
        found: dict[str, Any] = {}
        for key, child in node.value:
            line = _line(key, self.first_line)
            if not isinstance(key, yaml.ScalarNode):
                raise unreadable(self.path, line, "A key must be a word.")
            self._no_tag(key, "str")
            if key.value in found:
                raise unreadable(self.path, line, f"{key.value[:60]!r} is here twice.")
            found[key.value] = self.value(child, depth + 1)
        return found

    def _scalar(self, node: yaml.Node, line: int) -> Any:
        text: str = node.value
        if isinstance(node, yaml.ScalarNode) and node.style is not None:  # quoted, or a block: always text
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _INTEGER.match(text):
            if len(text) > 300:
                raise unreadable(self.path, line, "This number is too long.")
            return int(text)
        if not _NUMBER.match(text):
            return text
        number = float(text)
        if not math.isfinite(number):
            raise unreadable(self.path, line, f"{text[:60]} is too large a number.")
        return number
