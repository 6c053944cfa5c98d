"""The list of prompts: folders, search, filters, pages; and never more queries for more prompts."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from console.teams.models import User
from prompts_app.models import Prompt, Visibility
from prompts_app.queries import listing
from tests import make
from tests.conftest import Cast
from tests.prompts.pages.conftest import SignedIn


def names(page: Any) -> list[str]:
    return [row.prompt.slug for row in page.context["page"].rows]


def test_it_lists_filters_and_hides(cast: Cast, signed_in: SignedIn, bella: User) -> None:
    answer = make.make_prompt(cast.team_a, "support/chat/answer", "Answer about refunds.", tags=["live"])
    make.make_prompt(cast.team_a, "support/triage", "Sort {{ticket}}.", live=None, description="By urgency")
    make.make_prompt(cast.team_a, "style", "Write plainly.", kind="partial", live="beta")
    make.make_prompt(cast.team_b, "secret/plan", "Refunds for nobody.")
    make.make_prompt(cast.team_b, "shared/tone", "Be kind.", visibility=Visibility.ORGANISATION)
    Prompt.objects.filter(pk=answer.pk).update(calls=7)
    client = signed_in(bella)

    page = client.get("/prompts/")
    assert names(page) == ["support/chat/answer", "shared/tone", "style", "support/triage"]
    assert b"secret/plan" not in page.content
    assert b"New prompt" in page.content
    assert [folder.path for folder in page.context["tree"].top] == ["shared", "support"]
    found = {
        "?folder=support": ["support/chat/answer", "support/triage"],
        "?folder=support/chat": ["support/chat/answer"],
        "?q=refund": ["support/chat/answer"],
        "?q=urgency": ["support/triage"],
        "?q=chat/ans": ["support/chat/answer"],
        "?label=beta": ["style"],
        "?tag=live": ["support/chat/answer"],
        "?kind=partial": ["style"],
        "?unused=1": ["shared/tone", "style", "support/triage"],
        "?sort=name": ["shared/tone", "style", "support/chat/answer", "support/triage"],
        "?sort=changed": ["shared/tone", "style", "support/triage", "support/chat/answer"],
        "?team=team-a&q=plain": ["style"],
        "?q=%25_'&folder=..": [],
        "?q=%00refund": ["support/chat/answer"],
    }
    for query, slugs in found.items():
        assert names(client.get(f"/prompts/{query}")) == slugs, query
    crumbs = client.get("/prompts/?folder=support/chat")
    assert crumbs.context["tree"].crumbs == [("support", "support"), ("support/chat", "chat")]
    assert [folder.path for folder in crumbs.context["tree"].top[1].children] == ["support/chat"]
    assert client.get("/prompts/?team=team-b").status_code == 404


def test_it_refuses_to_show_buttons_and_strangers(cast: Cast, signed_in: SignedIn) -> None:
    make.make_prompt(cast.team_a, "a/prompt")
    assert b"New prompt" not in signed_in(cast.bob).get("/prompts/").content
    assert names(signed_in(cast.charlie).get("/prompts/")) == []
    assert b"Write the first prompt" in signed_in(cast.charlie).get("/prompts/").content


def test_it_answers_htmx_with_the_rows(cast: Cast, signed_in: SignedIn) -> None:
    make.make_prompt(cast.team_a, "a/prompt")
    piece = signed_in(cast.bob).get("/prompts/?q=prompt", headers={"HX-Request": "true"}).content.decode()
    assert 'id="rows"' in piece and "a/prompt" not in piece.partition("<html")[2] and "<html" not in piece


def test_it_pages_both_ways(cast: Cast, signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "PAGE_ROWS", 2)
    for number in range(5):
        prompt = make.make_prompt(cast.team_a, f"p/{number}", live=None)
        Prompt.objects.filter(pk=prompt.pk).update(calls=number // 2)
    client = signed_in(cast.bob)
    for sort, order in {"use": "42301", "name": "01234", "changed": "43210"}.items():
        seen, query = [], ""
        pages = []
        while True:
            page = client.get(f"/prompts/?sort={sort}{query}")
            pages.append(names(page))
            seen += pages[-1]
            if not page.context["page"].after:
                break
            query = f"&cursor={page.context['page'].after}"
        assert "".join(slug[-1] for slug in seen) == order, sort
        back = client.get(f"/prompts/?sort={sort}&cursor={page.context['page'].before}")
        assert names(back) == pages[-2]
    for wrong in ("x", "W10", "WyJ4Il0", "WzEsMiwzXQ", "W2ZhbHNlLCJ4IiwieSJd", "W1tb" * 2_000):
        assert client.get(f"/prompts/?sort=use&cursor={wrong}").status_code == 400, wrong


def test_its_queries_do_not_grow(cast: Cast, signed_in: SignedIn) -> None:
    client = signed_in(cast.alice)

    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert client.get("/prompts/").status_code == 200
        return len(seen)

    make.make_prompt(cast.team_a, "one/a")
    queries()  # the first page of a session reads what the next ones know
    few = queries()
    for number in range(12):
        make.make_prompt(cast.team_a, f"folder{number}/x", tags=[f"t{number}"])
    assert queries() == few
