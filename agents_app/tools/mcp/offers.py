"""The tools a server offers: read as data, limited in size, and pinned by a digest."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agents_app.tools.schemas import LONGEST, Patience, TooInvolved, of_arguments

# As a model may call it, behind the server's short name.
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
SEPARATOR = "__"
LONGEST_NAME, LONGEST_DESCRIPTION, MOST_TOOLS = 64, 2_000, 300


@dataclass(frozen=True, slots=True)
class Offer:
    """One tool as a server describes it. `digest` stands for exactly this name, description and schema.

    `is_read` and `is_idempotent` are the server's hints; whether they hold is for the person who takes the tool over.
    `trouble` says why it cannot be taken over.
    """

    name: str
    description: str
    schema: dict[str, Any]
    digest: str
    is_read: bool = False
    is_idempotent: bool = False
    trouble: str = ""

    def as_row(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


def of_row(row: Mapping[str, Any]) -> Offer:
    return Offer(**{name: row[name] for name in Offer.__slots__})


def offers_in(rows: Sequence[Mapping[str, Any]]) -> list[Offer]:
    """Return what a server said when it was last asked, from `ToolServer.found`."""
    return [of_row(row) for row in rows]


def digest_of(name: str, description: str, schema: Mapping[str, Any]) -> str:
    """Return what a tool is pinned by: all a model would be told of it, as the server said it."""
    said = json.dumps([name, description, schema], sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(said.encode(errors="surrogatepass")).hexdigest()


def offer_of(
    name: str, description: str, schema: Any, hints: Mapping[str, Any], patience: Patience | None = None
) -> Offer:
    digest, trouble, made = digest_of(name, description, schema), "", {}
    if not _NAME.fullmatch(name):
        trouble = "its name is not one a model can call"
    elif len(json.dumps(schema)) > 4 * LONGEST:
        trouble = "its schema is very long"
    else:
        try:
            made = of_arguments(schema, patience)
        except TooInvolved as involved:
            trouble = str(involved)
    if "\0" in name + description:
        name, description, trouble = name.replace("\0", "?"), description.replace("\0", "?"), "it holds a NUL character"
    if len(description) > LONGEST_DESCRIPTION:
        description = f"{description[: LONGEST_DESCRIPTION - 1]}…"
    return Offer(
        name=name[:200],
        description=description,
        schema=made,
        digest=digest,
        is_read=hints.get("readOnlyHint") is True,
        is_idempotent=hints.get("idempotentHint") is True,
        trouble=trouble,
    )


def tool_name(server_slug: str, name: str) -> str:
    """Return what models call a server's tool; two servers never share one."""
    return f"{server_slug}{SEPARATOR}{name}"
