"""Convert parts of a message's content to Anthropic's blocks: text, images and documents."""

import base64
import binascii
from typing import Any

from console.core.errors import BadInput

_PICTURES = {"image/jpeg", "image/png", "image/gif", "image/webp"}
_OTHER_NAMES = {"image/jpg": "image/jpeg"}

Block = dict[str, Any]


def blocks_of(content: Any, where: str) -> list[Block]:
    """Return content (text, parts or nothing) as blocks; `where` names it for whoever sent it.

    Empty texts are left out: they say nothing, and Anthropic refuses them.
    """
    if content is None:
        return []
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content.strip() else []
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        raise BadInput("Content must be text or a list of parts.", param=where)
    blocks = (_block(part, f"{where}[{place}]") for place, part in enumerate(content))
    return [block for block in blocks if block is not None]


def _block(part: dict[str, Any], where: str) -> Block | None:
    kind = part.get("type")
    if kind in ("text", "refusal"):
        text = part.get(kind)
        if not isinstance(text, str):
            raise BadInput(f"A part of type {kind} needs its text.", param=f"{where}.{kind}")
        block: Block | None = {"type": "text", "text": text} if text.strip() else None
    elif kind == "image_url":
        block = _picture(part.get("image_url"), f"{where}.image_url")
    elif kind == "file":
        block = _document(part.get("file"), f"{where}.file")
    else:
        raise BadInput(f"This model takes text, images and files, but not {str(kind)[:40]!r}.", param=f"{where}.type")
    if block is not None and "cache_control" in part:
        block["cache_control"] = part["cache_control"]
    return block


def _picture(image: Any, where: str) -> Block:
    url = image.get("url") if isinstance(image, dict) else image
    if not isinstance(url, str) or not url:
        raise BadInput("An image needs a URL, or its bytes as a data URL.", param=f"{where}.url")
    if not url.startswith("data:"):
        return {"type": "image", "source": {"type": "url", "url": url}}
    media_type, data = _data_url(url, f"{where}.url")
    media_type = _OTHER_NAMES.get(media_type, media_type)
    if media_type not in _PICTURES:
        raise BadInput("An image must be image/jpeg, image/png, image/gif or image/webp.", param=f"{where}.url")
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}}


def _document(file: Any, where: str) -> Block:
    data_url = file.get("file_data") if isinstance(file, dict) else None
    if not isinstance(data_url, str) or not data_url.startswith("data:"):
        raise BadInput("Send a file to this model as a data URL in file_data.", param=f"{where}.file_data")
    media_type, data = _data_url(data_url, f"{where}.file_data")
    if media_type == "application/pdf":
        source = {"type": "base64", "media_type": media_type, "data": data}
    elif media_type == "text/plain":
        source = {"type": "text", "media_type": media_type, "data": _text(data, f"{where}.file_data")}
    else:
        raise BadInput("A file must be application/pdf or text/plain.", param=f"{where}.file_data")
    block: Block = {"type": "document", "source": source}
    if isinstance(file.get("filename"), str) and file["filename"]:
        block["title"] = file["filename"]
    return block


def _data_url(url: str, where: str) -> tuple[str, str]:
    """Return media type and base64 of a data URL."""
    head, comma, data = url[5:].partition(",")
    media_type, *options = head.lower().split(";")
    if not comma or not data or "base64" not in options:
        raise BadInput("A data URL must be written as data:<type>;base64,<bytes>.", param=where)
    return media_type, data


def _text(data: str, where: str) -> str:
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise BadInput("The bytes of this file are not UTF-8 text in base64.", param=where) from None
