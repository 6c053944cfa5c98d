import json
import re
import shlex
import tomllib
from html import unescape

from django.test import Client, override_settings

from console.pages.views.docs import operations
from tests import make
from tests.conftest import Cast


def test_it_speaks_with_the_readers_own_address_and_alias(client: Client, cast: Cast) -> None:
    version = make.make_model()
    make.make_alias("zebra", production=version)
    make.make_alias("assistant", production=version)
    client.force_login(cast.bob)
    html = client.get("/docs/", headers={"host": "localhost:9999"}).text
    assert "curl http://localhost:9999/v1/chat/completions" in html
    assert html.count('base_url="http://localhost:9999/v1"'.replace('"', "&quot;")) + html.count(
        'base_url="http://localhost:9999/v1"'
    )
    assert 'model="assistant"' in html
    assert html.count("export ANTHROPIC_BASE_URL=http://localhost:9999\n") == 2
    assert html.count("export OPENAI_BASE_URL=http://localhost:9999/v1\n") == 1
    assert tomllib.loads(unescape(html.split('id="code-codex"')[1].split(">", 1)[1].split("</pre>")[0])) == {
        "model": "assistant",
        "model_provider": "facet",
        "web_search": "disabled",
        "model_providers": {
            "facet": {
                "name": "Facet",
                "base_url": "http://localhost:9999/v1",
                "env_key": "FACET_KEY",
                "wire_api": "responses",
            }
        },
    }
    assert "assistant@sandbox" in html


def test_it_speaks_with_the_configured_address_in_production(client: Client, cast: Cast) -> None:
    client.force_login(cast.bob)
    with override_settings(IS_PRODUCTION=True, BASE_URL="https://ai.example.com"):
        assert "curl https://ai.example.com/v1/chat/completions" in client.get("/docs/").text


def test_it_lists_only_aliases_the_reader_may_call(client: Client, cast: Cast) -> None:
    version = make.make_model()
    make.make_alias("ours", production=version).teams.add(cast.team_a)
    make.make_alias("theirs", production=version).teams.add(cast.team_b)
    make.make_alias("unpinned")
    client.force_login(cast.bob)
    html = client.get("/docs/").text
    assert ">ours</li>" in html
    assert "theirs" not in html
    assert "unpinned" not in html


def test_it_says_what_to_do_without_an_alias(client: Client, cast: Cast) -> None:
    client.force_login(cast.bob)
    assert "An operator pins the first one" in client.get("/docs/").text


def test_it_never_shows_a_key(client: Client, cast: Cast) -> None:
    client.force_login(cast.alice)
    html = client.get("/docs/").text
    assert "$FACET_KEY" in html
    assert cast.kim_text not in html


def test_it_lists_every_operation_of_the_management_api(client: Client, cast: Cast) -> None:
    client.force_login(cast.bob)
    html = client.get("/docs/api/").text
    ids = re.findall(r' id="([^"]+)"', html)
    assert len(ids) == len(set(ids)), "a heading must not take the name of what the frame opens, as its keys"
    found = [operation for _, group in operations() for operation in group]
    assert found
    for operation in found:
        assert f'id="{operation.id}"' in html
        assert operation.path.startswith("/api/")
        body = json.loads(shlex.split(operation.body)[0])
        assert set(body) >= {name for name, _, is_required in operation.fields if is_required}, operation.id
        assert bool(body) == bool(operation.fields), operation.id


def test_it_is_for_people_who_signed_in(client: Client, db: None) -> None:
    assert client.get("/docs/").status_code == 302
    assert client.get("/docs/api/").status_code == 302
