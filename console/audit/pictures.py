"""Find images in stored bodies by how their base64 begins, whatever the wire format.

What is found is nothing but letters of base64 that begin as a PNG, JPEG, GIF or WebP does, so that no words are ever
taken for one.
"""

import re
from binascii import a2b_base64
from hashlib import sha256

# A slash may be written with an escape. Runs are possessive, so this is linear in the text's length.
PICTURE = re.compile(
    r'(?<=[",])(?:iVBORw0KGg|\\?/9j|R0lGOD|UklGR)[A-Za-z0-9+/]++(?:\\/[A-Za-z0-9+/]*+)*+=*+(?=\\*"|\)|\Z)'
)
_TYPES = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))


def taken_out(body: str) -> tuple[str, list[str]]:
    """Return a body with NUL, number, NUL in each picture's place, and the pictures. It must hold no NUL."""
    pictures: list[str] = []

    def take(match: re.Match[str]) -> str:
        pictures.append(match[0])
        return f"\0{len(pictures) - 1}\0"

    return PICTURE.sub(take, body), pictures


def put_back(raw: bytes, pictures: list[str], room: int) -> tuple[bytes, bool]:
    """Return a body with its pictures again, the last of them first, as far as there is room; and if all are there.

    In place of the others stands how long they were, and their digest. What was cut within a place loses that place.
    """
    parts = raw.split(b"\0")
    if len(parts) % 2 == 0:
        parts.pop()
    has_all = True
    for place in range(len(parts) - 2, 0, -2):
        picture = pictures[int(parts[place])].encode()
        if len(picture) <= room:
            room -= len(picture)
            parts[place] = picture
        else:
            has_all = False
            parts[place] = f"[not kept: {len(picture)} letters, SHA-256 {sha256(picture).hexdigest()}]".encode()
    return b"".join(parts), has_all


def as_file(letters: str) -> tuple[bytes, str] | None:
    """Return the bytes and the type of a picture by its letters; None where it is none after all."""
    try:
        raw = a2b_base64(letters.replace("\\/", "/"))
    except ValueError:
        return None
    if raw[:4] == b"RIFF" and raw[8:12] == b"WEBP":
        return raw, "image/webp"
    return next(((raw, media_type) for magic, media_type in _TYPES if raw.startswith(magic)), None)
