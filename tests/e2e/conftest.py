"""Drive the real pages in a real browser: the live server of tests/conftest.py, Debian's Chromium, axe.

Playwright's synchronous face keeps an event loop running in the test's thread while it lives. So the browser belongs to
this package and not to the session: the async tests elsewhere find no loop, and Django's guard against queries from a
running loop is lifted here only.
"""

import functools
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from weakref import WeakKeyDictionary

import pytest
from allauth.account.internal.flows import login as sign_in
from axe_playwright_python.base import AXE_SCRIPT
from django.conf import settings
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

from console.teams.models import User
from tests.conftest import Cast
from tests.live import LiveServer
from tests.make import client_of
from tests.waiting import PATIENCE_SECONDS

WIDE, NARROW = (1440, 900), (390, 844)
SHOTS = Path(__file__).resolve().parent.parent.parent / "test-results"
_looks: WeakKeyDictionary[BrowserContext, int] = WeakKeyDictionary()
# What is not there by then is not coming: no test waits for it in order to find it missing.
expect.set_options(timeout=PATIENCE_SECONDS * 1000)
# A third of axe's work is reading colours, anew for every element. A page has a dozen, and the same words are the same.
# Each colour it makes is seven keys of weak maps, which V8's collector walks through again and again: what they would
# hold is noted at the colour itself. In ASCII the browser reads half as many bytes.
_AXE = (
    "((WeakMap, WeakSet) => {"
    + AXE_SCRIPT.encode("ascii", "backslashreplace").decode()
    + """;
  const {Color} = axe.commons.color, read = Color.prototype.parseString, known = new Map();
  Color.prototype.parseString = function (words) {
    if (!known.has(words)) known.set(words, read.call(new Color(), words));
    const {r, g, b, alpha} = known.get(words);
    return Object.assign(this, {r, g, b, alpha});
  };
})(...(() => {
  class Noted {
    #key = Symbol();
    has(one) { return this.#key in one; }
    get(one) { return one[this.#key]; }
    set(one, value) { one[this.#key] = value; return this; }
    add(one) { return this.set(one, true); }
  }
  return [Noted, Noted];
})())"""
)
_SAME = ["#nav", ".topbar"]
_MANY = ".operations > li"
# Of the frame, what axe is asked to leave out, and what nobody sees until it is opened.
_FRAME = "#nav > *, body > dialog:not([open]), body > [popover]:not(:popover-open)"
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# What the same elements can break in one theme or width and not in the other. Names and roles stay what they are.
_RULES_OF_LOOKS = ["color-contrast", "link-in-text-block", "scrollable-region-focusable", "target-size"]
# Answers null when axe is not there yet. `again` asks only for the rules of looks, unless something came into sight or
# went out of it since the look before. `turned` looks at the other theme.
_FIND_BARRIERS = """async ({frame, same, part, many, rules, rulesOfLooks, again, turned}) => {
  if (document.readyState === "loading") await new Promise((go) => addEventListener("DOMContentLoaded", go));
  if (!window.axe) return null;
  // Axe reads the styles of what it is asked to leave out, too, and of what nobody sees: most of a page. It is taken
  // away meanwhile, and so is what is only more of the same.
  const gone = [];
  const takeAway = (selector, isMore = () => true) =>
    [...document.querySelectorAll(selector)].filter(isMore).map((one) => {
      const mark = document.createComment("");
      gone.unshift([mark, one]);
      one.replaceWith(mark);
      return one;
    });
  const nav = document.querySelector("#nav"), scrolled = nav?.scrollTop;
  if (!frame) {
    const known = new Set();
    const looks = /^(class|style|role|type|tabindex|data-(tone|variant|size))$/;
    const kindOf = (one) => [one.tagName, !one.textContent.trim(), ...[...one.attributes]
      .map(({name, value}) => name + (looks.test(name) ? value : !value))].join();
    takeAway(many, (one) => {
      const before = known.size;
      for (const inside of [one, ...one.querySelectorAll("*")]) {
        known.add(`${kindOf(inside.parentElement)} > ${kindOf(inside)}`);
      }
      return known.size === before;
    });
    const place = () => JSON.stringify(document.querySelector("main, body").getBoundingClientRect());
    const before = place();
    const ids = takeAway(part).flatMap((one) => [one, ...one.querySelectorAll("[id]")].map(({id}) => id));
    if (place() !== before) throw Error("The page moved when its frame was taken away for axe.");
    const twice = ids.filter((id) => id && document.getElementById(id));
    if (twice.length) throw Error(`The page has ids of its frame: ${twice}`);
  }
  const {classList} = document.documentElement;
  if (turned) classList.toggle("dark");
  const theme = classList.contains("dark") ? "dark" : "light";
  const inSight = [...document.querySelectorAll("body *")].filter(
    (one) => one.checkVisibility({visibilityProperty: true}) && (frame || !one.closest(same.join())));
  const isSeen = again && window.seenByAxe?.size === inSight.length && inSight.every((one) => seenByAxe.has(one));
  window.seenByAxe = new Set(inSight);
  const {violations} = await axe.run(frame ? document : {exclude: same.map((one) => [one])}, {
    runOnly: isSeen ? {type: "rule", values: rulesOfLooks} : {type: "tag", values: rules},
    resultTypes: ["violations"],
    preload: false,
  });
  if (turned) classList.toggle("dark");
  for (const [mark, one] of gone) mark.replaceWith(one);
  if (scrolled) nav.scrollTop = scrolled;
  return violations.flatMap(({id, nodes}) => nodes.map(({html, failureSummary}) =>
    `${theme}, ${id}: ${html.slice(0, 160)} (${failureSummary.split("\\n").at(-1).trim()})`));
}"""
_SUM_UP = """() => ({
  h1s: document.querySelectorAll("h1").length,
  title: document.title,
  current: [...document.querySelectorAll("#nav [aria-current=page]")].map((one) => one.textContent.trim()),
  width: innerWidth,
})"""
# Says by how much the page is too wide with letters of each size, and what is; `isDark` changes the theme first.
# A short word of a heading or a button that goes on in the next line has too little place, too.
_MEASURE_WIDTH = r"""async ({sizes, isDark}) => {
  if (document.readyState === "loading") await new Promise((go) => addEventListener("DOMContentLoaded", go));
  const {classList, style} = document.documentElement;
  if (isDark !== null) classList.toggle("dark", isDark);
  const broken = [], range = new Range();
  for (const one of document.querySelectorAll("main :is(h1, h2, h3, .btn)")) {
    const texts = document.createTreeWalker(one, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      for (const {0: word, index} of texts.currentNode.data.matchAll(/\p{L}+/gu)) {
        if (word.length > 12) continue;
        range.setStart(texts.currentNode, index);
        range.setEnd(texts.currentNode, index + word.length);
        if (range.getClientRects().length > 1) broken.push(`${word} is broken in ${one.textContent.trim()}`);
      }
    }
  }
  const found = sizes.flatMap((size) => {
    style.fontSize = size;
    const over = document.documentElement.scrollWidth - innerWidth;
    const said = `${over} px${size && ` with letters of ${size}`}`;
    return over <= 0 ? [] : [said, ...[...document.querySelectorAll("body *")]
      .filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
      .filter((one) => !one.closest(".scroll-x, .filters, pre"))
      .slice(0, 3).map((one) => one.outerHTML.slice(0, 120))];
  });
  style.fontSize = "";
  return [...found, ...broken];
}"""


def _once_heard(act: Callable[..., None]) -> Callable[..., None]:
    """Have a locator's action wait for its page's scripts, as people do without knowing.

    Playwright acts on an element as soon as the parser has put it there. On a busy machine that was now and then before
    a deferred script listened: a form was sent plainly, a preview did not follow. Tests of that very moment hold a
    script back in a frame, which nothing here waits for.
    """

    @functools.wraps(act)
    def once_heard(locator: Locator, *arguments: Any, **options: Any) -> None:
        locator.wait_for(state="attached")  # of the page that comes, where one is on its way
        locator.page.wait_for_load_state("domcontentloaded")
        act(locator, *arguments, **options)
        locator.page.wait_for_load_state("domcontentloaded")  # where it led to another page

    return once_heard


for _name in ("check", "click", "fill", "press", "press_sequentially", "select_option", "set_input_files", "uncheck"):
    setattr(Locator, _name, _once_heard(getattr(Locator, _name)))


def _chromium() -> str | None:
    """Return the system's Chromium, its headless shell first; None leaves the choice to Playwright's own."""
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    arguments = ["--disable-gpu", "--disable-background-networking", "--no-first-run"]
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=_chromium(), args=arguments + (["--no-sandbox"] if os.geteuid() == 0 else [])
        )
        yield found
        found.close()
    if before is None:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


# Leaving a page ends what it was still loading, and htmx complains of that twice, first in words it uses of every
# request that failed: of one that failed for another reason its second complaint remains.
_LEAVING = re.compile(r"net::ERR_ABORTED|^htmx:(afterRequest|sendAbort)\b")


@dataclass
class Watch:
    """What went wrong in the browser during one test, except what the test says it expects."""

    problems: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def follow(self, page: Page) -> Callable[[], None]:
        """Note what the page complains of, until what is returned is called."""
        hear: dict[Any, Callable[[Any], None]] = {
            # Violations of the content security policy are console errors in Chromium.
            "console": lambda message: self._note(message.type, message.text, message.type in {"error", "warning"}),
            "pageerror": lambda error: self._note("script", str(error)),
            "requestfailed": lambda request: self._note("request", f"{request.url} {request.failure}"),
        }
        for event, note in hear.items():
            page.on(event, note)

        def leave() -> None:
            for event, note in hear.items():
                page.remove_listener(event, note)

        return leave

    def _note(self, kind: str, text: str, counts: bool = True) -> None:
        if counts and not _LEAVING.search(text):
            self.problems.append(f"{kind}: {text}")

    def expects(self, pattern: str) -> None:
        self.expected.append(pattern)

    @property
    def unexpected(self) -> list[str]:
        return [one for one in self.problems if not any(re.search(pattern, one) for pattern in self.expected)]


@pytest.fixture
def watch() -> Iterator[Watch]:
    watch = Watch()
    yield watch
    assert not watch.unexpected, "The browser complained:\n" + "\n".join(watch.unexpected)


@pytest.fixture
def people(committed_db: None) -> Cast:
    return Cast()


@pytest.fixture
def site(server: LiveServer) -> str:
    """The live server's address, by the name passkeys accept."""
    return server.url.replace("127.0.0.1", "localhost")


OpenPage = Callable[..., Page]


@pytest.fixture(scope="package")
def at_rest() -> dict[bool, list[Page]]:
    """Pages nobody uses at the moment, by whether they run scripts."""
    return {True: [], False: []}


def _rest(page: Page, site: str) -> None:
    """Leave nothing of a test in a page but the files and the code its browser has read."""
    context = page.context
    for other in context.pages:
        if other is not page:
            other.close()
    page.unroute_all()
    context.set_offline(False)
    context.clear_permissions()
    page.goto(f"{site}/health/live")  # where nothing runs, but storage is that of all pages
    page.evaluate("""() => {
        sessionStorage.clear();
        for (const key of Object.keys(localStorage)) if (key !== "axe") delete localStorage[key];
    }""")
    context.clear_cookies()
    page.mouse.move(-1, -1)


@pytest.fixture
def page_as(browser: Browser, site: str, watch: Watch, at_rest: dict[bool, list[Page]]) -> Iterator[OpenPage]:
    """Open a browser of one's own: `page_as(user, size=…, theme=…, scripts=…)`; without a user nobody is signed in.

    Two thirds of what a first page costs is its process, and reading our files. So one that is done with serves the
    next test, without cookies and storage. `new` is for tests that change what stays (listeners, the clock, devices),
    and for other sites' pages, whose snippet the browser keeps.
    """
    opened: list[tuple[Page, list[Page] | None, Callable[[], None]]] = []

    def open_page(
        user: User | None = None,
        *,
        size: tuple[int, int] = WIDE,
        theme: Literal["light", "dark"] = "light",
        scripts: bool = True,
        new: bool = False,
    ) -> Page:
        if at_rest[scripts] and not new:
            page = at_rest[scripts].pop()
        else:
            context = browser.new_context(
                base_url=site,
                viewport={"width": WIDE[0], "height": WIDE[1]},
                reduced_motion="reduce",
                java_script_enabled=scripts,
            )
            context.set_default_timeout(PATIENCE_SECONDS * 1000)
            page = context.new_page()
        opened.append((page, None if new else at_rest[scripts], watch.follow(page)))
        _looks.pop(page.context, None)
        if page.viewport_size != {"width": size[0], "height": size[1]}:
            _resize(page, size)
        page.emulate_media(color_scheme=theme)
        if user is not None:
            page.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session_of(user), "url": site}])
        return page

    yield open_page
    for page, kept, leave in opened:
        if kept is None:
            page.context.close()
        else:
            _rest(page, site)
            kept.append(page)
        leave()


def session_of(user: User) -> str:
    """Sign the person in and return the session's key. They have just proven who they are."""
    client = client_of(user)
    session = client.session
    session[sign_in.AUTHENTICATION_METHODS_SESSION_KEY] = [
        {"method": "password", "at": time.time(), "reauthenticated": True}
    ]
    session[sign_in._AUTHENTICATION_METHODS_USER_SESSION_KEY] = str(user.pk)
    session.save()
    return str(session.session_key)


def ends_word(field: Locator) -> None:
    """The Enter that ends a word written by an input method, as Safari tells of it, is no Enter for a page."""
    assert field.evaluate(
        """(field) => field.dispatchEvent(
            new KeyboardEvent("keydown", {key: "Enter", keyCode: 229, bubbles: true, cancelable: true}))"""
    )


def take_to_phone(page: Page, path: str | None = None) -> None:
    """Open a page anew, or another one of the same person's, on a phone in the dark."""
    _resize(page, NARROW)
    page.emulate_media(color_scheme="dark")
    page.goto(path) if path else page.reload()
    _looks.pop(page.context, None)


def look_for_barriers(page: Page, *, frame: bool = False, again: bool = False, turned: bool = False) -> list[str]:
    """Run axe and return what it found, one line each.

    `again` is for a page of which only the width or the theme changed, `turned` for a look at the theme it is not in.

    The frame is the same around every page: who looks at that asks for it, and for what axe asks of whole documents.
    Of the API's reference it sees the operations with an element whose looks, attributes, parent or want of words none
    before them has: hundreds are made alike.
    """
    wanted = {"frame": frame, "same": _SAME, "part": _FRAME, "many": _MANY, "again": again, "turned": turned}
    wanted |= {"rules": _RULES, "rulesOfLooks": _RULES_OF_LOOKS}
    found: list[str] | None = page.evaluate(_FIND_BARRIERS, wanted)
    if found is None:
        _load_axe(page)
        found = page.evaluate(_FIND_BARRIERS, wanted)
    assert found is not None
    return found


def _load_axe(page: Page) -> None:
    """Have axe in a page. It is half a megabyte, which the browser keeps from the first page on.

    Not as a script of every page to come: those would read it whole, looked at or not. Nor by `evaluate`, where
    Playwright has it compiled anew for every page: this way V8 finds what it compiled for the page before.
    """
    session = page.context.new_cdp_session(page)
    for _ in range(2):
        answer = session.send("Runtime.evaluate", {"expression": "(0, eval)(localStorage.axe), !!window.axe"})
        assert "exceptionDetails" not in answer, answer
        if answer["result"]["value"]:
            break
        page.evaluate("(script) => { localStorage.axe = script }", _AXE)
    session.detach()


def check_axe(page: Page, *, frame: bool = False) -> None:
    """Fail on any barrier. The themes take turns: they differ in a few colours, which are the same everywhere."""
    turn = _looks[page.context] = _looks.get(page.context, 0) + 1
    barriers = look_for_barriers(page, frame=frame, turned=turn % 2 == 0)
    assert not barriers, f"{page.url}\n" + "\n".join(barriers)


def check_width(page: Page, *, large: bool = False, is_dark: bool | None = None) -> None:
    """Fail when the page is wider than its window (`large`: at twice the size, too) or breaks a word of a heading."""
    sizes = ["", "200%"] if large else [""]
    found = page.evaluate(_MEASURE_WIDTH, {"sizes": sizes, "isDark": is_dark})
    assert not found, f"{page.url} is too wide, or too narrow for its words: {found}"


def _resize(page: Page, size: tuple[int, int]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})


def look_at(
    page: Page,
    path: str,
    name: str = "",
    *,
    current: str | None = None,
    frame: bool = False,
    axe: tuple[tuple[int, int], ...] = (WIDE, NARROW),
) -> None:
    """Look at a page at both widths, wide in the light theme and narrow in the dark one; axe at those it is asked to.

    It is loaded at the width the page before was left at, so that half of them are loaded on a phone. The frame around
    it is the same everywhere: once is enough. `current` is what the navigation must mark as the place one is at.
    """
    response = page.goto(path)
    assert response is not None and response.ok, f"{path} answered {response and response.status}"
    found = page.evaluate(_SUM_UP)
    assert found["h1s"] == 1 and not found["title"].startswith("·"), f"{path} has {found}"
    assert current is None or found["current"] == [current], f"{path} has {found}"
    barriers: list[str] = []
    is_narrow = found["width"] < WIDE[0]
    for size in (NARROW, WIDE) if is_narrow else (WIDE, NARROW):
        if (size == NARROW) != is_narrow:
            _resize(page, size)
        check_width(page, large=size == NARROW, is_dark=size == NARROW)
        if size in axe:
            barriers += [f"{size[0]}, {one}" for one in look_for_barriers(page, frame=frame, again=True)]
        if name:
            shoot(page, f"{name}-{size[0]}")
    assert not barriers, f"{page.url}\n" + "\n".join(barriers)


def shoot(page: Page, name: str) -> None:
    """Keep a picture when SHOTS is set: `SHOTS=1 make test k=e2e`."""
    if os.environ.get("SHOTS"):
        page.screenshot(path=SHOTS / f"{name}.png", full_page=True)
