"""The fields of an agent template."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


def flowing(text: str) -> str:
    """Return a text as it is read: a line continues until a blank one or the next point of a list."""
    return re.sub(r"(?<!\n)\n(?!\n|- ) *", " ", text)


@dataclass(frozen=True, slots=True)
class ToolNeed:
    """A tool the agent counts on: of a built-in `kind`, and made with the agent, or the team's to make.

    `description`, `effect` and `parameters` are what such a tool begins with.
    """

    slug: str
    sentence: str
    kind: str = ""
    name: str = ""
    description: str = ""
    effect: str = ""
    parameters: Mapping[str, Any] | None = None
    calls_alias: bool = False  # its configuration names the agent's alias
    grant: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Template:
    slug: str
    name: str
    icon: str
    sentence: str
    description: str
    instructions: str
    tools: tuple[ToolNeed, ...]
    limits: Mapping[str, int]
    output_schema: Mapping[str, Any]
    input_schema: Mapping[str, Any] | None = None

    @property
    def grants(self) -> list[dict[str, Any]]:
        return [{"tool": need.slug, **need.grant} for need in self.tools]
