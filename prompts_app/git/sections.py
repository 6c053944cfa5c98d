r"""The messages of a chat in one text: each under a line `# [role]`, whatever the messages themselves say.

A line of a message that looks like such a heading gets a backslash in front, and so does one that looks like it with
backslashes already, so that every text comes back byte for byte.
"""

import re
from collections.abc import Iterable, Mapping

from prompts_app.git.problems import unreadable

_HEADING = re.compile(r"# \[([^\]\n]*)\]\Z")
_TO_ESCAPE = re.compile(r"^(?=\\*# \[[^\]\n]*\]$)", re.MULTILINE)
_ESCAPED = re.compile(r"^\\(?=\\*# \[[^\]\n]*\]$)", re.MULTILINE)


def write(messages: Iterable[Mapping[str, str]]) -> str:
    r"""Return one text; the messages are apart by a blank line that belongs to none of them."""
    return "\n".join(f"# [{m['role']}]\n{_TO_ESCAPE.sub(_backslash, m['text'])}\n" for m in messages)


def _backslash(_: re.Match[str]) -> str:
    return "\\"


def read(body: str, *, path: str, first_line: int, roles: Iterable[str]) -> tuple[list[dict[str, str]], list[int]]:
    """Return the messages and the line each begins on.

    Names the line of a heading that is none of `roles`, or of text before the first one.
    """
    found: list[tuple[str, list[str]]] = []
    begins: list[int] = []
    for number, line in enumerate(body.split("\n"), first_line):
        heading = _HEADING.match(line)
        if heading is None:
            if found:
                found[-1][1].append(line)
            elif line.strip():
                raise unreadable(path, number, f"A chat begins with a line like `# [{next(iter(roles))}]`.")
        elif heading[1] not in roles:
            raise unreadable(
                path,
                number,
                f"{heading[1][:40]!r} is not a role; write {', '.join(roles)}, or a backslash before the # "
                "if this line belongs to the text.",
            )
        else:
            found.append((heading[1], []))
            begins.append(number + 1)
    # One line break stands after each message: the blank line before the next heading, or the end of the file.
    texts = [(role, _ESCAPED.sub("", "\n".join(lines).removesuffix("\n"))) for role, lines in found]
    return [{"role": role, "text": text} for role, text in texts], begins
