"""Validate names and secrets of tools, servers, queues and triggers."""

import re

from console.core.errors import BadInput
from console.teams.models import Environment

_SHORT = re.compile(r"[a-z0-9][a-z0-9-]*")
_TOOL = re.compile(r"[a-z][a-z0-9_-]{0,63}")


def check_short_name(slug: str, most: int) -> str:
    if len(slug) > most or not _SHORT.fullmatch(slug):
        raise BadInput(
            f"{slug[:60]!r} cannot be a short name; write up to {most} lower-case letters, digits and hyphens.",
            param="slug",
        )
    return slug


def check_tool_name(slug: str) -> str:
    """Return a name a model may call; two underscores part a server's name from its tool's, so no own tool has them."""
    if not _TOOL.fullmatch(slug) or "__" in slug:
        raise BadInput(
            f"{slug[:64]!r} cannot be a tool's name; write up to 64 lower-case letters, digits, hyphens and single "
            "underscores, a letter first.",
            param="slug",
        )
    return slug


def check_environment(environment: str) -> str:
    if environment not in Environment.values:
        raise BadInput(f"environment must be one of {', '.join(Environment.values)}.", param="environment")
    return environment


def check_secret(secret: str) -> str:
    secret = secret.strip()
    if len(secret) > 8_000 or any(ord(c) < 32 or ord(c) == 127 for c in secret):
        raise BadInput("The secret holds line breaks or control characters, or is too long.", param="secret")
    if not secret.isascii():
        raise BadInput("The secret holds letters that cannot be sent in a header.", param="secret")
    return secret
