"""The text of an HTML page, for a model that is paid by the token.

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
# Tags, declarations, and ends of nothing. Any other `<` is one, and a million of them are found in one go.
_BEGINS = re.compile(r"<[A-Za-z!?/]")
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_NO_CHARACTER = re.compile(r"&#(?:[0-9]{9,}|[xX][0-9A-Fa-f]{9,});?")
# A mark whose element has no words.
_EMPTY_MARKS = frozenset({"-", *("#" * level for level in _HEADINGS.values())})
_BLANK_LINES = re.compile(r"\n{3,}")
_SPACES = re.compile(r"[ \t\r\f\v]+")


class _Reader:
    """Where the reading is, what was read, and the element whose words are left out."""

    def __init__(self, page: str, *, marks: bool = False) -> None:
        self.page, self.at, self.parts, self.marks = page, 0, list[str](), marks
        self.skipping, self.depth, self.is_pre = "", 0, False

    def read(self) -> str:
        while found := _BEGINS.search(self.page, self.at):
            self._take(self.page[self.at : found.start()])
            self.at = self._markup(found.start())
        self._take(self.page[self.at :])
        return html.unescape(_NO_CHARACTER.sub("\ufffd", "".join(self.parts)))

    def _take(self, text: str) -> None:
        if not self.skipping:
            self.parts.append(text.replace("\n", " ") if self.marks and not self.is_pre else text)

    def _markup(self, start: int) -> int:
        """Return where what begins with this `<` ends."""
        page = self.page
        if page.startswith("<!--", start):
            return self._after("-->", start + 2)
        if _BEGINS_TAG.match(page, start):
            tag = _TAG.match(page, start)
            return self._tag(tag) if tag else len(page)
        return self._after(">", start)

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
            self.is_pre = (self.is_pre or name == "pre") and not (name == "pre" and is_end)
            self.parts.append(self._mark(name, is_end) if self.marks else "\n")
        elif name in {"td", "th"} and not is_end:
            self.parts.append("\t")
        return tag.end()

    def _mark(self, name: str, is_end: bool) -> str:
        """Return what stands in Markdown where an element begins or ends."""
        if name in _HEADINGS and not is_end:
            return f"\n\n{'#' * _HEADINGS[name]} "
        if name == "li":
            return "" if is_end else "\n- "
        return "\n" if name in {"br", "tr"} else "\n\n"

    def _skip(self, name: str, is_end: bool) -> None:
        if name == self.skipping:
            self.depth += -1 if is_end else 1
            if self.depth == 0:
                self.skipping = ""


def words_of(page: str) -> str:
    lines = (_SPACES.sub(" ", line).strip() for line in _Reader(page).read().split("\n"))
    return "\n".join(line for line in lines if line)


def marked_words_of(page: str) -> str:
    """Return the words of a page with its headings, paragraphs and lists marked as in Markdown."""
    lines = (_SPACES.sub(" ", line).strip() for line in _Reader(page, marks=True).read().split("\n"))
    return _BLANK_LINES.sub("\n\n", "\n".join(line for line in lines if line not in _EMPTY_MARKS)).strip()
