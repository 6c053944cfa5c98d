"""Files people attach to what they say: their text is sent with it. What cannot be read is refused in one sentence."""

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Any

from django.core.files.uploadedfile import UploadedFile

from console.chat.errors import CannotSend
from console.core.files import pdf
from console.core.files.plain import plain_text

MOST_FILES = 5
MOST_BYTES = 5 * 1024 * 1024
MOST_CHARACTERS = 200_000  # of all files of a message
MOST_PAGES = 200
MEDIA_TYPES = {
    ".txt": "text/plain",
    ".md": "text/markdown",
    ".csv": "text/csv",
    ".json": "application/json",
    ".pdf": "application/pdf",
}
_PDF_PROBLEMS = {
    "busy": "could not be read: too many files are being read. Send it again in a moment.",
    "slow": f"took longer than {pdf.SECONDS} seconds to read. Attach its text.",
    "locked": "is locked with a password. Attach an unlocked copy.",
    "pages": f"has more than {MOST_PAGES} pages. Attach the part that matters.",
    "characters": f"has more than {MOST_CHARACTERS:,} characters. Attach the part that matters.",
    "empty": "has no text that can be read, only pictures perhaps. Attach its text.",
    "broken": "could not be read as PDF. Save it again, or attach its text.",
}

Attachment = dict[str, Any]


def read(uploads: "Sequence[UploadedFile[bytes]]") -> list[Attachment]:
    """Return what was uploaded as attachments of a message, or refuse naming the file and what to do."""
    if len(uploads) > MOST_FILES:
        raise _cannot(f"A message may have {MOST_FILES} files; you chose {len(uploads)}.")
    for upload in uploads:  # all of them before any is read
        name = _named(upload.name or "")
        if _ending(name) not in MEDIA_TYPES:
            raise _cannot(f"{name} cannot be attached: files may be {_listed(MEDIA_TYPES)}.")
        if (upload.size or 0) > MOST_BYTES:
            raise _cannot(f"{name} is larger than {MOST_BYTES // 1024**2} MB. Attach the part that matters.")
    return _checked([_read(upload) for upload in uploads])


def of_texts(given: Iterable[tuple[str, str]]) -> list[Attachment]:
    """Return (name, text) as attachments: for programs, which send no forms."""
    made = []
    for name, text in given:
        name = _named(name)
        media_type = MEDIA_TYPES.get(_ending(name), "text/plain")
        made.append(_attachment(name, media_type, len(text.encode()), text))
    if len(made) > MOST_FILES:
        raise _cannot(f"A message may have {MOST_FILES} files.")
    return _checked(made)


def _cannot(sentence: str) -> CannotSend:
    return CannotSend(sentence, param="files")


def _named(name: str) -> str:
    """Return a file's name as it is shown: without a folder, its ending kept."""
    path = PurePosixPath(" ".join(name.replace("\\", "/").split()).rpartition("/")[2] or "file")
    return f"{path.stem[:100]}{path.suffix[:12]}"


def _ending(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _listed(endings: Iterable[str]) -> str:
    *first, last = (ending[1:] for ending in endings)
    return f"{', '.join(first)} or {last}"


def _attachment(name: str, media_type: str, size: int, text: str) -> Attachment:
    return {"name": name, "media_type": media_type, "bytes": size, "text": text.replace("\x00", "").strip()}


def _checked(files: list[Attachment]) -> list[Attachment]:
    for file in files:
        if not file["text"]:
            raise _cannot(f"{file['name']} is empty.")
    count = sum(len(file["text"]) for file in files)
    if count > MOST_CHARACTERS:
        what = f"{files[0]['name']} has" if len(files) == 1 else "The files have"
        raise _cannot(
            f"{what} {count:,} characters; a message may carry {MOST_CHARACTERS:,}. Attach the part that matters."
        )
    return files


def _read(upload: "UploadedFile[bytes]") -> Attachment:
    name = _named(upload.name or "")
    ending, raw = _ending(name), upload.read()
    text = _pdf(name, raw) if ending == ".pdf" else _text(name, raw)
    return _attachment(name, MEDIA_TYPES[ending], len(raw), text)


def _text(name: str, raw: bytes) -> str:
    text = plain_text(raw)
    if text is None:
        raise _cannot(f"{name} is not text in UTF-8. Save it as UTF-8 and attach it again.")
    return text


def _pdf(name: str, raw: bytes) -> str:
    try:
        return pdf.pdf_text(raw, most_pages=MOST_PAGES, most_characters=MOST_CHARACTERS)
    except pdf.CannotReadPdf as error:
        raise _cannot(f"{name} {_PDF_PROBLEMS[error.problem]}") from None
