"""A prompt's page, its versions for ever, comparing, and what uses it."""

import html

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from console.core.clock import now
from console.teams.models import User
from prompts_app import tabs
from prompts_app.models import PromptUse, Visibility
from tests import make
from tests.conftest import Cast
from tests.prompts.pages.conftest import SignedIn


def test_it_shows_a_version_to_those_who_may_see_it(cast: Cast, signed_in: SignedIn, bella: User) -> None:
    prompt = make.make_prompt(cast.team_a, "support/answer", "Hello {{name}} <b>\u202e\n\\{{not}}")
    make.save(prompt, "Hello {{name}}, in {{language}}", message="Say the language")
    page = signed_in(cast.bob).get("/prompts/support/answer/").content.decode()
    assert "Say the language" in page and '<span class="var">{{language}}</span>' in page
    assert "Edit as" not in page and "Roll back" not in page and "Publish v2" not in page
    old = signed_in(cast.bob).get("/prompts/support/answer/-/versions/1/").content.decode()
    assert "&lt;b&gt;" in old and "U+202E" in old and '<span class="var">{{not}}' not in old
    builder = signed_in(bella).get("/prompts/support/answer/").content.decode()
    assert "Edit as v3" in builder and "Publish v2 to production" in builder
    for path in ("", "-/versions/1/", "-/compare/", "-/where-used/", "-/settings/"):
        assert signed_in(cast.charlie).get(f"/prompts/support/answer/{path}").status_code == 404, path
        assert signed_in(cast.bob).get(f"/prompts/support/answer/{path}").status_code == 200, path
    assert signed_in(cast.bob).get("/prompts/support/answer/-/versions/9/").status_code == 404
    assert signed_in(cast.bob).get("/prompts/support/answer/-/versions/99999999999/").status_code == 404


def test_others_read_what_is_shared_and_change_nothing(cast: Cast, signed_in: SignedIn) -> None:
    make.make_prompt(cast.team_a, "shared/tone", visibility=Visibility.ORGANISATION)
    page = signed_in(cast.charlie).get("/prompts/shared/tone/").content.decode()
    assert "For every team" in page and "Edit as" not in page
    assert (
        b"All label rules" not in signed_in(cast.charlie).get("/prompts/shared/tone/-/settings/").content
    )  # a 404 to them
    assert signed_in(cast.charlie).get("/prompts/shared/tone/-/edit/").status_code == 403
    assert signed_in(cast.charlie).post("/prompts/shared/tone/-/publish/", {"version": 1}).status_code == 403


def test_it_compares_any_two_versions(cast: Cast, signed_in: SignedIn) -> None:
    prompt = make.make_prompt(cast.team_a, "answer", "one\ntwo\nthree {{name}}")
    make.save(prompt, "one\n2\nthree {{name}}", parameters={"temperature": 0.2})
    make.save(prompt, "one\n2\nthree {{name}} {{plan}}")
    client = signed_in(cast.bob)
    newest = client.get("/prompts/answer/-/compare/").content.decode()
    assert "v1 to v3" in newest and "New variable" in newest, "production against the newest"
    two = client.get("/prompts/answer/-/compare/?a=1&b=2&view=inline").content.decode()
    assert "v1 to v2" in two and "New parameter" in two and "removed:" in two
    turned = client.get("/prompts/answer/-/compare/?a=2&b=1").content.decode()
    assert "v1 to v2" in turned, "the older one stands on the left"
    assert "The two are the same" in client.get("/prompts/answer/-/compare/?a=2&b=2").content.decode()
    piece = client.get("/prompts/answer/-/compare/?a=1&b=2", headers={"HX-Request": "true"}).content.decode()
    assert 'id="comparison"' in piece and "<html" not in piece
    assert client.get("/prompts/answer/-/compare/?a=1&b=77").status_code == 404
    assert client.get("/prompts/answer/-/compare/?a=x&b=-1").status_code == 200


def test_it_says_what_uses_a_prompt(cast: Cast, signed_in: SignedIn) -> None:
    tone = make.make_prompt(cast.team_a, "tone", "Be kind.", kind="partial", visibility=Visibility.ORGANISATION)
    make.make_prompt(cast.team_a, "mine", "{{> tone}}")
    make.make_prompt(cast.team_b, "theirs", "{{> tone}}")
    PromptUse.objects.create(prompt=tone, day=now().date(), surface="api", number=1, calls=12)
    page = signed_in(cast.bob).get("/prompts/tone/-/where-used/").content.decode()
    assert 'href="/prompts/mine/"' in page and "theirs" not in page and "1 of teams you do not belong to" in page
    assert "12 calls in 30 days" in page
    assert "Nothing uses it yet" in signed_in(cast.bob).get("/prompts/mine/-/where-used/").content.decode()


def test_its_queries_do_not_grow_with_versions(cast: Cast, signed_in: SignedIn, bella: User) -> None:
    prompt = make.make_prompt(cast.team_a, "answer")
    client = signed_in(bella)

    def queries(path: str) -> int:
        with CaptureQueriesContext(connection) as seen:
            assert client.get(path).status_code == 200
        return len(seen)

    paths = ("/prompts/answer/", "/prompts/answer/-/compare/", "/prompts/answer/-/where-used/")
    queries(paths[0])  # the first page of a session reads what the next ones know
    few = [queries(path) for path in paths]
    for number in range(35):
        make.publish(prompt, make.save(prompt, f"text {number}"), label=f"l{number}")
    assert [queries(path) for path in paths] == few
    page = client.get("/prompts/answer/").content.decode()
    assert "Older versions" in page
    older = client.get("/prompts/answer/?before=7").content.decode()
    assert '<b class="medium num">v6</b>' in older and '<b class="medium num">v7</b>' not in older


def test_other_rooms_add_tabs_and_buttons(cast: Cast, signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch) -> None:
    make.make_prompt(cast.team_a, "answer")
    monkeypatch.setattr(tabs, "TABS", [])
    monkeypatch.setattr(tabs, "ACTIONS", [])
    for _ in range(2):
        tabs.add_tab(tabs.Tab("tests", "Tests", lambda prompt: f"/prompts/{prompt.slug}/-/tests/", lambda _: 3))
        tabs.add_action(tabs.Action("Try it", "play", lambda prompt, version: f"/try/?prompt={version}"))
    page = signed_in(cast.bob).get("/prompts/answer/").content.decode()
    assert page.count('href="/prompts/answer/-/tests/"') == 1
    assert page.count('href="/try/?prompt=answer@1"') == 1


def test_its_call_names_an_alias_of_its_team(cast: Cast, signed_in: SignedIn) -> None:
    make.make_prompt(cast.team_a, "support/answer", "Hello")
    assert "&quot;model&quot;: &quot;ALIAS&quot;" in signed_in(cast.bob).get("/prompts/support/answer/").text
    make.make_alias("theirs").teams.add(cast.team_b)
    make.make_alias("ours").teams.add(cast.team_a)
    assert "&quot;model&quot;: &quot;ours&quot;" in signed_in(cast.operator).get("/prompts/support/answer/").text


def test_it_shows_what_its_partials_ask_for(cast: Cast, signed_in: SignedIn) -> None:
    make.make_prompt(cast.team_a, "tone", "Sign as {{signature}}.", kind="partial")
    make.make_prompt(cast.team_a, "answer", "Hello {{name}}. {{> tone}}")
    page = signed_in(cast.bob).get("/prompts/answer/").content.decode()
    assert '<code class="var">signature</code>' in page and ", of a partial" in page
    call = html.unescape(page[page.index('id="call"') :])
    assert '"signature": "signature"' in call and '"name": "name"' in call, "a call without it is refused"
