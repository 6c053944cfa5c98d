"""Author, date and message of a commit, from a version and back."""

import datetime as dt
import re

from dulwich.objects import Commit

from console.core.clock import now
from prompts_app.models import PromptVersion

HOUSE = b"Facet <facet@localhost>"
_LONGEST_MESSAGE = 500
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")  # all but tabs and line breaks
_TRAILER = re.compile(r"Prompt: \S+@[0-9]+")
_ENCODING = re.compile(
    r"utf-?8|(?:us-)?ascii|latin-?1|(?:iso-?8859-|windows-|cp)\d{1,4}|koi8-[ru]|euc-(?:jp|kr)|shift_jis|gb18030"
)


def person(name: str, email: str) -> bytes:
    """Return `Name <address>` without what would break git's line."""
    clean = [re.sub(r"[<>\x00-\x1f]", "", text).strip() for text in (name, email)]
    return f"{clean[0] or 'Unknown'} <{clean[1]}>".encode()


def message_of(slug: str, version: PromptVersion) -> bytes:
    """Return the commit message of a version: its own, and below it which version this is."""
    return f"{version.message or _silent(slug)}\n\nPrompt: {slug}@{version.number}\n".encode()


def _silent(slug: str) -> str:
    return f"Save {slug}"


def read_message(commit: Commit, slug: str) -> str:
    """Return what a version is to say about itself."""
    text = _CONTROL.sub("", _text(commit, commit.message)).strip()
    above, _, last = text.rpartition("\n")
    if _TRAILER.fullmatch(last):
        text = above.rstrip()
    if text == _silent(slug):
        return ""
    return text if len(text) <= _LONGEST_MESSAGE else f"{text[: _LONGEST_MESSAGE - 1]}…"


def _text(commit: Commit, raw: bytes) -> str:
    """Return bytes of a commit as text, in the encoding it names if that is one people write in.

    Python knows others under such a name; one of them takes the square of what it reads.
    """
    named = (commit.encoding or b"utf-8").decode("ascii", "replace").lower()
    try:
        return raw.decode(named if _ENCODING.fullmatch(named) else "utf-8")
    except (LookupError, UnicodeDecodeError):
        return raw.decode("utf-8", "replace")


def read_author(commit: Commit) -> tuple[str, str]:
    """Return the name and address of who wrote a commit."""
    text = _CONTROL.sub("", _text(commit, commit.author))
    name, _, email = text.partition("<")
    return name.strip()[:200] or "Unknown", email.rstrip("> ").strip()[:254]


def read_time(commit: Commit) -> dt.datetime:
    """Return when a commit was written; a clock that runs ahead of ours says now."""
    latest = now()
    try:
        return min(dt.datetime.fromtimestamp(max(commit.author_time, 0), tz=dt.UTC), latest)
    except (OverflowError, ValueError, OSError):
        return latest
