"""Render answers as HTML: Markdown without raw HTML, highlighted code, and an allow-list as the last step.

Nothing is fetched: an image becomes a link to it. Every link shows the host it leads to.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from html import escape
from typing import Any
from urllib.parse import urlsplit

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import OptionsDict
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.token import STANDARD_TYPES
from pygments.util import ClassNotFound

from console.core.hidden_characters import spelled

_PREFIX = "hl-"
_LONGEST_HIGHLIGHTED = 20_000
_SCHEMES = {"http", "https", "mailto"}
_TAGS = {
    *("p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "pre", "code"),
    *("em", "strong", "s", "a", "span", "table", "thead", "tbody", "tr", "th", "td", "label", "input"),
}
_CLASSES = {
    "span": {_PREFIX + name for name in STANDARD_TYPES.values() if name} | {"host"},
    "code": {"math"},
    "li": {"task"},
    "pre": {"code", "is-wide"},
    "th": {"is-right", "is-center"},
    "td": {"is-right", "is-center"},
}
_FORMATTER: HtmlFormatter[str] = HtmlFormatter(nowrap=True, classprefix=_PREFIX)


def _highlighted(code: str, language: str, _attributes: str) -> str:
    """Return code as a whole `pre`; what has no known language stays plain."""
    inner = escape(code)
    if language and len(code) <= _LONGEST_HIGHLIGHTED:
        with suppress(ClassNotFound):
            inner = highlight(code, get_lexer_by_name(language[:40], stripnl=False), _FORMATTER)
    return f'<pre class="code is-wide" tabindex="0"><code>{inner}</code></pre>'


def _is_good_link(url: str) -> bool:
    return url.split(":", 1)[0].lower() in _SCHEMES and ":" in url


# `$x$` is math only without a space inside and without a digit behind, so that "$5 and $6" stays money.
_MATH = re.compile(
    r"\$\$(?P<a>.+?)\$\$|\\\[(?P<b>.+?)\\\]|\\\((?P<c>.+?)\\\)|\$(?P<d>[^\s$](?:[^$\n]*[^\s$])?)\$(?!\d)", re.S
)


_CLOSERS = {"\\(": "\\)", "\\[": "\\]"}


def _can_be_closed(state: StateInline) -> bool:
    """Return whether what would end a formula stands behind its beginning: looking for it each time takes too long."""
    opener = state.src[state.pos : state.pos + 2]
    if opener not in _CLOSERS:
        return opener[0] == "$"
    last = state.env.setdefault("last", {}).setdefault(state.src, {})
    if opener not in last:
        last[opener] = state.src.rfind(_CLOSERS[opener])
    return bool(last[opener] > state.pos)


def _math(state: StateInline, silent: bool) -> bool:
    """Keep formulas as they are written: their underscores and stars mean something else."""
    if state.src[state.pos] not in "$\\":
        return False
    if not _can_be_closed(state):
        return False
    found = _MATH.match(state.src, state.pos)
    if found is None:
        return False
    if not silent:
        token = state.push("math", "code", 0)
        token.content = found.group(0)
    state.pos = found.end()
    return True


_TASK = re.compile(r"\[([ xX])\][ \t]")


def _tasks(state: StateCore) -> None:
    """Draw `[ ]` and `[x]` at the start of a list's item as check boxes, which nobody can press."""
    for item, token in zip(state.tokens, state.tokens[2:], strict=False):
        if token.type != "inline" or item.type != "list_item_open" or not token.children:
            continue
        first = token.children[0]
        if first.type != "text" or not (found := _TASK.match(first.content)):
            continue
        first.content = first.content[found.end() :]
        mark = f'<label><input type="checkbox"{"" if found[1] == " " else " checked"} disabled>'
        token.children = [
            Token("html_inline", "", 0, content=mark),
            *token.children,
            Token("html_inline", "", 0, content="</label>"),
        ]
        item.attrSet("class", "task")


def _image(_self: RendererHTML, tokens: Sequence[Token], index: int, _options: OptionsDict, _env: Any) -> str:
    url, words = str(tokens[index].attrs.get("src", "")), tokens[index].content
    return f'<a href="{escape(url)}">{escape(words or "Image")}</a>{_host(url, words)}'


def _host(url: str, words: str) -> str:
    """Return the host to show behind a link, nothing when its words are the address itself."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    shown = parts.hostname or parts.path
    if words.strip() in {url, url.removeprefix(f"{parts.scheme}://"), shown} or not shown:
        return ""
    return f' <span class="host">({escape(shown)})</span>'


def _link_close(_self: RendererHTML, tokens: Sequence[Token], index: int, _options: OptionsDict, _env: Any) -> str:
    opened = next(at for at in range(index, -1, -1) if tokens[at].type == "link_open")
    words = "".join(token.content for token in tokens[opened:index])
    return f"</a>{_host(str(tokens[opened].attrs.get('href', '')), words)}"


def _cell(self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: Any) -> str:
    """Say by a class how a column is aligned: the policy of the page allows no styles."""
    side = str(tokens[index].attrs.pop("style", "")).removeprefix("text-align:")
    if side in {"right", "center"}:
        tokens[index].attrSet("class", f"is-{side}")
    return self.renderToken(tokens, index, options, env)


def _renderer() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False, "linkify": True, "highlight": _highlighted, "breaks": True})
    made.enable(["table", "strikethrough", "linkify"])
    made.disable(["html_block", "html_inline"])
    made.validateLink = _is_good_link  # type: ignore[method-assign]
    if made.linkify is not None:
        made.linkify.set({"fuzzy_link": False, "fuzzy_email": False})
        looks_like_a_link = made.linkify.pretest
        # Every link begins with a scheme or "//"; the library's own first look takes as long as all else of a block.
        made.linkify.pretest = lambda text: (":" in text or "//" in text) and looks_like_a_link(text)
    made.inline.ruler.before("escape", "math", _math)
    made.core.ruler.after("inline", "tasks", _tasks)
    made.add_render_rule("image", _image)
    made.add_render_rule("link_close", _link_close)
    for cell in ("th_open", "td_open"):
        made.add_render_rule(cell, _cell)
    made.add_render_rule(
        "math", lambda _s, tokens, at, _o, _e: f'<code class="math">{escape(tokens[at].content)}</code>'
    )
    made.add_render_rule("code_block", lambda _s, tokens, at, _o, _e: _highlighted(tokens[at].content, "", ""))
    return made


_MARKDOWN = _renderer()
_BLOCKS = _renderer()  # tells blocks apart, and looks at nothing inside them
_BLOCKS.core.ruler.enableOnly(["normalize", "block"])


def _clean(html: str) -> str:
    return nh3.clean(
        html,
        tags=_TAGS,
        attributes={"a": {"href"}, "ol": {"start"}, "input": {"checked"}, "*": set()},
        tag_attribute_values={"pre": {"tabindex": {"0"}}},
        allowed_classes=_CLASSES,
        url_schemes=_SCHEMES,
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}, "input": {"type": "checkbox", "disabled": ""}},
    )


# What turns the direction of all that follows: a link could trade places with the host behind it.
_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")


def _html(text: str) -> str:
    return _clean(_MARKDOWN.render(_TURNS.sub(lambda found: spelled(found[0]), text)))


@lru_cache(maxsize=256)
def render(text: str) -> str:
    """Return a text as HTML that can stand on a page as it is."""
    return _html(text)


_MARKS = re.compile(r"\*\*|`|^ {0,3}(?:#{1,6} |[-*>] )", re.M)


def excerpt(text: str) -> str:
    """Return the beginning of an answer as one line of words, without the marks that would be drawn."""
    return " ".join(_MARKS.sub("", text).split())


_LINE_END = re.compile(r"\r\n|\r|\n")


class Growing:
    """An answer while it comes in: blocks that are whole are rendered once, the last one again with every piece.

    `done` is how many characters are in blocks that were rendered for good.
    """

    def __init__(self) -> None:
        self.done = 0

    def feed(self, text: str) -> tuple[str, str]:
        """Return the HTML of blocks that are now whole, and that of the block being written."""
        rest = text[self.done :]
        blocks = _BLOCKS.parse(rest) if _LINE_END.search(rest) else []
        starts = [token.map[0] for token in blocks if token.level == 0 and token.map and token.nesting >= 0]
        whole = ""
        if len(starts) > 1:
            size = [found.end() for found in _LINE_END.finditer(rest)][starts[-1] - 1]
            whole, rest = _html(rest[:size]), rest[size:]
            self.done += size
        return whole, _html(mended(rest))


_FENCE = re.compile(r"^ {0,3}(```|~~~)", re.M)


def _without_half_link(text: str) -> str:
    """Return a text with only the words of a link or picture it breaks off in; in time that grows with its length."""
    line = text.rfind("\n", 0, max(len(text) - 1, 0)) + 1
    end = len(text.removesuffix("\n"))
    begun, words_end = _half_link(text, line, end)
    if begun < 0:
        return text
    start = begun - 1 if text[begun - 1 : begun] == "!" and begun > line else begun
    return text[:start] + text[begun + 1 : words_end] + text[end:]


def _half_link(text: str, line: int, end: int) -> tuple[int, int]:
    """Return where the bracket of an unfinished link of the last line is, and where its words end; -1 without one."""
    # An address has neither ) nor a space in it: only what follows the last of these can be one.
    at = max(line, *(1 + text.rfind(mark, line, end) for mark in (")", " ", "\t")))
    while (ends := text.find("](", at, end)) >= 0:
        begun = text.find("[", 1 + max(text.rfind("]", line, ends), line - 1), ends)
        if begun >= 0:
            return begun, ends
        at = ends + 1
    words_end = end - 1 if text[line:end].endswith("]") else end
    return text.find("[", 1 + max(text.rfind("]", line, words_end), line - 1), words_end), words_end


def mended(text: str) -> str:
    """Close what the last block of an unfinished text has open, so that it looks as it will."""
    if len(_FENCE.findall(text)) % 2:
        return text
    text = _without_half_link(text.rstrip(" "))
    if text.count("`") % 2:
        return text + "`"
    for mark in ("**", "~~"):
        if text.count(mark) % 2:
            text = text.removesuffix(mark) if text.endswith(mark) else text + mark
    return text
