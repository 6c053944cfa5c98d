"""The text of a PDF."""

from console.core.files.isolated import read_isolated


def pdf_text(raw: bytes, *, most_pages: int, most_characters: int) -> str:
    """Return a PDF's text, or raise CannotRead: also locked, pages, characters or empty."""
    return str(read_isolated("pdf_text", raw, most_pages, most_characters)["text"])
