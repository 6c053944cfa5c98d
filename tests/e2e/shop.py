"""Somebody else's site with the snippet: static, on another origin, with a strict policy."""

import functools
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import FrameLocator, Page

from tests.live import free_port

_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A shop</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,"></head>
<body><main><h1>A shop</h1><p>{words}</p></main>{scripts}</body></html>"""


class Site:
    """A static site on a port of its own, with a policy that allows what the widget's documentation asks for."""

    def __init__(self, host: str, *public_ids: str) -> None:
        scripts = "".join(f'<script src="{host}/embed/{one}.js" async></script>' for one in public_ids)
        self.body = _PAGE.format(words="Fine things. " * 60, scripts=scripts).encode()
        self.policy = (
            f"default-src 'none'; script-src {host}; frame-src {host}; connect-src {host}; img-src data:;"
            " base-uri 'none'; require-trusted-types-for 'script'"
        )
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), functools.partial(_Handler, self))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join(5)
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, site: Site, *arguments: object) -> None:
        self.site = site
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Security-Policy", self.site.policy)
        self.end_headers()
        self.wfile.write(self.site.body)

    def log_message(self, *_: object) -> None:
        return


OpenSite = Callable[..., Site]


@pytest.fixture
def open_site(site: str) -> Iterator[OpenSite]:
    sites: list[Site] = []

    def open_(*public_ids: str) -> Site:
        sites.append(Site(site, *public_ids))
        return sites[-1]

    yield open_
    for one in sites:
        one.stop()


def frame_of(page: Page, title: str = "Ask the shop") -> FrameLocator:
    return page.frame_locator(f'iframe[title="{title}"]')
