"""The payloads of webhooks: our own JSON, and the format of Slack, Mattermost and Discord's `/slack`."""

import json
import re
from typing import Any

from console.notices.models import Notice

_LONGEST_HEADER, _LONGEST_SECTION = 150, 2900
# What wakes everybody in a room. A name that holds it stays readable, and wakes nobody.
_EVERYBODY = re.compile(r"@(?=(?:channel|here|everyone|all)\b)", re.IGNORECASE)
# What makes words a link elsewhere than they say, in the Markdown of Mattermost and Discord.
_LINK = re.compile(r"\](?=[(\[:])")


def own_format(notice: Notice) -> bytes:
    """Return a notice for programs."""
    return _json(
        {
            "id": str(notice.pk),
            "kind": notice.kind,
            "team": notice.team.slug if notice.team else None,
            "title": notice.title,
            "text": notice.text,
            "url": notice.url,
            "at": notice.created_at.isoformat(),
            "facts": notice.facts,
        }
    )


def slack(notice: Notice) -> bytes:
    """Return a notice in blocks, and once more as the text that others than Slack show."""
    title, text = _escaped(notice.title, _LONGEST_HEADER), _escaped(notice.text, _LONGEST_SECTION)
    link = {"type": "button", "text": _plain("Open in Facet"), "url": notice.url}
    blocks: list[dict[str, Any]] = [{"type": "header", "text": _plain(title)}]
    if text:
        blocks.append({"type": "section", "text": _plain(text)})
    blocks.append({"type": "actions", "elements": [link]})
    lines = [f"*{title}*", text, f"<{notice.url}|Open in Facet>"]
    return _json({"text": "\n".join(line for line in lines if line), "blocks": blocks})


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}


def _escaped(text: str, longest: int) -> str:
    """Return a text as it may stand in a message: escaped, nobody woken, no words a link, cut between characters."""
    escaped = [_ESCAPED.get(character, character) for character in _LINK.sub("] ", _EVERYBODY.sub("@ ", text))]
    length = 0
    for position, piece in enumerate(escaped):
        length += len(piece)
        if length > longest:
            return "".join(escaped[: max(0, position - 1)]) + "…"
    return "".join(escaped)


_ESCAPED = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
