"""The text of a PDF, read by a process that is ended when it takes too long."""

import json
import subprocess
import sys
from pathlib import Path
from threading import BoundedSemaphore

from console.core.connections import let_go

SECONDS = 10
# Readers of PDF at a time in one process of ours: each may take a processor.
_READERS = BoundedSemaphore(2)


class CannotReadPdf(Exception):
    """`problem` is one of: busy, slow, locked, pages, characters, empty, broken."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


def pdf_text(raw: bytes, *, most_pages: int, most_characters: int) -> str:
    """Return a PDF's text, or raise CannotReadPdf."""
    let_go()
    limits = [str(limit) for limit in (most_pages, most_characters, SECONDS)]
    program = [sys.executable, "-I", str(Path(__file__).with_name("pdf_text.py")), *limits]
    if not _READERS.acquire(timeout=SECONDS):
        raise CannotReadPdf("busy")
    try:
        done = subprocess.run(  # noqa: S603 (a program of ours, and numbers)
            program,
            input=raw,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # a file can have it complain for as long as it may run
            timeout=SECONDS,
            check=True,
            env={},
        )
        found = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        raise CannotReadPdf("slow") from None
    except (subprocess.CalledProcessError, ValueError):  # it was ended by its own limits
        found = {"problem": "broken"}
    finally:
        _READERS.release()
    if "problem" in found:
        raise CannotReadPdf(found["problem"])
    return str(found["text"])
