"""What the browser loads: other people's files unchanged and licensed, colours readable, pages light."""

import gzip
import hashlib
import os
import re
from pathlib import Path

import pytest
from django.templatetags.static import static

from console.chat.embed.colours import contrast

ROOT = Path(__file__).resolve().parent.parent.parent
STATIC = ROOT / "static"
VENDOR = STATIC / "vendor"
KB = 1000

ORDINARY = [
    *("vendor/basecoat.css", "css/tokens.css", "css/base.css", "css/ui.css", "css/print.css"),
    *("vendor/htmx.js", "vendor/idiomorph.js"),
    *(
        "js/theme.js",
        "js/toasts.js",
        "js/dialogs.js",
        "js/copy.js",
        "js/swaps.js",
        "js/shortcuts.js",
        "js/palette.js",
        "js/cut.js",
    ),
]
CHARTS = ["vendor/uplot.css", "vendor/uplot.js", "js/time-chart.js"]


def _rows(name: str) -> list[list[str]]:
    lines = (VENDOR / name).read_text().splitlines()
    return [line.split() for line in lines if line.strip() and not line.startswith("#")]


def test_colours_of_the_readers_own_leave_which_words_were_added_and_which_removed() -> None:
    """Where differences are shown, only the ground tells it; a browser with forced colours shows none."""
    forced = (STATIC / "css" / "ui.css").read_text().rpartition("@media (forced-colors: active)")[2]
    assert re.findall(r"(ins|del) {\s+text-decoration: ([\w-]+) !important", forced) == [
        ("ins", "underline"),
        ("del", "line-through"),
    ]


# Files of others ----------------------------------------------------------------------------------------------------


def test_it_keeps_vendored_files_as_they_came() -> None:
    for digest, name, *_ in _rows("manifest.txt"):
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest, name


def test_it_lists_every_vendored_file_with_package_version_and_licence() -> None:
    listed = {name: (package, version) for _, name, package, version in _rows("manifest.txt")}
    wanted = {target: (package, version) for package, version, _, target in _rows("packages.txt")}
    present = {path.name for path in VENDOR.iterdir() if path.suffix in {".js", ".css", ".svg", ".woff2"}}
    assert listed == wanted
    assert present == set(listed)
    for package, _ in listed.values():
        licence = VENDOR / "licences" / f"{package.lstrip('@').replace('/', '-')}.txt"
        assert licence.read_text().strip(), package


def test_the_address_of_a_file_changes_with_what_is_in_it(settings, tmp_path: Path) -> None:
    settings.STATICFILES_DIRS = [tmp_path]
    (tmp_path / "later.js").write_text("first();")
    first = static("later.js")
    assert re.fullmatch(r"/static/later\.js\?v=[0-9a-f]{8}", first) and static("later.js") == first
    (tmp_path / "later.js").write_text("second();")
    os.utime(tmp_path / "later.js", ns=(1, 1))  # also where both were written within one tick of the clock
    assert static("later.js") != first
    (tmp_path / "later.js").unlink()
    assert static("later.js") == "/static/later.js"
    assert static("never.js") == "/static/never.js"


def test_it_has_every_icon_the_pages_name() -> None:
    sprite = set(re.findall(r'<symbol id="([\w-]+)"', (VENDOR / "icons.svg").read_text()))
    assert sprite == set((VENDOR / "icons.txt").read_text().split())
    named = set()
    for path in (ROOT / "templates").rglob("*.html"):
        named |= set(re.findall(r"""{%\s*icon\s+["']([\w-]+)["']""", path.read_text()))
        named |= set(re.findall(r"""\bicon=["']([\w-]+)["']""", path.read_text()))
    assert named - sprite == set()
    rooms = ("templates", "static/js", "console", "agents_app", "prompts_app", "usage_app")
    files = (path for room in rooms for path in (ROOT / room).rglob("*.*") if path.suffix in {".html", ".py", ".js"})
    left = sprite
    while left and (path := next(files, None)):
        left = left.difference(re.findall(r"[\w-]+", path.read_text()))
    assert not left, "nobody draws these"


def test_it_has_every_icon_the_navigation_and_the_palette_name() -> None:
    from console.pages.navigation import ITEMS
    from console.pages.views.palette import ACTIONS

    sprite = set((VENDOR / "icons.txt").read_text().split())
    assert {one.icon for one in (*ITEMS, *ACTIONS)} <= sprite


def test_it_loads_nothing_from_elsewhere() -> None:
    for path in [*(STATIC / "js").iterdir(), *(STATIC / "css").iterdir(), *(ROOT / "templates").rglob("*.html")]:
        found = re.findall(r"""(?:src|href|url|import)\s*[=(]\s*["']?(https?:)?//""", path.read_text())
        assert not found, path


def test_it_writes_nothing_inline() -> None:
    """The content security policy would refuse it; better to hear it here."""
    for path in (ROOT / "templates").rglob("*.html"):
        text = path.read_text()
        assert not re.search(r"\sstyle=", text), f"{path}: a style attribute"
        assert not re.search(r"\s(on\w+|hx-on[\w:-]*)=", text), f"{path}: an inline handler"
        assert not re.search(r"""["']js:""", text), f"{path}: js: in an attribute"
        for attributes in re.findall(r"<script\b([^>]*)>", text):
            assert "src=" in attributes or "application/json" in attributes, f"{path}: an inline script"


def test_it_shows_hidden_characters_where_it_can() -> None:
    """`visible` writes markup: nothing may cut it behind, and a title or an attribute would show or break on it."""
    for path in (ROOT / "templates").rglob("*.html"):
        text = path.read_text()
        cut = re.findall(r"\{\{[^}]*\|visible\|(?!default:)[^}]*\}\}", text)
        titles = [
            title
            for title in re.findall(r"\{% block title %\}(.*?)\{% endblock", text)
            if re.search(r"\|visible|(name|title|public_id) \}\}", title)
        ]
        assert not cut, f"{path}: {cut}"
        assert not titles or path.parts[-2] in {"admin", "socialaccount"}, f"{path}: {titles}"
        assert not re.search(r"""="[^"<>]*\{\{[^}"<>]*\|visible""", text), f"{path}: visible in an attribute"
        # A line of facts sets its parts apart, and a mark beside bare words would be one.
        bare = re.findall(r'<p class="meta">(?:[^<]*)\|visible', text)
        assert not bare, f"{path}: {bare}"


def test_letters_are_as_large_as_the_browser_is_told_to_write() -> None:
    """A size in px would stay as it is; 0.75rem are 12 px of the usual letters."""
    for path in (*(STATIC / "css").glob("*.css"), STATIC / "embed" / "frame.css"):
        fixed = re.findall(r"\n\s+(?:font|font-size): [^;]*?\dpx[^;]*;", path.read_text())
        assert not fixed, f"{path.name}: {fixed}"


# Weight -------------------------------------------------------------------------------------------------------------


def _weight(names: list[str]) -> float:
    return sum(len(gzip.compress((STATIC / name).read_bytes(), 9)) for name in names) / KB


def _area_sheets() -> list[str]:
    return [
        f"css/{path.name}"
        for path in (STATIC / "css").iterdir()
        if path.name not in {"tokens.css", "base.css", "ui.css"}
    ]


def test_it_puts_what_a_form_does_last() -> None:
    footers = [
        (path.name, footer)
        for path in (ROOT / "templates").rglob("*.html")
        for footer in re.findall(r"<footer.*?</footer>", path.read_text(), re.S)
    ]
    wrong = [
        name for name, footer in footers if re.search(r'</button>\s*<a class="btn" data-variant="outline"', footer)
    ]
    assert len(footers) > 60 and not wrong


def test_what_replaces_a_part_of_the_page_and_its_address_is_asked_one_at_a_time() -> None:
    """The second of two answers would find the part gone: the address of one record, and the text of the other."""
    tags = [
        (path.name, tag)
        for path in (ROOT / "templates").rglob("*.html")
        for tag in re.findall(r"<\w+(?:[^<>{]|{{.*?}}|{%.*?%})*>", path.read_text())
        if 'hx-push-url="true"' in tag and 'hx-swap="outerHTML"' in tag
    ]
    assert len(tags) > 3 and not [(name, tag) for name, tag in tags if "hx-sync=" not in tag]


def test_it_counts_every_file_the_base_loads() -> None:
    base = "".join((ROOT / "templates" / name).read_text() for name in ("base.html", "base_team.html"))
    loaded = set(re.findall(r'{% static "((?:css|js|vendor)/[\w.-]+)" %}', base))
    assert loaded == set(ORDINARY)


def test_its_buttons_are_a_verb_and_its_object_without_an_article() -> None:
    tag = re.compile(
        r'<(?:a|button)\b[^>]*class="btn\b[^>]*>(.*?)</(?:a|button)>|(?<!-)\b(?:label|action)="([A-Z][^"]*)"', re.S
    )
    wordy = re.compile(r"(Add|Change|Connect|Create|Grant|Import|Make|New|Save|Start) (an?|the|it)\b")
    found = [
        f"{path.name}: {words}"
        for path in (ROOT / "templates").rglob("*.html")
        for match in tag.finditer(path.read_text())
        if wordy.match(words := re.sub(r"{%.*?%}|<.*?>", " ", match[1] or match[2] or "").strip())
    ]
    assert not found


def test_it_keeps_ordinary_pages_under_72_kb() -> None:
    heaviest = max((_weight([name]) for name in _area_sheets()), default=0)
    assert _weight(ORDINARY) + heaviest < 72


def test_it_keeps_pages_with_charts_under_100_kb() -> None:
    heaviest = max((_weight([name]) for name in _area_sheets()), default=0)
    assert _weight(ORDINARY + CHARTS) + heaviest < 100


# Colour -------------------------------------------------------------------------------------------------------------


def _tokens(theme: str) -> dict[str, str]:
    css = (STATIC / "css" / "tokens.css").read_text()

    def block(selector: str) -> dict[str, str]:
        found = re.search(rf"\n  {re.escape(selector)} \{{(.*?)\n  \}}", css, re.S)
        assert found is not None
        return dict(re.findall(r"--([\w-]+):\s*(#[0-9a-fA-F]{6})", found[1]))

    light = block(":root")
    return light if theme == "light" else light | block(":root.dark")


TEXT = [
    *(
        (ink, ground)
        for ink in ("ink", "ink-2", "ink-3")
        for ground in ("surface", "canvas", "sunken", "rail", "raised")
    ),
    *(("brand", ground) for ground in ("surface", "canvas", "brand-soft", "raised")),
    *((tone, ground) for tone in ("ok", "warn", "bad") for ground in ("surface", "canvas", f"{tone}-soft")),
    ("ink-3", "brand-soft"),
    ("on-brand", "brand"),
    ("surface", "ink"),
    ("ink-2", "ok-soft"),
    ("ink", "warn-soft"),
    ("ink", "del-word"),
    ("ink", "add-word"),
    ("ink-3", "add"),
    ("ink-3", "del"),
]
GRAPHICS = [(colour, "surface") for colour in ("team-1", "team-2", "team-3", "team-4", "control")]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_is_readable(theme: str) -> None:
    tokens = _tokens(theme)
    weak = [
        f"{one} on {other}: {contrast(tokens[one], tokens[other]):.2f}"
        for one, other in TEXT
        if contrast(tokens[one], tokens[other]) < 4.5
    ]
    weak += [f"{one} on {other}" for one, other in GRAPHICS if contrast(tokens[one], tokens[other]) < 3]
    assert not weak


def test_it_names_raw_colours_only_in_the_tokens() -> None:
    for path in (STATIC / "css").iterdir():
        if path.name == "tokens.css":
            continue
        text = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.S)
        assert not re.findall(r":[^;{]*(#[0-9a-fA-F]{3,8}\b|rgba?\(|hsla?\()", text), path.name


def test_it_breaks_by_the_size_of_letters() -> None:
    """Whoever has the browser write twice as large gets the layout of a window half as wide, as with its zoom."""
    for sheet in (STATIC / "css").glob("*.css"):
        assert not re.search(r"@media[^{]*\dpx", sheet.read_text()), sheet.name


def test_dialogs_that_stay_can_say_what_for() -> None:
    """Esc closes none of them: it asks the form what is missing, and goes to the button that closes (`dialogs.js`)."""
    texts = [path.read_text() for path in (ROOT / "templates").rglob("*.html")]
    kept = re.findall(r"<dialog[^>]*data-keep.*?</dialog>", "\n".join(texts), re.S)
    assert len(kept) >= 3
    assert all(re.search(r'<footer><(a|button) class="btn"', dialog) for dialog in kept)


def test_what_covers_a_row_is_held_by_it_in_every_browser() -> None:
    """Safari has `position` hold nothing in a row of a table: a link over one row would be over all."""
    for sheet in (STATIC / "css").glob("*.css"):
        assert not re.search(r"\btr(:[\w-]+)? \{[^}]*position: relative", sheet.read_text()), sheet.name


def test_tables_are_cards_on_screens_alone() -> None:
    """A sheet of paper is as narrow as a phone and has room for a table all the same."""
    for block in re.findall(r"@media ([^{]*)\{\n((?:    .*\n|\n)*)", (STATIC / "css" / "ui.css").read_text()):
        assert block[0].startswith("screen") or "    .table-cards tr {" not in block[1], block[0]


def test_every_column_has_a_name() -> None:
    """Of actions too, for those who hear it: an empty head is a column of nothing."""
    empty = [
        path.name for path in (ROOT / "templates").rglob("*.html") if re.search(r"<th[^>]*></th>", path.read_text())
    ]
    assert not empty


def test_what_renews_itself_shows_no_line_of_loading() -> None:
    """The line below the top bar (base.css) leaves out what begins so."""
    triggers = [
        found
        for path in (ROOT / "templates").rglob("*.html")
        for found in re.findall(r'hx-trigger="([^"]*\bevery\b[^"]*)"', path.read_text())
    ]
    assert len(triggers) > 10 and all(trigger.startswith("every") for trigger in triggers)


def test_what_is_fixed_below_the_top_bar_knows_its_height_by_name() -> None:
    for sheet in (STATIC / "css").glob("*.css"):
        assert not re.search(r"(100dvh - |inset: |\n\s+top: )(52|68)px", sheet.read_text()), sheet.name


def test_it_gives_every_time_its_exact_value_as_a_title() -> None:
    wrong = [
        path.name
        for path in (ROOT / "templates").rglob("*.html")
        if re.search(r"<time\b(?![^>]*\btitle=)", path.read_text().replace("|date:", " "))
    ]
    assert not wrong


def test_long_words_break_everywhere_and_filled_buttons_reach_their_edge() -> None:
    base, ui = ((STATIC / "css" / name).read_text() for name in ("base.css", "ui.css"))
    assert re.search(r"\n  body \{[^}]*overflow-wrap: break-word", base), "names without blanks widen phones"
    assert re.search(r"\n  \.btn \{[^}]*background-clip: border-box", ui), "looks smaller than others"
