"""Providers: secrets stay secret and go to one host only; what is in use stays."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, ClassVar

import pytest
from django.test import Client

from console.audit.models import AuditEvent
from console.catalog.models import ModelVersion, Pin, PinFallback, Provider
from console.catalog.services.builtin import ensure_builtin
from console.catalog.services.providers import change_provider, create_provider, delete_provider
from console.core.crypto import decrypt
from console.core.errors import BadInput, Conflict
from console.providers.registry import KINDS
from console.teams.actors import SYSTEM
from tests import make
from tests.conftest import Cast

SECRET = "sk-of-the-test-0123456789"
FORM = {
    "name": "Open",
    "slug": "open",
    "kind": "openai",
    "base_url": "https://api.open.example/v1/",
    "secret": SECRET,
    "first_byte_seconds": "",
    "total_seconds": "",
}


def connect(**fields: Any) -> Provider:
    given = {"slug": "open", "name": "Open", "kind": "openai", "base_url": "https://a.example/v1", "secret": SECRET}
    return create_provider(actor=SYSTEM, **(given | fields))


def test_it_connects_a_provider(operator: Client) -> None:
    answer = operator.post("/models/new-provider/", FORM)
    assert answer.status_code == 302
    provider = Provider.objects.get(slug="open")
    assert provider.base_url == "https://api.open.example/v1"
    assert provider.secret != SECRET
    assert decrypt(provider.secret) == SECRET


def test_it_fills_the_form_from_a_preset(operator: Client) -> None:
    answer = operator.get("/models/new-provider/?preset=ollama")
    assert b'value="http://localhost:11434/v1"' in answer.content


def test_it_never_shows_a_secret_again(operator: Client) -> None:
    provider = connect()
    for url in (
        "/models/",
        "/models/providers/",
        "/models/providers/open/",
        f"/admin/catalog/provider/{provider.pk}/change/",
    ):
        page = operator.get(url, follow=True).content.decode()
        assert SECRET not in page
        assert provider.secret not in page
    assert SECRET not in "".join(line.detail for line in AuditEvent.objects.all())


def test_it_keeps_the_secret_when_the_form_leaves_it_empty(operator: Client) -> None:
    connect()
    fields = FORM | {"name": "Renamed", "secret": "", "base_url": "https://a.example/v2"}
    assert operator.post("/models/providers/open/", fields).status_code == 302
    provider = Provider.objects.get()
    assert (provider.name, decrypt(provider.secret)) == ("Renamed", SECRET)
    late = fields | {"name": "Typed", "secret": "an0ther", "seen_revision": "1"}
    piece = operator.post("/models/providers/open/", late, headers={"HX-Request": "true"})
    overtaken = operator.post("/models/providers/open/", late)
    assert (piece.status_code, overtaken.status_code) == (422, 409), "htmx swaps no 409"
    for page in (piece.text, overtaken.text):
        assert 'value="Typed"' in page and "“Name”, “New secret”; saving again" in page and "an0ther" not in page
        assert "Write it again: a secret is never sent back to a page." in page and 'revision" value="2"' in page
    assert operator.post("/models/providers/open/", late | {"seen_revision": "2"}).status_code == 302
    assert decrypt(Provider.objects.get(name="Typed").secret) == "an0ther"


def test_it_takes_the_secret_away_on_request(operator: Client) -> None:
    connect()
    operator.post(
        "/models/providers/open/", FORM | {"secret": "", "base_url": "https://a.example/v1", "clear_secret": "on"}
    )
    assert Provider.objects.get().secret == ""


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("address", "is_kept"),
    [
        ("https://a.example/v2", True),
        ("https://A.EXAMPLE/v1", True),
        ("https://a.example:443/v1", True),
        ("https://b.example/v1", False),
        ("https://a.example:8443/v1", False),
        ("http://a.example/v1", False),
        ("https://a.example.b.example/v1", False),
    ],
)
def test_another_host_clears_the_secret(address: str, is_kept: bool) -> None:
    changed = change_provider(actor=SYSTEM, provider=connect(), base_url=address)
    assert changed.has_secret is is_kept


@pytest.mark.django_db
def test_another_host_with_a_new_secret_keeps_the_new_one() -> None:
    changed = change_provider(actor=SYSTEM, provider=connect(), base_url="https://b.example/v1", secret="new-secret")
    assert decrypt(changed.secret) == "new-secret"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "address",
    [
        *(
            "ftp://a.example",
            "https://u:p@a.example/v1",
            "https://a.example/v1?x=1",
            "https://a.example/v1?",
            "a.example",
        ),
        *(
            "https://a.example/#f",
            "https://a.example/#",
            "http://169.254.169.254/",
            "http://10.0.0.1/v1",
            "http://[::ffff:10.0.0.1]/",
        ),
        *("http://2130706433/", "http://0x7f.1/", "https://", "https://a b.example/"),
    ],
)
def test_it_refuses_addresses_that_may_not_be_called(address: str) -> None:
    with pytest.raises(BadInput) as caught:
        connect(base_url=address)
    assert caught.value.param == "base_url"
    assert not Provider.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"kind": "magic"}, "kind"),
        ({"slug": "Not A Slug"}, "slug"),
        ({"secret": "two\nlines"}, "secret"),
        ({"first_byte_seconds": 0}, "first_byte_seconds"),
    ],
)
def test_it_names_the_field_that_is_wrong(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(BadInput) as caught:
        connect(**fields)
    assert caught.value.param == param


@pytest.mark.django_db
def test_a_short_name_is_taken_once() -> None:
    connect()
    with pytest.raises(Conflict):
        connect()


def test_it_shows_the_refusal_at_its_field(operator: Client) -> None:
    answer = operator.post("/models/new-provider/", FORM | {"base_url": "http://10.0.0.1/v1"})
    assert answer.status_code == 422
    assert b"private or reserved address" in answer.content
    assert SECRET.encode() not in answer.content


def test_it_disables_and_enables(operator: Client) -> None:
    connect()
    operator.post("/models/providers/open/enable/", {"enabled": "0"})
    assert not Provider.objects.get().is_enabled
    operator.post("/models/providers/open/enable/", {"enabled": "1"})
    operator.post("/models/providers/open/enable/", {"enabled": "1"})
    assert Provider.objects.get().is_enabled
    assert AuditEvent.objects.filter(action="provider.changed").count() == 2


def test_it_removes_a_provider_nothing_points_at(operator: Client) -> None:
    provider = connect()
    make.make_model("m", provider=provider)
    assert operator.post("/models/providers/open/delete/").status_code == 302
    assert not Provider.objects.exists()
    assert not ModelVersion.objects.exists()


def test_it_keeps_a_provider_pins_point_at(operator: Client) -> None:
    provider = connect()
    make.make_alias("x", production=make.make_model("m", provider=provider))
    answer = operator.post("/models/providers/open/delete/")
    assert answer.status_code == 409
    assert b"disable it instead" in answer.content
    with pytest.raises(Conflict):
        delete_provider(actor=SYSTEM, provider=provider)
    assert ModelVersion.objects.exists()


@pytest.mark.django_db
def test_another_kind_waits_until_no_pin_depends_on_it(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, "other", KINDS["openai"])
    provider = connect()
    alias = make.make_alias("support-chat", production=make.make_model("m", provider=provider))
    form = FORM | {"kind": "other", "secret": "", "base_url": provider.base_url}
    refused = operator.post(f"/models/providers/{provider.slug}/", form)
    assert (
        refused.status_code == 422 and "serves support-chat (production). Move those pins" in refused.content.decode()
    )
    over_api = operator.patch(
        f"/api/providers/{provider.slug}/", json.dumps({"kind": "other"}), content_type="application/json"
    )
    assert (over_api.status_code, over_api.json()["error"]["param"]) == (409, "kind")
    # A canary, a shadow and a fallback depend on it as much.
    own, pin = make.make_model("own"), alias.pins.get()
    Pin.objects.update(model_version=own, canary_version=pin.model_version, canary_percent=10)
    assert operator.post(f"/models/providers/{provider.slug}/", form).status_code == 422
    Pin.objects.update(canary_version=None, canary_percent=0, shadow_version=pin.model_version, shadow_percent=10)
    assert operator.post(f"/models/providers/{provider.slug}/", form).status_code == 422
    Pin.objects.update(shadow_version=None, shadow_percent=0)
    PinFallback.objects.create(pin=pin, position=1, model_version=pin.model_version, on=["error"])
    assert operator.post(f"/models/providers/{provider.slug}/", form).status_code == 422
    alias.pins.all().delete()
    assert operator.post(f"/models/providers/{provider.slug}/", form).status_code == 302
    changed = json.loads(AuditEvent.objects.filter(action="provider.changed").latest("id").detail)
    assert (changed["before"]["kind"], changed["after"]["kind"]) == ("openai", "other")
    assert Provider.objects.get(pk=provider.pk).has_secret, "the host is the same"


@pytest.mark.django_db
def test_the_built_in_provider_is_the_installations_own() -> None:
    provider = ensure_builtin(actor=SYSTEM, base_url="http://127.0.0.1:9/v1").provider
    with pytest.raises(BadInput, match="BUILTIN_MODEL=0"):
        change_provider(actor=SYSTEM, provider=provider, base_url="https://evil.example/v1")
    with pytest.raises(BadInput, match="BUILTIN_MODEL=0"):
        delete_provider(actor=SYSTEM, provider=provider)


def test_it_refuses_everybody_but_operators(cast: Cast, client: Client) -> None:
    connect()
    client.force_login(cast.alice)
    for url in ("/models/providers/", "/models/providers/open/", "/models/new-provider/"):
        assert client.get(url).status_code == 403
    for url in ("test", "enable", "delete"):
        assert client.post(f"/models/providers/open/{url}/").status_code == 403


class Upstream(BaseHTTPRequestHandler):
    """A provider that lists two models to those who have the secret."""

    seen: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        key = self.headers.get("Authorization", "") or self.headers.get("x-api-key", "")
        self.seen.append(f"{self.path} {key}")
        is_known = key in {f"Bearer {SECRET}", SECRET}
        body = json.dumps({"data": [{"id": "gpt-x"}, {"id": "gpt-y"}]} if is_known else {"error": {"message": "no"}})
        self.send_response(404 if not self.path.startswith("/v1/") else 200 if is_known else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def upstream() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Upstream)
    Upstream.seen.clear()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    thread.join()
    server.server_close()


def test_it_really_asks_the_provider(operator: Client, upstream: str) -> None:
    provider = connect(base_url=upstream)
    make.make_model("gpt-x", provider=provider)
    make.make_model("gpt-gone", provider=provider)
    page = operator.post("/models/providers/open/test/").content.decode()
    assert Upstream.seen == [f"/v1/models Bearer {SECRET}"]
    assert "It answered and names 2 models." in page
    assert "It does not name gpt-gone" in page
    assert 'name="models" value="gpt-y"' in page
    line = AuditEvent.objects.get(action="provider.tested")
    assert (line.status, line.target) == ("ok", "Open")


def test_it_asks_a_provider_of_another_kind_in_its_way(operator: Client, upstream: str) -> None:
    assert b'value="https://api.anthropic.com/v1"' in operator.get("/models/new-provider/?preset=anthropic").content
    operator.post("/models/new-provider/", FORM | {"kind": "anthropic", "base_url": upstream})
    page = operator.post("/models/providers/open/test/").content.decode()
    assert Upstream.seen == [f"/v1/models?limit=1000 {SECRET}"]
    assert "It answered and names 2 models." in page and 'value="gpt-y"' in page


def test_it_shows_the_result_in_place(operator: Client, upstream: str) -> None:
    connect(base_url=upstream, secret="wrong")
    answer = operator.post("/models/providers/open/test/", headers={"HX-Request": "true"})
    assert answer.content.lstrip().startswith(b'<div class="stack stack-4 side" id="connection"')
    assert b"did not accept this installation&#x27;s credentials" in answer.content
    assert AuditEvent.objects.get(action="provider.tested").status == "error"


def test_it_says_so_when_nobody_answers(operator: Client) -> None:
    connect(base_url="http://127.0.0.1:9/v1")
    assert b"The provider cannot be reached." in operator.post("/models/providers/open/test/").content


def test_it_says_what_it_asked_where_there_is_nothing(operator: Client, upstream: str) -> None:
    provider = connect(base_url=upstream.removesuffix("/v1"))
    page = operator.post("/models/providers/open/test/").content.decode()
    said = f"The provider has nothing at {provider.base_url}/models (404). Most base URLs end in /v1: try {upstream}."
    assert said in page
    assert AuditEvent.objects.get(action="provider.tested").reason == said
    change_provider(actor=SYSTEM, provider=provider, base_url=f"{provider.base_url}/api/v1")
    assert "/api/v1/models (404). Check the base URL." in operator.post("/models/providers/open/test/").content.decode()


def test_it_is_not_called_by_get(operator: Client, upstream: str) -> None:
    connect(base_url=upstream)
    assert operator.get("/models/providers/open/test/").status_code == 405
    assert Upstream.seen == []
