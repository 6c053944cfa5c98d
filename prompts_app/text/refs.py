"""Prompt refs: `support/answer`, `support/answer@7`, `support/answer:canary`."""

import re
from typing import NamedTuple

from console.core.errors import BadInput

LONGEST_SLUG, LONGEST_LABEL = 200, 40
_SEGMENT = r"[a-z0-9][a-z0-9_-]*"
SLUG = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*")
LABEL = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_REF = re.compile(rf"(?P<slug>{SLUG.pattern})(?:@(?P<number>[1-9][0-9]{{0,8}})|:(?P<label>{LABEL.pattern}))?")
# First segments the console's own pages have.
RESERVED = frozenset({"new", "rules", "git", "reviews", "import"})


class Ref(NamedTuple):
    """A prompt, and which version of it: a number, a label, or neither (then the environment decides)."""

    slug: str
    number: int | None = None
    label: str | None = None

    def __str__(self) -> str:
        if self.number is not None:
            return f"{self.slug}@{self.number}"
        return f"{self.slug}:{self.label}" if self.label else self.slug


def parse_ref(text: str) -> Ref | None:
    """Return what a ref names, None when it is not one."""
    found = _REF.fullmatch(text)
    if found is None or len(found["slug"]) > LONGEST_SLUG:
        return None
    return Ref(found["slug"], int(found["number"]) if found["number"] else None, found["label"])


def check_slug(slug: str) -> str:
    """Return a slug a new prompt may have."""
    if len(slug) > LONGEST_SLUG:
        raise BadInput(f"The name has {len(slug)} characters; {LONGEST_SLUG} is the most.", param="slug")
    if not SLUG.fullmatch(slug):
        raise BadInput(
            f"{slug!r} cannot be a prompt's name; write lower-case letters, digits, hyphens and underscores, "
            "with slashes between folders: support/live-chat-answer.",
            param="slug",
        )
    first = slug.partition("/")[0]
    if first in RESERVED:
        raise BadInput(f"A prompt's name cannot begin with {first!r}; pages of the console do.", param="slug")
    return slug


def check_label(label: str) -> str:
    if not LABEL.fullmatch(label):
        raise BadInput(
            f"{label[:60]!r} cannot be a label; write up to {LONGEST_LABEL} lower-case letters, digits, hyphens "
            "and underscores, a letter first.",
            param="label",
        )
    return label
