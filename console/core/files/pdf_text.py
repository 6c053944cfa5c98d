"""Extract the text of a PDF; runs in a process of its own, see reader.py."""

from io import BytesIO

from pypdf import PdfReader


def read(raw: bytes, most_pages: int, most_characters: int) -> dict[str, str]:
    """Return {"text"} or {"problem"}: locked, pages, characters, empty, broken."""
    try:
        reader = PdfReader(BytesIO(raw))
        if reader.is_encrypted and not reader.decrypt(""):
            return {"problem": "locked"}
        if len(reader.pages) > most_pages:
            return {"problem": "pages"}
        found: list[str] = []
        size = 0
        for page in reader.pages:
            found.append(page.extract_text().strip())
            size += len(found[-1])
            if size > most_characters:
                return {"problem": "characters"}
    except Exception:  # whatever a broken or malicious file makes of a parser
        return {"problem": "broken"}
    text = "\n\n".join(part for part in found if part)
    return {"text": text} if text else {"problem": "empty"}
