"""Find images in requests and answers of any wire format, with their sizes and token estimates.

Nothing here is unpacked: a size is read from the first bytes of a file.
"""

from binascii import a2b_base64
from collections.abc import Iterable, Iterator
from struct import error as TooShort
from struct import unpack_from
from typing import Any, NamedTuple

# The most tokens a picture is taken to be, and what one is whose size nobody knows.
MOST_TOKENS = 5_000
# What is larger is not shown: it would fill the memory of whoever looks at it.
MOST_PIXELS = 64_000_000
# Characters of base64 in which a JPEG has to say its size: what a camera wrote stands before it.
_HEAD, _HEAD_OF_JPEG = 64, 128 * 1024
_TILE, _PATCH = 512, 32


class Picture(NamedTuple):
    """One picture: its bytes as base64 with the type its sender says they are, or else its address."""

    media_type: str
    data: str
    address: str

    @property
    def size(self) -> tuple[int, int] | None:
        """Return width and height, if its bytes are here and say them."""
        return _dimensions(self.data)

    @property
    def tokens(self) -> int:
        """Return an upper estimate of what a model reads it as: as the dearest of the providers' formulas has it.

        OpenAI's models count tiles (85 and 170 for each of 512 pixels, at most 8) or patches (of 32 pixels, up to 2.46
        each, at most 1,536 of them), Anthropic's a token for 750 pixels, up to about 4,800.
        """
        width, height = self.size or (0, 0)
        if not width or not height:
            return MOST_TOKENS
        tiles = min(8, _fitting(width, _TILE) * _fitting(height, _TILE))
        patches = _fitting(width, _PATCH) * _fitting(height, _PATCH)
        return max(85 + 170 * tiles, min(MOST_TOKENS, patches * 5 // 2))


def pictures_in(messages: Iterable[Any]) -> Iterator[Picture]:
    """Yield the pictures of messages, or of the items of a response, in order; also those among a tool's results."""
    for message in messages:
        if isinstance(message, dict):
            for name in ("content", "output"):
                if isinstance(parts := message.get(name), list):
                    yield from _in_parts(parts)


def picture_of(part: Any) -> Picture | None:
    """Return the picture a part of a message is, or None. A part that is misspelt is a picture of no known address."""
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == "image":
        source = part.get("source")
        source = source if isinstance(source, dict) else {}
        if isinstance(source.get("data"), str):
            return Picture(_text(source.get("media_type")), source["data"], "")
        return Picture("", "", _text(source.get("url") or source.get("file_id")))
    if kind in ("image_url", "input_image"):
        given = part.get("image_url") or part.get("file_id")
        return _at(_text(given.get("url") if isinstance(given, dict) else given))
    return None


def estimated_tokens(pictures: Iterable[Picture], of_text: int) -> int:
    """Return an upper estimate for a body with these pictures, given that of its text with all their bytes."""
    bytes_of, tokens = 0, 0
    for picture in pictures:
        bytes_of += len(picture.data) + len(picture.address)
        tokens += picture.tokens
    return max(8, of_text - bytes_of // 4) + tokens


def _in_parts(parts: list[Any]) -> Iterator[Picture]:
    for part in parts:
        if (picture := picture_of(part)) is not None:
            yield picture
        elif isinstance(part, dict) and part.get("type") == "tool_result" and isinstance(part.get("content"), list):
            yield from filter(None, map(picture_of, part["content"]))


def _at(address: str) -> Picture:
    head, _, data = address.partition(";base64,") if address.startswith("data:") else ("", "", "")
    return Picture(head.removeprefix("data:").lower(), data, "") if data else Picture("", "", address)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _fitting(pixels: int, size: int) -> int:
    return -(-pixels // size)


def _dimensions(data: str) -> tuple[int, int] | None:
    """Return width and height as the first bytes of a PNG, JPEG, GIF or WebP say them."""
    try:
        raw = a2b_base64(data[:_HEAD])
        if raw.startswith(b"\x89PNG"):
            return unpack_from(">II", raw, 16)
        if raw.startswith(b"GIF8"):
            return unpack_from("<HH", raw, 6)
        if raw.startswith(b"\xff\xd8"):
            return _of_jpeg(a2b_base64(data[:_HEAD_OF_JPEG]))
        return _of_webp(raw) if raw[:4] == b"RIFF" and raw[8:12] == b"WEBP" else None
    except (ValueError, TooShort):
        return None


def _of_webp(raw: bytes) -> tuple[int, int] | None:
    kind = raw[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(raw[24:27], "little"), 1 + int.from_bytes(raw[27:30], "little")
    if kind == b"VP8L":
        (bits,) = unpack_from("<I", raw, 21)
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = unpack_from("<HH", raw, 26)
    return width & 0x3FFF, height & 0x3FFF


def _of_jpeg(raw: bytes) -> tuple[int, int] | None:
    at = 2
    while True:  # from one segment to the next, each of which says its length
        marker, kind, length = unpack_from(">BBH", raw, at)
        if marker != 0xFF or length < 2:
            return None
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            height, width = unpack_from(">HH", raw, at + 5)
            return width, height
        at += 2 + length
