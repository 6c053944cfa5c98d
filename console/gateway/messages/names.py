"""Names of tools: Anthropic allows 128 characters, OpenAI refuses more than 64.

A longer name is said by its beginning and a digest of the whole, and told in full again where it is called.
"""

import hashlib
from typing import Any

_MOST = 64
_KEPT = 55


def short(name: str) -> str:
    if len(name) <= _MOST:
        return name
    return f"{name[:_KEPT]}_{hashlib.sha256(name.encode()).hexdigest()[: _MOST - _KEPT - 1]}"


def full_names(body: dict[str, Any]) -> dict[str, str]:
    """Return the names of a request's tools that are said shorter, by what is said."""
    named = (tool.get("name") for tool in body.get("tools") or ())
    return {short(name): name for name in named if isinstance(name, str) and len(name) > _MOST}
