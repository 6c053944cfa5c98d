"""The playground's page: what it offers to whom, what it keeps, the same call as code."""

from typing import Any

from django.test.utils import CaptureQueriesContext

from tests import make
from tests.make import client_of
from tests.playground.conftest import World


def test_it_shows_what_is_live_beside_what_is_newest(world: World) -> None:
    response = client_of(world.cast.bob).get("/playground/?prompt=support/answer")
    bench = response.context["bench"]
    assert [(one.version, one.model) for one in bench.set_ups] == [("1", "support-chat@production")] * 1 + [
        ("2", "support-chat@production")
    ]
    assert [one["name"] for one in response.context["fields"]] == ["order", "question"]
    assert [one["name"] for one in response.context["more_fields"]] == ["plan"]
    html = response.content.decode()
    assert 'name="var-order" value="7"' in html, "an example stands in its field"
    assert "fake/fake-model" not in html, "exact versions are for operators"
    assert "fake/fake-model" in client_of(world.cast.operator).get("/playground/").content.decode()


def test_it_hides_other_teams_prompts_and_models(world: World) -> None:
    world.alias.teams.set([world.cast.team_a])
    stranger = client_of(world.cast.charlie)
    html = stranger.get("/playground/?prompt=support/answer").content.decode()
    assert "No model to try" in html
    assert "Question:" not in html
    make.make_alias("for-all", production=world.model)
    html = stranger.get("/playground/?prompt=support/answer").content.decode()
    assert "There is no prompt" in html
    assert "support-chat" not in html
    assert '<option value="support/answer">' not in html


def test_it_keeps_what_was_typed(world: World) -> None:
    bob = client_of(world.cast.bob)
    response = bob.post("/playground/", {**world.form, "do": "add", "a-answer": "Kept."})
    bench = response.context["bench"]
    assert [one.letter for one in bench.set_ups] == ["a", "b", "c"]
    assert bench.set_ups[2].model == "support-chat@production"
    assert (bench.set_ups[0].answer, bench.set_ups[0].parameters["temperature"]) == ("Kept.", "0.3")
    response = bob.post("/playground/", {**world.form, "do": "remove-a"})
    assert [(one.letter, one.version) for one in response.context["bench"].set_ups] == [("a", "2")]
    # What cannot be asked is said in its own column, and nothing typed is lost.
    wrong = {**world.form, "do": "run", "a-temperature": "warm", "b-version": "99"}
    response = bob.post("/playground/", wrong)
    assert [one.error for one in response.context["bench"].set_ups] == [
        "Temperature is a number; this is 'warm'.",
        "The prompt 'support/answer' has no version 99."
        " Its page (GET /api/prompts/support/answer/-/versions/) lists those it has.",
    ]
    assert 'value="warm"' in response.content.decode()
    response = bob.post("/playground/", {**world.form, "prompt": "no/such", "do": "run"})
    assert response.status_code == 422
    assert "no/such" in response.content.decode()


def test_it_writes_the_call_as_code(world: World) -> None:
    bob = client_of(world.cast.bob)
    tricky = {**world.form, "var-question": 'It\'s "late"\n</script>'}
    response = bob.post("/playground/code/?set-up=a", tricky)
    curl, python, javascript = response.context["snippets"]
    assert "'It'\"'\"'s" not in curl.text.splitlines()[0]
    assert '"version": 1' in curl.text and '"temperature": 0.3' in curl.text
    compile(python.text, "snippet", "exec")
    assert "from os import environ" in python.text and "extra_body=" in python.text and "'order': 12" in python.text
    assert '"id": "support/answer"' in javascript.text
    assert "</script>" not in response.content.decode().split("<main")[1].split("</main>")[0].replace(
        "&lt;/script&gt;", ""
    )
    assert bob.post("/playground/code/?set-up=z", world.form).status_code == 404


def test_it_asks_as_often_however_much_there_is(world: World, django_assert_num_queries: Any) -> None:
    from django.db import connection

    bob = client_of(world.cast.bob)
    bob.get("/playground/?prompt=support/answer")
    with CaptureQueriesContext(connection) as before:
        bob.get("/playground/?prompt=support/answer")
    for number in range(5):
        make.save(world.prompt, f"Take {number}. {{{{question}}}} {{{{order}}}} {{{{plan}}}}")
        make.make_prompt(world.cast.team_a)
        make.make_alias(production=world.model, sandbox=world.model)
    with django_assert_num_queries(len(before)):
        bob.get("/playground/?prompt=support/answer")
