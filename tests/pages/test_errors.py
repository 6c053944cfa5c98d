"""What was refused, is missing or broke: a page with the request's id, a toast for htmx, JSON under /api/."""

import json
import logging
from collections.abc import Iterator
from logging.handlers import BufferingHandler
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory, override_settings
from django.urls import path, reverse
from psycopg.errors import QueryCanceled

from console.api.exceptions import handle
from console.core.errors import Conflict, ProviderError
from console.core.ids import uuid7
from console.core.outage import is_database_away
from console.pages import context
from console.pages.views import errors
from console.teams.access import PUBLIC, needs
from console.urls import handler400, handler403, handler404, handler429, handler500  # noqa: F401
from console.urls import urlpatterns as usual
from tests import make
from tests.conftest import Cast

HTMX = {"HTTP_HX_REQUEST": "true"}


@needs(PUBLIC)
def conflict(request: HttpRequest) -> HttpResponse:
    raise Conflict("Somebody moved the pin first.", retry_after=7)


@needs(PUBLIC)
def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("the secret of the house")


@needs(PUBLIC)
def away(request: HttpRequest) -> HttpResponse:
    raise OperationalError("connection to server at 10.1.2.3 failed")


urlpatterns = [*usual, path("conflict/", conflict), path("broken/", broken), path("away/", away)]


@pytest.fixture
def with_traps() -> Iterator[None]:
    with override_settings(ROOT_URLCONF=__name__):
        yield


def test_it_says_nothing_is_here(client: Client, db: None) -> None:
    response = client.get("/nowhere/")
    assert response.status_code == 404
    assert "Nothing here" in response.text
    assert response["X-Request-Id"] in response.text


def test_whoever_is_let_in_keeps_the_navigation(client: Client, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Breadcrumb" not in client.get("/nowhere/").text
    client.force_login(cast.bob)
    for address, status in (("/nowhere/", 404), (f"/runs/run_{uuid7().hex}/", 404), ("/settings/", 403)):
        page = client.get(f"{address}?team={cast.team_b.slug}")
        assert page.status_code == status and 'href="/runs/"' in page.text and page["X-Request-Id"] in page.text
        assert cast.team_b.name not in page.text
        assert f"<b>{'Not found' if status == 404 else 'Not allowed'}</b>" in page.text

    for error in (OperationalError, InterfaceError):
        monkeypatch.setattr(context, "waiting_for", Mock(side_effect=error("connection to server at 10.1.2.3 failed")))
        page = client.get("/nowhere/")
        assert page.status_code == 404 and "Nothing here" in page.text
        assert "Breadcrumb" not in page.text and "10.1.2.3" not in page.text


def test_it_sends_strangers_to_sign_in(client: Client, db: None) -> None:
    response = client.get("/settings/?a=b")
    assert response.status_code == 302
    assert response["Location"] == "/accounts/login/?next=/settings/%3Fa%3Db"


def test_it_says_why_a_member_may_not(client: Client, cast: Cast) -> None:
    client.force_login(cast.bob)
    response = client.get("/settings/")
    assert response.status_code == 403
    assert "Only operators of this installation can do that." in response.text
    assert response["X-Request-Id"] in response.text
    client.force_login(make.make_user())
    assert "You are in no team yet." in client.get("/runs/").text


def test_it_says_a_form_is_too_old(db: None) -> None:
    response = Client(enforce_csrf_checks=True).post("/profile/", {"name": "x"})
    assert response.status_code == 403
    assert "This form is too old" in response.text


def test_it_says_what_only_forms_open(client: Client, cast: Cast) -> None:
    client.force_login(cast.alice)
    response = client.get(reverse("knowledge:search", args=[uuid7()]))
    assert (response.status_code, response["Allow"]) == (405, "POST")
    assert errors.ONLY_FORMS in response.text and "Go to the overview" in response.text


def test_it_answers_htmx_with_a_toast(client: Client, db: None) -> None:
    response = client.get("/nowhere/", **HTMX)
    assert response.status_code == 404
    assert response.content == b""
    assert json.loads(response["HX-Trigger"])["toast"] == {"text": errors.NOT_FOUND, "tone": "bad"}


def test_it_answers_programs_in_json() -> None:
    response = errors.forbidden(RequestFactory().post("/api/teams/"))
    assert response.status_code == 403
    assert json.loads(response.content)["error"]["code"] == "policy_denied"


def test_it_shows_a_refusal_no_view_caught(client: Client, db: None, with_traps: None) -> None:
    response = client.get("/conflict/")
    assert response.status_code == 409
    assert "Somebody moved the pin first." in response.text
    assert response["Retry-After"] == "7"


def test_it_tells_htmx_a_refusal_in_a_toast(client: Client, db: None, with_traps: None) -> None:
    response = client.get("/conflict/", **HTMX)
    assert response.status_code == 409
    assert "Somebody moved the pin first." in response["HX-Trigger"]


def test_it_keeps_to_itself_what_broke(client: Client, db: None, with_traps: None) -> None:
    client.raise_request_exception = False
    response = client.get("/broken/")
    assert response.status_code == 500
    assert "Something broke" in response.text
    assert "secret of the house" not in response.text
    assert response["X-Request-Id"] in response.text


def test_it_says_that_the_database_is_away(client: Client, db: None, with_traps: None) -> None:
    client.raise_request_exception = False
    response = client.get("/away/")
    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert "cannot reach its database" in response.text and "10.1.2.3" not in response.text
    assert client.get("/away/", **HTMX).status_code == 503
    answer = handle(OperationalError("away"), {"request": SimpleNamespace(_request=RequestFactory().get("/api/"))})
    assert (answer.status_code, answer.data["error"]["code"]) == (503, "service_unavailable")
    slow = OperationalError("canceling statement due to statement timeout")
    slow.__cause__ = QueryCanceled()
    assert not is_database_away(slow), "a statement that took too long is a mistake of ours"


def test_the_api_says_of_trouble_upstream_when_to_try_again_and_what_was_at_fault() -> None:
    request = {"request": SimpleNamespace(_request=RequestFactory().get("/api/"))}
    full = handle(ProviderError("Many calls are under way.", status=503, code="upstream_full", retry_after=5), request)
    assert (full.status_code, full["Retry-After"], full.data["error"]["type"]) == (503, "5", "api_error")
    refused = handle(ProviderError("No such voice.", status=400, code="upstream_refused", param="voice"), request)
    assert (refused.data["error"]["param"], refused.data["error"]["type"]) == ("voice", "invalid_request_error")


def test_it_still_speaks_when_the_error_page_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken_render(*args: object, **kwargs: object) -> HttpResponse:
        raise RuntimeError

    monkeypatch.setattr(errors, "render", broken_render)
    response = errors.server_error(RequestFactory().get("/"))
    assert response.status_code == 500
    assert response["Content-Type"].startswith("text/plain")


def test_it_says_too_many_attempts(db: None) -> None:
    request = RequestFactory().get("/accounts/login/")
    response = errors.too_many_requests(request)
    assert response.status_code == 429
    assert errors.TOO_MANY in response.text


def test_it_keeps_pages_and_pieces_apart_in_caches(client: Client, cast: Cast) -> None:
    client.force_login(cast.bob)
    response = client.get("/profile/")
    assert response["Cache-Control"] == "no-store"
    assert "HX-Request" in response["Vary"]
    for data in (client.get("/api/teams/"), Client().get("/api/teams/")):
        assert data["Cache-Control"] == "no-store"


def test_it_forbids_everything_inline(client: Client, db: None) -> None:
    policy = client.get("/accounts/login/")["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy


def test_a_foreign_host_fills_no_log(client: Client) -> None:
    heard = BufferingHandler(100)
    logging.getLogger().addHandler(heard)
    try:
        assert client.get("/accounts/login/", headers={"Host": "evil.example"}).status_code == 400
    finally:
        logging.getLogger().removeHandler(heard)
    assert not [record for record in heard.buffer if "evil.example" in record.getMessage()]
