"""Re-encode an image as small as models need it; runs in a process of its own, see reader.py."""

import warnings
from base64 import b64encode
from io import BytesIO

from PIL import Image, ImageOps

_FORMATS = ("PNG", "JPEG", "WEBP", "GIF")


def read(raw: bytes, longest_side: int, most_pixels: int) -> dict[str, str]:
    """Return {"media_type", "data" (base64)} or {"problem"}: pixels, broken."""
    Image.MAX_IMAGE_PIXELS = None  # the limit is ours, and says what is wrong
    warnings.simplefilter("ignore")
    try:
        with Image.open(BytesIO(raw), formats=_FORMATS) as picture:
            if picture.width * picture.height > most_pixels:
                return {"problem": "pixels"}
            picture.draft("RGB", (longest_side, longest_side))  # JPEG need not be unpacked whole
            seen: Image.Image = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
            seen.thumbnail((longest_side, longest_side))
            seen = ImageOps.exif_transpose(seen)
    except Exception:  # whatever a broken or malicious file makes of a parser
        return {"problem": "broken"}
    if seen.mode == "RGBA":
        paper = Image.new("RGB", seen.size, "white")
        paper.paste(seen, mask=seen.getchannel("A"))
        seen = paper
    else:
        seen = Image.frombytes("RGB", seen.size, seen.tobytes())  # without what the file said beside it
    # What was drawn is smaller and sharper as PNG, what was photographed as JPEG.
    written = {"image/png": _encoded(seen, "PNG"), "image/jpeg": _encoded(seen, "JPEG")}
    media_type = min(written, key=lambda one: len(written[one]))
    return {"media_type": media_type, "data": b64encode(written[media_type]).decode()}


def _encoded(picture: Image.Image, form: str) -> bytes:
    out = BytesIO()
    picture.save(out, form, optimize=True, quality=85)
    return out.getvalue()
