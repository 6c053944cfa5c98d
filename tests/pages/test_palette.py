import re

import pytest
from django.test import Client

from agents_app.models import Agent
from agents_app.tools.queue import items
from console.batches.services.batches import create_batch
from console.batches.services.creator import Creator
from console.batches.services.files import upload_file
from console.core.ids import request_id, uuid7
from console.teams.actors import SYSTEM
from tests import make
from tests.conftest import Cast

HTMX = {"HTTP_HX_REQUEST": "true"}


def labels(html: str) -> list[str]:
    return re.findall(r'class="truncate">([^<]+)</span>', html.partition('class="palette-list"')[2] or html)


def test_it_finds_pages_and_actions_without_words(client: Client, cast: Cast) -> None:
    client.force_login(cast.alice)
    found = labels(client.get("/palette/", **HTMX).text)
    assert {"Overview", "API keys", "Audit log", "New API key", "Your profile"} <= set(found)
    assert "Settings" not in found
    assert "Connect a provider" not in found


def test_it_offers_members_only_what_they_may(client: Client, cast: Cast) -> None:
    client.force_login(cast.bob)
    found = labels(client.get("/palette/", **HTMX).text)
    assert "Overview" in found
    assert not {"API keys", "Audit log", "New API key", "Settings"} & set(found)


def test_it_finds_by_the_beginnings_of_words(client: Client, cast: Cast) -> None:
    client.force_login(cast.operator)
    assert labels(client.get("/palette/?q=aud lo", **HTMX).text)[0] == "Audit log"
    assert "Alert rules" in labels(client.get("/palette/?q=latency", **HTMX).text)
    assert "Settings" in labels(client.get("/palette/?q=conf", **HTMX).text)


def test_it_finds_teams_keys_aliases_and_models_of_ones_own(client: Client, cast: Cast) -> None:
    version = make.make_model("meridian-large")
    make.make_alias("support-chat", production=version).teams.add(cast.team_a)
    make.make_prompt(cast.team_a, "refunds/answer")
    make.make_widget(cast.team_a, name="Help centre")
    make.make_document(make.make_collection(cast.team_a, "shelf"), "Delivery times")
    client.force_login(cast.alice)
    assert labels(client.get("/palette/?q=shel", **HTMX).text) == ["Shelf"]
    assert labels(client.get("/palette/?q=delivery", **HTMX).text) == ["Delivery times"]
    agent = Agent.objects.get(team=cast.team_a)
    assert agent.name in labels(client.get("/palette/", {"q": agent.slug}, **HTMX).text)
    assert "refunds/answer" in labels(client.get("/palette/?q=refund", **HTMX).text)
    assert "Help centre" in labels(client.get("/palette/?q=help", **HTMX).text)
    assert "Team A" in labels(client.get("/palette/?q=team", **HTMX).text)
    assert "kim" in labels(client.get("/palette/?q=kim", **HTMX).text)
    assert "kim" in labels(client.get(f"/palette/?q={cast.kim_text}", **HTMX).text)
    assert "support-chat" in labels(client.get("/palette/?q=support", **HTMX).text)
    assert "meridian-large" in labels(client.get("/palette/?q=meridian", **HTMX).text)


def test_it_hides_other_teams_things(client: Client, cast: Cast) -> None:
    version = make.make_model("meridian-large")
    make.make_alias("support-chat", production=version).teams.add(cast.team_a)
    make.make_prompt(cast.team_a, "refunds/answer")
    agent = make.make_widget(cast.team_a, name="Help centre").agent
    make.make_document(make.make_collection(cast.team_a, "shelf"), "Delivery times")
    client.force_login(cast.charlie)
    hidden = {"Team A", "kim", "support-chat", "meridian-large", "refunds/answer", "Help centre", agent.name}
    hidden |= {"Shelf", "Delivery times"}
    others = ("Team A", "kim", cast.kim_text, "support", "meridian", "refund", "help", agent.slug, "shel", "delivery")
    for words in others:
        found = labels(client.get("/palette/", {"q": words}, **HTMX).text)
        assert not hidden & set(found), words


def test_it_opens_a_record_by_its_request_id(client: Client, cast: Cast) -> None:
    shown = request_id(uuid7())
    client.force_login(cast.alice)
    assert f'href="/audit/{shown}/"' in client.get(f"/palette/?q={shown}", **HTMX).text
    client.force_login(cast.bob)
    assert "/audit/" not in client.get(f"/palette/?q={shown}", **HTMX).text


def test_it_opens_what_a_program_was_told_the_id_of(client: Client, cast: Cast) -> None:
    run = make.make_run(make.make_agent(cast.team_a, "helper"), cast.alice)
    creator = Creator(SYSTEM, cast.team_a, "production")
    file = upload_file(creator=creator, filename="a.jsonl", purpose="batch", content=[b"{}"])
    batch = create_batch(creator=creator, file=file, endpoint="/v1/embeddings")
    response = f"resp_{uuid7().hex}"
    item, _ = items.put(queue=make.make_queue(cast.team_a, "mail"), body={"order": 17}, put_by_name="Alice")
    shown_item = f"item_{item.pk.hex}"
    told = {
        shown_item: f"/tools/queues/{item.queue_id}/?item={shown_item}",
        run.public_id: f"/runs/{run.public_id}/",
        f"chatcmpl-{run.pk.hex}": f"/runs/{run.public_id}/",
        batch.public_id: f"/batches/{batch.pk}/",
        file.public_id: f"/batches/{batch.pk}/",
        response: f"/audit/?q={response}",
    }
    client.force_login(cast.alice)
    for shown, url in told.items():
        assert f'href="{url}"' in client.get(f"/palette/?q={shown}", **HTMX).text, shown
    client.force_login(cast.charlie)
    for shown in [*told][:5]:
        assert "Nothing matches" in client.get(f"/palette/?q={shown}", **HTMX).text, shown


def test_it_keeps_the_team_in_scope(client: Client, cast: Cast) -> None:
    client.force_login(cast.alice)
    assert "/keys/?team=team-a" in client.get("/palette/?team=team-a", **HTMX).text


def test_it_answers_the_dialog_with_options_and_everybody_else_with_a_page(client: Client, cast: Cast) -> None:
    client.force_login(cast.alice)
    piece = client.get("/palette/?q=over", **HTMX).text
    page = client.get("/palette/?q=over").text
    assert "<html" not in piece
    assert 'role="option"' in piece
    assert "<h1>Search or jump to</h1>" in page
    assert 'role="option"' not in page


@pytest.mark.parametrize("words", ["zzz", "<script>", "%", "req_", "x" * 500])
def test_it_says_when_nothing_matches(client: Client, cast: Cast, words: str) -> None:
    client.force_login(cast.alice)
    response = client.get("/palette/", {"q": words}, **HTMX)
    assert "Nothing matches" in response.text
    assert "<script>" not in response.text


def test_it_asks_a_fixed_number_of_questions(client: Client, cast: Cast, django_assert_max_num_queries) -> None:
    client.force_login(cast.alice)
    for number in range(8):
        make.make_key(cast.team_a, f"kim {number}")
    client.get("/palette/", **HTMX)  # the session's first sight is written down once
    with django_assert_max_num_queries(13):
        client.get("/palette/?q=kim", **HTMX)


def test_it_needs_somebody_signed_in(client: Client, db: None) -> None:
    assert client.get("/palette/", **HTMX).status_code == 401
