"""Parse a long list in a JSON body element by element, as strictly as other bodies, and never whole in memory."""

import codecs
import json
import re
from collections.abc import Iterator
from typing import IO, Any, NoReturn

from console.core import strict_json
from console.core.errors import BadInput, TooLarge

_PIECE = 256 * 1024
_SPACE = re.compile(r"[ \t\n\r]*+")
_NUMBER = re.compile(r"[-+.0-9eE]++")
# It finds where a value ends; strict_json judges what it is, numbers too.
_ends = json.JSONDecoder(parse_int=len, parse_float=len, parse_constant=len)
# The longest that is wrong only as long as its end has not been read, besides texts: `-Infinity`, `\\ud83d\\ude00`.
_UNFINISHED = 16


def elements(file: IO[bytes], name: str, *, longest: int) -> Iterator[Any]:
    """Yield the elements of the list `name` in the object that a file holds, from its beginning.

    No value may be longer than `longest` bytes: TooLarge. BadInput says what is wrong with the body, at the end at the
    latest: whoever keeps elements has to let go of them then. There may be no such list.
    """
    file.seek(0)
    text = _Text(file, longest)
    if text.next() != "{":
        raise BadInput("The body must be a JSON object.")
    names: set[str] = set()
    for _ in text.until("}"):
        if text.next() != '"':
            text.fail("a name is missing")
        member = text.value("")
        if member in names or len(names) == strict_json.MAX_MEMBERS:
            raise BadInput(
                f"The body names {member[:60]!r} twice, or has more than {strict_json.MAX_MEMBERS:,} members."
            )
        names.add(member)
        text.take(":")
        if member != name:
            text.value(member[:60])
        elif text.next() != "[":
            raise BadInput(f"{name} is a list.", param=name)
        else:
            for place in text.until("]"):
                yield text.value(f"{name}[{place}]")
    if text.next():
        text.fail("it goes on after its end")


class _Text:
    """The part of a text that is looked at: `at` is the place reached in it."""

    def __init__(self, file: IO[bytes], longest: int) -> None:
        self.file, self.longest = file, longest
        self.decode = codecs.getincrementaldecoder("utf-8")().decode
        self.text, self.at, self.is_all = "", 0, False

    def read(self) -> None:
        """Let go of what is behind, and read on: twice as much where a value did not end, so that its end is near."""
        raw = self.file.read(max(_PIECE, len(self.text) - self.at))
        try:
            more = self.decode(raw, final=not raw)
        except UnicodeDecodeError:
            raise BadInput("The body is not UTF-8.") from None
        self.text, self.at, self.is_all = self.text[self.at :] + more, 0, not raw

    def next(self) -> str:
        """Return the next character that is no space; none at the end."""
        while True:
            found = _SPACE.match(self.text, self.at)
            assert found is not None  # it matches nothing, too
            self.at = found.end()
            if self.at < len(self.text):
                return self.text[self.at]
            if self.is_all:
                return ""
            self.read()

    def take(self, token: str) -> None:
        if self.next() != token:
            self.fail(f"{token} is missing")
        self.at += 1

    def until(self, end: str) -> Iterator[int]:
        """Count what stands between the bracket reached and its end, separated by commas; the caller takes it."""
        self.at += 1
        place = 0
        if self.next() != end:
            while True:
                yield place
                place += 1
                if self.next() != ",":
                    break
                self.at += 1
        self.take(end)

    def value(self, named: str) -> Any:
        """Take the next value."""
        self.next()
        while (end := self._end(named)) is None:
            if len(self.text) - self.at > self.longest:
                self._too_large(named)
            self.read()
        raw = self.text[self.at : end].encode()
        self.at = end
        if len(raw) > self.longest:
            self._too_large(named)
        try:
            return strict_json.loads(raw)[0]
        except BadInput as wrong:
            wrong.param = named or None
            raise

    def _end(self, named: str) -> int | None:
        """Return where the value ends; None where that has not been read."""
        try:
            end = _ends.raw_decode(self.text, self.at)[1]
        except RecursionError:
            raise BadInput(f"The body nests more than {strict_json.MAX_DEPTH} levels.", param=named or None) from None
        except json.JSONDecodeError as error:
            is_unfinished = error.msg.startswith("Unterminated") or error.pos > len(self.text) - _UNFINISHED
            if self.is_all or not is_unfinished:
                self.fail(error.msg, named)
            return None
        number = _NUMBER.match(self.text, self.at)  # it may continue behind what was read
        return None if number and number.end() == len(self.text) and not self.is_all else end

    def _too_large(self, named: str) -> NoReturn:
        raise TooLarge(f"{named or 'A name'} is larger than {self.longest:,} bytes.", param=named or None)

    @staticmethod
    def fail(message: str, named: str = "") -> NoReturn:
        raise BadInput(f"The body is not JSON: {message}.", param=named or None)
