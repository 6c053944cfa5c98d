"""The text of Word documents and spreadsheets."""

from console.core.files.isolated import CannotRead, read_isolated
from console.core.files.page_words import marked_words_of

ENDINGS = {
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def office_words(raw: bytes, *, most_characters: int) -> str:
    """Return the words of a .docx or .xlsx as Markdown, or raise CannotRead: also characters or empty.

    A document's headings stay, a spreadsheet's sheets become headings over their rows as CSV. Pictures are left out.
    """
    found = read_isolated("office_text", raw, most_characters)
    words = marked_words_of(str(found["html"])) if "html" in found else str(found["text"])
    if not words:
        raise CannotRead("empty")
    return words
