"""One scrubber of known secret formats, for logs, audit records and error reports."""

import re

REDACTED = "[redacted]"

# Each shape is (rare letter, cheap hint, pattern). The letter costs 25 ns per 600 characters, the hint ten times that,
# and the pattern is only tried when both are there. Runs are bounded or possessive, and start only where a run
# begins, so the whole is linear in the text's length.
_GITHUB = re.compile(r"_(?<=gh[pousr]_)")
_SHAPES: tuple[tuple[str, str | re.Pattern[str], re.Pattern[str]], ...] = (
    ("K", "PRIVATE KEY", re.compile(r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----[A-Za-z0-9+/=\s\\]{0,8000}+-----END")),
    (
        "J",
        "eyJ",
        re.compile(
            r"eyJ(?<![A-Za-z0-9_-]eyJ)[A-Za-z0-9_-]{8,4000}+\.eyJ[A-Za-z0-9_-]{8,8000}+\.[A-Za-z0-9_-]{8,2000}+"
        ),
    ),
    ("_", "fk_", re.compile(r"fk_(?<!\wfk_)(?:live|test|hook)_[A-Za-z0-9]{20,64}")),
    ("_", "fws_", re.compile(r"fws_(?<!\wfws_)[A-Za-z0-9_-]{40,64}")),  # a widget's secret for identities
    ("_", _GITHUB, re.compile(r"gh(?<!\wgh)[pousr]_[A-Za-z0-9]{30,100}")),
    ("-", "sk-", re.compile(r"sk-(?<!\wsk-)(?:ant-|proj-|or-)?[A-Za-z0-9_-]{16,200}")),
    ("-", "xox", re.compile(r"xox(?<!\wxox)[abprs]-[A-Za-z0-9-]{10,100}")),
    ("K", "AKIA", re.compile(r"AKIA(?<!\wAKIA)[0-9A-Z]{16}\b")),
    ("z", "AIza", re.compile(r"AIza(?<!\wAIza)[0-9A-Za-z_-]{35}")),
    ("B", "BEARER", re.compile(r"BEARER(?<!\wBEARER)\s+[A-Za-z0-9._~+/=-]{16,2000}")),
    ("r", "earer", re.compile(r"\b[Bb]earer\s+[A-Za-z0-9._~+/=-]{16,2000}")),
)


def may_hold_a_secret(text: str) -> bool:
    """Return whether a text holds the hint of any shape: asked in one piece, because nearly none does."""
    return (
        ("_" in text and ("fk_" in text or "fws_" in text or ("gh" in text and _GITHUB.search(text) is not None)))
        or ("-" in text and ("sk-" in text or "xox" in text))
        or ("K" in text and ("PRIVATE KEY" in text or "AKIA" in text))
        or ("J" in text and "eyJ" in text)
        or ("z" in text and "AIza" in text)
        or ("B" in text and "BEARER" in text)
        or "earer" in text
    )


def scrub(text: str) -> tuple[str, int]:
    """Return the text without secrets, and how many were taken out."""
    if not may_hold_a_secret(text):
        return text, 0
    found = 0
    for letter, hint, shape in _SHAPES:
        if letter in text and (hint in text if type(hint) is str else hint.search(text)):  # type: ignore[union-attr]
            text, count = shape.subn(REDACTED, text)
            found += count
    return text, found


# Addresses that let somebody in: an invitation, a one-time sign-in, a reset, a confirmation. They are our own: the
# bodies of calls are not searched for them. Ids, of 36 characters, are not meant.
_LINK = re.compile(r"(/(?:invitations|sign-in|reset/key|confirm-email)/)[\w:%-]{40,400}")


def without_links(text: str) -> str:
    """Return a text in which addresses of the console that are secrets by themselves end early."""
    return _LINK.sub(rf"\1{REDACTED}", text)
