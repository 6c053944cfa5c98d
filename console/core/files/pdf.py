"""The text of a PDF."""

from console.core.files.isolated import CannotRead, read_isolated, storable


def pdf_text(raw: bytes, *, most_pages: int, most_characters: int) -> str:
    """Return a PDF's text, or raise CannotRead: also locked, pages, characters or empty."""
    text = storable(str(read_isolated("pdf_text", raw, most_pages, most_characters)["text"])).strip()
    if not text:
        raise CannotRead("empty")
    return text
