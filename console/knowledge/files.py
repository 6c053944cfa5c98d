"""Extract text from uploaded files, or refuse them."""

from pathlib import PurePosixPath
from typing import NamedTuple

from django.core.files.uploadedfile import UploadedFile

from console.core.files import isolated, office, pdf
from console.core.files.page_words import marked_words_of
from console.core.files.plain import plain_text
from console.knowledge.errors import CannotUse
from console.knowledge.models import Document
from console.knowledge.services.documents import MOST_CHARACTERS

MOST_BYTES = 20 * 1024 * 1024
MOST_PAGES = 500
# Of a web page, which is read by letters and not by a process of its own: more takes seconds of ours.
_MOST_OF_WEB_PAGE = 4 * 1024 * 1024
KINDS = {
    ".md": Document.Kind.MARKDOWN,
    ".markdown": Document.Kind.MARKDOWN,
    ".txt": Document.Kind.TEXT,
    ".csv": Document.Kind.TEXT,
    ".html": Document.Kind.HTML,
    ".htm": Document.Kind.HTML,
    ".pdf": Document.Kind.PDF,
    **dict.fromkeys(office.ENDINGS, Document.Kind.MARKDOWN),  # what is left of them has headings
}
_PROBLEMS = {
    "busy": "could not be read: too many files are being read. Send it again in a moment.",
    "slow": f"took longer than {isolated.SECONDS} seconds to read. Paste its text.",
    "locked": "is locked with a password. Upload an unlocked copy.",
    "pages": f"has more than {MOST_PAGES} pages. Split it into several documents.",
    "characters": f"has more than {MOST_CHARACTERS:,} characters. Split it into several documents.",
    "empty": "has no text that can be read, perhaps only images. Paste its text.",
    "broken": "could not be read as {}. Save it again without a password, or paste its text.",
}


class Read(NamedTuple):
    name: str  # of the file, without a folder
    kind: str
    text: str

    @property
    def title(self) -> str:
        """What a document of it is called unless somebody says."""
        return " ".join(PurePosixPath(self.name).stem.replace("_", " ").replace("-", " ").split())[:120]


def read(upload: "UploadedFile[bytes]") -> Read:
    """Return what an uploaded file says, or refuse naming the file and what to do."""
    path = PurePosixPath(" ".join((upload.name or "").replace("\\", "/").split()).rpartition("/")[2] or "file")
    name = "".join(letter for letter in f"{path.stem[:100]}{path.suffix[:12]}" if letter.isprintable())
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        raise _cannot(f"{name} cannot become a document: files may be {', '.join(ending[1:] for ending in KINDS)}.")
    most = _MOST_OF_WEB_PAGE if kind == Document.Kind.HTML else MOST_BYTES
    if (upload.size or 0) > most:
        raise _cannot(f"{name} is larger than {most // 1024**2} MB. Split it, or paste its text.")
    raw = upload.read()
    ending = path.suffix.lower()
    try:
        if ending in office.ENDINGS:
            return Read(name, kind, office.office_words(raw, most_characters=MOST_CHARACTERS))
        if kind == Document.Kind.PDF:
            return Read(name, kind, pdf.pdf_text(raw, most_pages=MOST_PAGES, most_characters=MOST_CHARACTERS))
    except isolated.CannotRead as error:
        raise _cannot(f"{name} {_PROBLEMS[error.problem].format(ending[1:].upper())}") from None
    text = plain_text(raw)
    if text is None:
        raise _cannot(f"{name} is not text in UTF-8. Save it as UTF-8 and upload it again.")
    return Read(name, kind, marked_words_of(text) if kind == Document.Kind.HTML else text)


def _cannot(sentence: str) -> CannotUse:
    return CannotUse(sentence, param="file")
