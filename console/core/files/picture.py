"""Prepare images for models: small enough, and without metadata."""

from base64 import b64decode
from typing import NamedTuple

from console.core.files.isolated import read_isolated
from console.core.pictures import MOST_PIXELS

# What providers shrink larger ones to, so that more would cost bytes and show nothing.
LONGEST_SIDE = 1568


class Picture(NamedTuple):
    media_type: str  # image/png or image/jpeg
    data: bytes


def small_picture(raw: bytes) -> Picture:
    """Return a PNG, JPEG, WebP or GIF (its first frame) written again, or raise CannotRead: also pixels.

    Place, camera and time of a photograph are lost, and whatever else stood in the file.
    """
    found = read_isolated("small_picture", raw, LONGEST_SIDE, MOST_PIXELS)
    return Picture(str(found["media_type"]), b64decode(found["data"]))
