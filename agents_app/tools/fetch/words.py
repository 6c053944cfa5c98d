"""The words of an HTML page, for a reader that pays by the letter.

By hand, because the page is a stranger's: the standard library reads an unfinished comment to the end of the page again
for every one that begins, and parsers that build a tree do much the same with elements that nest without end. Here what
has no end ends the page, as in browsers, and every letter is looked at a bounded number of times.
"""

import html
import re

_SKIPPED = frozenset({"template", "noscript", "svg", "head"})
_IN_HEAD = frozenset({"head", "title", "meta", "link", "base", "script", "style", "template", "noscript"})
# Left out as well, and what is in them is no HTML: only their own end tag ends them.
_RAW = {name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE) for name in ("script", "style")}
_BREAKS = frozenset(
    {
        *("p", "div", "br", "li", "ul", "ol", "tr", "table", "section", "article", "header", "footer", "main", "nav"),
        *("h1", "h2", "h3", "h4", "h5", "h6", "pre", "blockquote", "dt", "dd", "figure", "hr"),
    }
)
# A quotation mark opens a value after `=` only. Nothing is tried in two ways (`++`, `*+`), so a match is one pass.
_TAG = re.compile(r"<(/?)([A-Za-z][^\s/>]*+)([^>=]*+(?:=\s*+(?:\"[^\"]*+\"|'[^']*+')?+[^>=]*+)*+)>")
_BEGINS_TAG = re.compile(r"</?[A-Za-z]")
_BEGINS_MARK = re.compile(r"<(?:[!?]|/)")  # declarations, and ends of nothing
_NO_CHARACTER = re.compile(r"&#(?:[0-9]{9,}|[xX][0-9A-Fa-f]{9,});?")
_SPACES = re.compile(r"[ \t\r\f\v]+")


class _Reader:
    """Where the reading is, what was read, and the element whose words are left out."""

    def __init__(self, page: str) -> None:
        self.page, self.at, self.parts = page, 0, list[str]()
        self.skipping, self.depth = "", 0

    def read(self) -> str:
        while (start := self.page.find("<", self.at)) >= 0:
            self._take(self.page[self.at : start])
            self.at = self._markup(start)
        self._take(self.page[self.at :])
        return html.unescape(_NO_CHARACTER.sub("\ufffd", "".join(self.parts)))

    def _take(self, text: str) -> None:
        if not self.skipping:
            self.parts.append(text)

    def _markup(self, start: int) -> int:
        """Return where what begins with this `<` ends."""
        page = self.page
        if page.startswith("<!--", start):
            return self._after("-->", start + 2)
        if _BEGINS_TAG.match(page, start):
            tag = _TAG.match(page, start)
            return self._tag(tag) if tag else len(page)
        if _BEGINS_MARK.match(page, start):
            return self._after(">", start)
        self._take("<")
        return start + 1

    def _after(self, end: str, start: int) -> int:
        found = self.page.find(end, start)
        return found + len(end) if found >= 0 else len(self.page)

    def _tag(self, tag: re.Match[str]) -> int:
        is_end, name = bool(tag[1]), tag[2].lower()
        if name in _RAW and not is_end:
            end = _RAW[name].search(self.page, tag.end())
            return end.start() if end else len(self.page)
        if self.skipping == "head" and not is_end and name not in _IN_HEAD:
            self.skipping = ""  # its end may be left out
        if self.skipping:
            self._skip(name, is_end)
        elif name in _SKIPPED and not is_end and not tag[3].endswith("/"):
            self.skipping, self.depth = name, 1
        elif name in _BREAKS:
            self.parts.append("\n")
        elif name in {"td", "th"} and not is_end:
            self.parts.append("\t")
        return tag.end()

    def _skip(self, name: str, is_end: bool) -> None:
        if name == self.skipping:
            self.depth += -1 if is_end else 1
            if self.depth == 0:
                self.skipping = ""


def words_of(page: str) -> str:
    lines = (_SPACES.sub(" ", line).strip() for line in _Reader(page).read().split("\n"))
    return "\n".join(line for line in lines if line)
