"""Read an untrusted file in a process of its own, with limits of time and memory, which threads cannot have.

The program is reader.py, which knows nothing of Facet.
"""

import json
import subprocess
import sys
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any

from console.core.connections import let_go

SECONDS = 10
# Readers at a time in one process of ours: each may take a processor.
_READERS = BoundedSemaphore(2)


class CannotRead(Exception):
    """`problem` is busy, slow or broken, or another word of the reader."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


def storable(text: str) -> str:
    """Return a text that was taken out of a file as one that can be kept: without NULs and halves of characters.

    Fonts of a PDF can spell both. Halves that belong together become a character.
    """
    return text.replace("\x00", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def read_isolated(reader: str, raw: bytes, *limits: int) -> dict[str, Any]:
    """Return what a reader (`pdf_text`, `office_text`, `small_picture`) says of a file, or raise CannotRead."""
    let_go()
    program = str(Path(__file__).with_name("reader.py"))
    command = [sys.executable, "-I", program, reader, *map(str, (*limits, SECONDS))]
    if not _READERS.acquire(timeout=SECONDS):
        raise CannotRead("busy")
    try:
        done = subprocess.run(  # noqa: S603 (a program of ours, and numbers)
            command,
            input=raw,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # a file can have it complain for as long as it may run
            timeout=SECONDS,
            check=True,
            env={},
        )
        found: dict[str, Any] = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        raise CannotRead("slow") from None
    except (subprocess.CalledProcessError, ValueError):  # it was ended by its own limits
        raise CannotRead("broken") from None
    finally:
        _READERS.release()
    if "problem" in found:
        raise CannotRead(str(found["problem"]))
    return found
