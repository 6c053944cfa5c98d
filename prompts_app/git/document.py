"""One prompt's file: YAML front matter, then its text, or the messages of a chat under headings.

    ---
    kind: text
    team: support
    description: Answers customers.
    variables:
      - name: question
        type: text
    ---
    Answer {{question}} in two sentences.

The text is what stands below the second `---`, without the file's last line break, byte for byte.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from console.core.errors import Refusal
from prompts_app.errors import BadText
from prompts_app.git import front_matter, sections
from prompts_app.git.problems import Problem, Unreadable, unreadable
from prompts_app.models import Kind, Visibility
from prompts_app.text import plain
from prompts_app.text.content import ROLES

LARGEST = 2 * 1024 * 1024
_FENCE = "---\n"
_VARIABLE_FIELDS = ("name", "type", "required", "choices", "default", "example")


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says. None where it leaves something unsaid: an import then leaves it as it is."""

    kind: str
    content: list[dict[str, str]]
    description: str | None = None
    tags: list[str] | None = None
    team: str | None = None
    visibility: str | None = None
    variables: list[dict[str, Any]] = field(default_factory=list)
    parameters: dict[str, Any] = field(default_factory=dict)
    # Where things stand in the file it came from: each message's first line, and the line of each key.
    begins: list[int] = field(default_factory=list, compare=False)
    lines: dict[str, int] = field(default_factory=dict, compare=False)

    def line_of(self, refusal: Refusal) -> int:
        """Return the line of the file a refusal is about, 0 when it is about the whole."""
        if isinstance(refusal, BadText) and self.begins:
            return self.begins[refusal.message_index or 0] + refusal.line - 1
        name = (refusal.param or "").partition(".")[0].partition("[")[0]
        return self.begins[0] if name == "content" and self.begins else self.lines.get(name, 0)

    def says_the_same(self, other: "Document") -> bool:
        """Return whether a version made of one would equal a version made of the other."""
        return (self.kind, self.content, self.variables, self.parameters) == (
            other.kind,
            other.content,
            other.variables,
            other.parameters,
        )


def to_markdown(document: Document) -> str:
    """Return the file of a prompt; equal documents give equal files."""
    head: dict[str, Any] = {"kind": document.kind}
    for name in ("team", "visibility", "description", "tags"):
        value = getattr(document, name)
        if value is not None:
            head[name] = value
    if document.variables:
        head["variables"] = [_variable_out(variable) for variable in document.variables]
    if document.parameters:
        head["parameters"] = document.parameters
    body = sections.write(document.content) if document.kind == "chat" else f"{document.content[0]['text']}\n"
    return f"{_FENCE}{front_matter.write(head)}{_FENCE}{body}"


def from_markdown(text: str, *, path: str) -> Document:
    """Return what a file says; raises Unreadable with every problem of its front matter at once."""
    yaml_text, body, body_line = _apart(text, path)
    head, lines = front_matter.read(yaml_text, path=path, first_line=2)
    problems = [
        Problem(path, lines.get(name, 1), f"{name[:60]!r} is not a key here; known are {', '.join(_READERS)}.")
        for name in head
        if name not in _READERS
    ]
    said: dict[str, Any] = {}
    for name, reader in _READERS.items():
        if name in head and head[name] is not None:
            try:
                said[name] = reader(head[name])
            except ValueError as error:
                problems.append(Problem(path, lines[name], str(error)))
    if problems:
        raise Unreadable(sorted(problems, key=lambda p: p.line))
    said.setdefault("kind", "text")
    if said["kind"] == "chat":
        content, begins = sections.read(body, path=path, first_line=body_line, roles=ROLES)
    else:
        content, begins = [{"role": "", "text": body.removesuffix("\n")}], [body_line]
    return Document(content=content, begins=begins, lines=lines, **said)


def _apart(text: str, path: str) -> tuple[str, str, int]:
    """Return the front matter, the body and the line on which the body begins."""
    if not text.startswith(_FENCE):
        raise unreadable(path, 1, "The file must begin with a line --- and its front matter.")
    lines = text.split("\n")
    try:
        end = lines.index("---", 1)
    except ValueError:
        raise unreadable(path, 1, "The front matter has no end; close it with a line ---.") from None
    return "\n".join(lines[1:end]), "\n".join(lines[end + 1 :]), end + 2


def _one_of(choices: Sequence[str]) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in choices:
            raise ValueError(f"{str(value)[:60]!r} is none of {', '.join(choices)}.")
        return str(value)

    return read


def _text(longest: int) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError(f"{str(value)[:60]!r} must be text; put it in quotes.")
        if len(value) > longest:
            raise ValueError(f"This has {len(value):,} characters; {longest:,} is the most.")
        if said := plain.problem(value):
            raise ValueError(f"This {said}.")
        return value

    return read


def _tags(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(tag, str) for tag in value):
        raise ValueError("tags must be a list of texts.")
    return value


def _parameters(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("parameters must be a mapping, like `temperature: 0.2`.")
    return value


def _variables(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        raise ValueError("variables must be a list, each with a name and a type.")
    return [_variable_in(one, place) for place, one in enumerate(value, 1)]


def _variable_in(value: Any, place: int) -> dict[str, Any]:
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        raise ValueError(f"Variable {place} needs a name.")
    unknown = [name for name in value if name not in _VARIABLE_FIELDS]
    if unknown:
        raise ValueError(f"{unknown[0][:60]!r} is not a field of a variable; known are {', '.join(_VARIABLE_FIELDS)}.")
    return {
        "name": value["name"],
        "type": value.get("type", "text"),
        "is_required": value.get("required", True),
        "choices": value.get("choices") or [],
        "default": value.get("default"),
        "example": value.get("example"),
    }


def _variable_out(variable: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"name": variable["name"], "type": variable["type"]}
    if not variable.get("is_required", True):
        found["required"] = False
    for name in ("choices", "default", "example"):
        if variable.get(name) not in (None, []):
            found[name] = variable[name]
    return found


_READERS: dict[str, Callable[[Any], Any]] = {
    "kind": _one_of(Kind.values),
    "team": _text(60),
    "visibility": _one_of(Visibility.values),
    "description": _text(300),
    "tags": _tags,
    "variables": _variables,
    "parameters": _parameters,
}
