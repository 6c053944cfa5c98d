"""The playground's page: what it offers to whom, what it keeps, the same call as code."""

import json
from io import BytesIO
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test.utils import CaptureQueriesContext
from PIL import Image

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
    response = bob.post("/playground/", wrong | {"b-version": "9" * 5_000})
    assert "has no version 0." in response.context["bench"].set_ups[1].error
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


def test_pictures_and_words_of_files_stand_before_the_last_message(world: World) -> None:
    bob, out = client_of(world.cast.bob), BytesIO()
    Image.new("RGB", (40, 20), "red").save(out, "PNG")
    sent = {**world.form, "do": "attach", "t-0-role": "user", "t-0-text": "First."}
    chosen = [SimpleUploadedFile("a.png", out.getvalue()), SimpleUploadedFile("b.txt", b"North side.")]
    response = bob.post("/playground/", {**sent, "files": chosen})
    first, picture, words = response.context["bench"].turns
    assert (first.text, words.role, words.text) == ("First.", "user", "File b.txt:\n\nNorth side.")
    (part,) = json.loads(picture.raw)["content"]
    html = response.content.decode()
    assert part["type"] == "image_url" and f'<img src="{part["image_url"]["url"]}"' in html

    # It is sent on as it stands there, and what cannot be read is said above the page as it was.
    sent |= {"t-1-role": "user", "t-1-raw": picture.raw}
    code = bob.post("/playground/code/?set-up=a", sent).content.decode()
    assert part["image_url"]["url"] in code
    for name, raw, words_of_it in (
        ("c.png", b"no picture", "c.png could not be read as an image."),
        ("c.svg", b"<svg/>", "c.svg cannot be attached: files may be"),
    ):
        refused = bob.post("/playground/", {**sent, "files": [SimpleUploadedFile(name, raw)]})
        assert refused.status_code == 422 and words_of_it in refused.content.decode()
        assert len(refused.context["bench"].turns) == 2
    huge = json.dumps({"role": "user", "content": "x" * 1_600_000})
    full = bob.post("/playground/", {**sent, "t-1-raw": huge, "files": [SimpleUploadedFile("a.png", out.getvalue())]})
    assert full.status_code == 422 and "There is no room for that here." in full.content.decode()

    # What somebody else wrote into the form is no address of a picture.
    for url in (
        "data:image/svg+xml;base64,PHN2Zy8+",
        'data:image/png;base64,iVBORw0KGgo"x',
        "https://example.com/a.png",
    ):
        raw = json.dumps({"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]})
        page = bob.post("/playground/", {**world.form, "do": "add-turn", "t-0-role": "user", "t-0-raw": raw})
        assert "<img src=" not in page.content.decode().partition("<main")[2]
