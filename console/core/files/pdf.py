"""The text of a PDF."""

from console.core.files.apart import read_apart


def pdf_text(raw: bytes, *, most_pages: int, most_characters: int) -> str:
    """Return a PDF's text, or raise CannotRead: also locked, pages, characters or empty."""
    return str(read_apart("pdf_text", raw, most_pages, most_characters)["text"])
