"""The content of a version: a text, or the messages of a chat, validated before it is stored."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from console.core.errors import BadInput
from prompts_app.errors import BadText
from prompts_app.text.parse import Node, includes_in, parse, variables_in
from prompts_app.text.refs import Ref

ROLES = ("system", "user", "assistant")
MOST_MESSAGES, MOST_INCLUDES = 50, 100
Content = list[dict[str, str]]
_NOT_TEXT = re.compile("[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class Read(NamedTuple):
    """A content that was checked and read: as it is kept, and what it names."""

    content: Content
    parts: tuple[tuple[str, tuple[Node, ...]], ...]  # (role, nodes)
    variables: list[str]
    includes: list[Ref]


def _check_text(text: Any, place: int | None) -> str:
    if not isinstance(text, str):
        raise BadInput("Each message needs a text.", param="content")
    plain: str = text.replace("\r\n", "\n").replace("\r", "\n")
    if found := _NOT_TEXT.search(plain):
        at = found.start()
        raise BadText(
            f"there is a character that is not text (U+{ord(found[0]):04X}); is this a binary file?",
            line=plain.count("\n", 0, at) + 1,
            column=at - plain.rfind("\n", 0, at),
            message_index=place,
        )
    return plain


def _parts(content: Any, kind: str) -> list[tuple[str, Any]]:
    if not isinstance(content, Sequence) or isinstance(content, str) or not all(isinstance(m, dict) for m in content):
        raise BadInput("content is a list of objects with role and text.", param="content")
    for place, message in enumerate(content):
        unknown = sorted(set(message) - {"role", "text"})
        if unknown:
            raise BadInput(f"{unknown[0][:60]!r} is not a field of a message.", param=f"content[{place}]")
    if kind != "chat":
        if len(content) != 1:
            raise BadInput(f"A {kind} prompt has exactly one text; this has {len(content)}.", param="content")
        return [("", content[0].get("text"))]
    if not 1 <= len(content) <= MOST_MESSAGES:
        raise BadInput(f"A chat has 1 to {MOST_MESSAGES} messages; this has {len(content)}.", param="content")
    for place, message in enumerate(content):
        if message.get("role") not in ROLES:
            raise BadInput(f"role must be one of {', '.join(ROLES)}.", param=f"content[{place}].role")
    return [(message["role"], message.get("text")) for message in content]


def read_content(content: Any, kind: str, *, limit: int) -> Read:
    """Check and read a content; raises what is wrong with its place."""
    kept: Content = []
    parts: list[tuple[str, tuple[Node, ...]]] = []
    is_chat = kind == "chat"
    given = _parts(content, kind)
    # Before anything reads it: what is too long costs nothing.
    size = sum(len(raw) - raw.count("\r\n") for _, raw in given if isinstance(raw, str))
    if size > limit:
        raise BadInput(f"The text has {size:,} characters; {limit:,} is the most.", param="content")
    for place, (role, raw) in enumerate(given):
        text = _check_text(raw, place if is_chat else None)
        try:
            nodes = parse(text)
        except BadText as error:
            if not is_chat:
                raise
            raise BadText(error.what, line=error.line, column=error.column, message_index=place) from None
        kept.append({"role": role, "text": text})
        parts.append((role, nodes))
    if not any(message["text"].strip() for message in kept):
        raise BadInput("The text is empty; write what the model should be told.", param="content")
    nodes = tuple(node for _, some in parts for node in some)
    includes = includes_in(nodes)
    if len(includes) > MOST_INCLUDES:
        raise BadInput(f"A text names at most {MOST_INCLUDES} partials; this names {len(includes)}.", param="content")
    return Read(kept, tuple(parts), variables_in(nodes), includes)
