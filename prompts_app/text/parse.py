r"""From text to nodes. Two forms only: `{{variable}}` and `{{> partial}}`; `\{{` writes the braces themselves."""

import re
from dataclasses import dataclass

from prompts_app.errors import BadText
from prompts_app.text.refs import Ref, parse_ref

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,59}")
_OPENING = re.compile(r"\\\{\{|\{\{")
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Literal:
    text: str


@dataclass(frozen=True, slots=True)
class Variable:
    name: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Include:
    """A partial; without number and label it follows the environment, like every ref."""

    slug: str
    number: int | None
    label: str | None
    line: int
    column: int

    @property
    def ref(self) -> Ref:
        return Ref(self.slug, self.number, self.label)


Node = Literal | Variable | Include


def _form(inside: str, line: int, column: int) -> Variable | Include:
    text = inside.strip(" \t")
    if text.startswith(">"):
        ref = parse_ref(text[1:].strip(" \t"))
        if ref is None:
            raise BadText(
                f"{{{{{inside[:_SHOWN]}}}}} does not name a partial; write {{{{> folder/name}}}}, "
                "{{> folder/name@7}} or {{> folder/name:label}}.",
                line=line,
                column=column,
            )
        return Include(*ref, line, column)
    if not NAME.fullmatch(text):
        raise BadText(
            f"{{{{{inside[:_SHOWN]}}}}} is neither a variable nor a partial; a variable has letters, digits and "
            r"underscores. To write the braces themselves, put \ before them.",
            line=line,
            column=column,
        )
    return Variable(text, line, column)


def parse(text: str) -> tuple[Node, ...]:
    """Return the nodes of a text, or raise BadText at the first place that is neither text nor one of the two forms."""
    nodes: list[Node] = []
    literal: list[str] = []
    at = 0
    # Lines are counted on from the last form, not from the beginning, which a text of many forms would pay for dearly.
    line, line_start, counted = 1, 0, 0
    while opening := _OPENING.search(text, at):
        literal.append(text[at : opening.start()])
        if opening[0] != "{{":
            literal.append("{{")
            at = opening.end()
            continue
        if lines := text.count("\n", counted, opening.start()):
            line += lines
            line_start = text.rfind("\n", counted, opening.start()) + 1
        counted = opening.start()
        column = counted - line_start + 1
        end = text.find("}}", opening.end())
        inside = text[opening.end() : end]
        if end < 0 or "\n" in inside:
            raise BadText(
                r"{{ is not closed on its line; write }} after the name, or \{{ for the braces themselves.",
                line=line,
                column=column,
            )
        if shown := "".join(literal):
            nodes.append(Literal(shown))
        literal.clear()
        nodes.append(_form(inside, line, column))
        at = end + 2
    if shown := "".join((*literal, text[at:])):
        nodes.append(Literal(shown))
    return tuple(nodes)


def variables_in(nodes: tuple[Node, ...]) -> list[str]:
    """Return the names of the variables, each once, in the order they appear."""
    return list(dict.fromkeys(node.name for node in nodes if isinstance(node, Variable)))


def includes_in(nodes: tuple[Node, ...]) -> list[Ref]:
    """Return the partials a text names, each once, in the order they appear."""
    return list(dict.fromkeys(node.ref for node in nodes if isinstance(node, Include)))
