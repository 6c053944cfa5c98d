"""Read the text of a PDF from standard input; run as a program of its own (see apart.py).

It answers with one line of JSON: text, or a problem.
"""

import json
import resource
import sys
from contextlib import suppress
from io import BytesIO

from pypdf import PdfReader

_MEMORY = 1024**3


def text_of(raw: bytes, most_pages: int, most_characters: int) -> dict[str, str]:
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


def main() -> None:
    pages, characters, seconds = (int(given) for given in sys.argv[1:])
    with suppress(ValueError, OSError):  # a system without such limits: the time limit outside remains
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
    found = text_of(sys.stdin.buffer.read(), pages, characters)
    sys.stdout.buffer.write(json.dumps(found).encode())


if __name__ == "__main__":
    main()
