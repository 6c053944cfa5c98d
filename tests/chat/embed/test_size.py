"""What a visitor's browser loads: few, small, and nothing of anybody else's."""

import gzip
import re
from pathlib import Path

from django.conf import settings
from django.test import Client

from console.chat.models import Widget
from tests import make
from tests.conftest import Cast

# Everything together, compressed as it is sent.
MOST = 15 * 1024
_SOURCES = Path(settings.BASE_DIR) / "static" / "embed"


def _loaded(widget: Widget) -> dict[str, bytes]:
    """Follow what a page with the snippet loads, and return it as it comes over the wire."""
    client = Client(headers={"Accept-Encoding": "gzip"})
    found = {url: client.get(url) for url in (f"/embed/{widget.public_id}.js", f"/embed/{widget.public_id}/")}
    page = gzip.decompress(found[f"/embed/{widget.public_id}/"].content).decode()
    for url in re.findall(r'(?:src|href)="(?!data:)([^"]+)"', page):
        found[url] = client.get(url)
    assert all(one.status_code == 200 and not one.cookies for one in found.values())
    assert all(one["Content-Encoding"] == "gzip" for one in found.values())
    return {url: one.content for url, one in found.items()}


def test_all_a_visitor_loads_is_small(cast: Cast) -> None:
    widget = make.make_widget(cast.team_a, greeting="Hello! " * 60, suggested_questions=["Where is my order?"] * 5)
    sizes = {url: len(body) for url, body in _loaded(widget).items()}
    assert len(sizes) == 4 and all(url.startswith(("/embed/", "/static/embed/")) for url in sizes), sizes
    assert sum(sizes.values()) < MOST, sizes


def test_the_scripts_keep_no_cookies_write_no_markup_on_the_site_and_name_whom_they_speak_to() -> None:
    """And keep what a site's strict policy asks for."""
    snippet, frame = (_SOURCES / "widget.js").read_text(), (_SOURCES / "frame.js").read_text()
    for script in (snippet, frame):
        assert "cookie" not in re.sub(r"//.*", "", script) and "eval(" not in script and "Function(" not in script
        for call in re.findall(r"postMessage\(.*\)", script):
            assert '"*"' not in call and call.rstrip(");").split(", ")[-1] in {"host", "parentOrigin"}, call
        assert re.search(r'data === null \|\| typeof data !== "object" \|\| data\.facet !== ', script)
    assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|setAttribute\(\"style", snippet)
    assert "origin !== host || source !== frame.contentWindow" in snippet
    assert "source !== parent || !config.origins.includes(origin)" in frame
