"""Bodies of requests to pages and the management API: too large is known before anything is kept or anybody asked."""

import re
from collections.abc import Iterator

import httpx2 as httpx
import pytest
from django.conf import settings as of_django

from console.batches.models import Batch, File
from console.teams import keys
from tests import make
from tests.batches.conftest import jsonl, line
from tests.conftest import Cast
from tests.live import LiveServer
from tests.make import client_of

LIMIT, FILE_LIMIT, FIELDS = 100_000, 1_000_000, 64 * 1024
TOO_MUCH = b"x" * (LIMIT + FIELDS + 1)


@pytest.fixture
def web(server: LiveServer, settings) -> Iterator[httpx.Client]:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE, settings.FILE_MAX_BYTES = LIMIT, FILE_LIMIT
    with httpx.Client(base_url=server.url, timeout=60, verify=False) as client:
        yield client


def pieces(body: bytes) -> Iterator[bytes]:
    """Yield a body whose length is not stated beforehand."""
    for start in range(0, len(body), 30_000):
        yield body[start : start + 30_000]


def test_strangers_can_send_little_wherever_they_send_it(web: httpx.Client) -> None:
    form = {"content-type": "multipart/form-data; boundary=b"}
    for path in ("/accounts/login/", "/batches/new/", "/nowhere/", "/api/v1/prompts/"):
        for body in (TOO_MUCH, pieces(TOO_MUCH)):
            refused = web.post(path, content=body, headers=form)
            assert refused.status_code == 413, path
            assert f"larger than {LIMIT + FIELDS:,} bytes" in refused.text
            assert ("error" in refused.json()) if path.startswith("/api/") else "<title>" in refused.text
    assert web.request("GET", "/accounts/login/", content=TOO_MUCH).status_code == 413
    assert web.get("/accounts/login/").status_code == 200, "the connection is good for the next request"


def test_files_may_be_larger_and_only_for_somebody_known(web: httpx.Client) -> None:
    cast = Cast()
    make.make_alias("support-chat", production=make.make_model())
    session = client_of(cast.bob)
    name = of_django.SESSION_COOKIE_NAME
    web.cookies.set(name, session.cookies[name].value)
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', web.get("/batches/new/").text)
    assert token is not None
    fields = {
        "csrfmiddlewaretoken": token[1],
        "team": cast.team_a.slug,
        "endpoint": "/v1/chat/completions",
        "environment": "production",
    }
    content = jsonl(*(line(n, user="u" * 1000) for n in range(500)))
    assert LIMIT + FIELDS < len(content) < FILE_LIMIT

    def upload(body: bytes) -> httpx.Response:
        return web.post("/batches/new/", data=fields, files={"file": ("many.jsonl", body, "application/jsonl")})

    assert upload(content).status_code == 302 and Batch.objects.count() == 1
    refused = upload(b"x" * (FILE_LIMIT + FIELDS))
    assert (refused.status_code, File.objects.count()) == (413, 1)

    shelf = make.make_collection(cast.team_a, "prices")
    text = b"Express delivery costs nine euros. " * 9_000
    assert LIMIT + FIELDS < len(text) < FILE_LIMIT

    def add(path: str, fields: dict[str, str], headers: dict[str, str] | None = None) -> int:
        return web.post(path, data=fields, files={"file": ("prices.md", text)}, headers=headers).status_code

    page, api = f"/knowledge/{shelf.pk}/documents/new/", f"/api/knowledge/collections/{shelf.pk}/documents/"
    web.cookies.clear()
    session.force_login(cast.alice)
    web.cookies.set(name, session.cookies[name].value)
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', web.get(page).text)
    assert token is not None and add(page, {"csrfmiddlewaretoken": token[1]}) == 302

    web.cookies.clear()
    web.cookies.set(name, "made-up")
    assert upload(content).status_code == 413 and File.objects.count() == 1
    _, key = make.make_key(cast.team_a, scopes=["prompts:write"])
    unknown = keys.generate("production")
    for given, status in ((f"Bearer {key}", 201), (f"Bearer {unknown}", 413), ("", 413)):
        assert add(api, {"name": f"Prices {status}"}, {"Authorization": given}) == status
    assert shelf.documents.count() == 2
    calls, sent = make.make_key(cast.team_a, scopes=["models:call"])[1], dict(list(fields.items())[1:])
    for text, status in ((calls, 201), (unknown, 413)):
        files = {"file": ("many.jsonl", content, "application/jsonl")}
        said = web.post("/api/batches/", data=sent, files=files, headers={"Authorization": f"Bearer {text}"})
        assert said.status_code == status, said.text
    assert Batch.objects.count() == 2
