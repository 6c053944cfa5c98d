"""Writing a prompt: creating, the editor's buttons, looking while typing, drafts, and two people at once."""

import json
import re
from typing import Any

from console.audit.models import AuditEvent
from console.teams.models import User
from prompts_app.models import Draft, Prompt
from tests import make
from tests.conftest import Cast
from tests.make import actor_for as actor
from tests.prompts.pages.conftest import SignedIn, editor

NEW = {"slug": "support/answer", "team": "team-a", "visibility": "team", "description": "", "tags": "live, Customers"}


def test_it_creates_a_prompt_with_its_first_version(cast: Cast, signed_in: SignedIn, bella: User) -> None:
    fields = editor("Hello {{name}}, on {{plan}}.", **NEW, **{
        "v-0-name": "name", "v-0-type": "text", "v-0-is_required": "on", "v-0-example": "Ada",
        "v-1-name": "plan", "v-1-type": "choice", "v-1-choices": "free, team", "v-1-default": "free",
        "p-temperature": "0.2", "p-max_tokens": "300", "p-more": '{"stop": ["END"]}', "message": "First"})  # fmt: skip
    answer = signed_in(bella).post("/prompts/new/", fields)
    assert (answer.status_code, answer["Location"]) == (302, "/prompts/support/answer/")
    head = Prompt.objects.get(slug="support/answer").head
    assert head is not None
    assert head.parameters == {"temperature": 0.2, "max_tokens": 300, "stop": ["END"]}
    assert [(v["name"], v["type"], v["is_required"], v["default"], v["choices"]) for v in head.variables] == [
        ("name", "text", True, None, []),
        ("plan", "choice", False, "free", ["free", "team"]),
    ]
    assert head.prompt.tags == ["live", "customers"]
    assert AuditEvent.objects.filter(action="prompt.created").count() == 1


def test_a_variable_that_left_the_text_is_not_saved_with_it(cast: Cast, signed_in: SignedIn, bella: User) -> None:
    """The page takes its row out while one types; who saves sooner, or has no script, still sends it."""
    rows = {"v-0-name": "name", "v-0-example": "Ada", "v-1-name": "gone", "v-1-is_required": "on"}
    signed_in(bella).post("/prompts/new/", editor("Hello {{name}}.", **NEW, **rows))
    head = Prompt.objects.get(slug="support/answer").head
    assert head is not None and [(v["name"], v["example"]) for v in head.variables] == [("name", "Ada")]
    signed_in(bella).post("/prompts/support/answer/-/edit/", editor("Hello.", base=1, was=1, **rows))
    head.prompt.refresh_from_db()
    assert head.prompt.head is not None and (head.prompt.head.number, head.prompt.head.variables) == (2, [])


def test_it_leads_back_to_the_agent_it_is_written_for(cast: Cast, signed_in: SignedIn, bella: User) -> None:
    make.make_agent(cast.team_a, "helper")
    client = signed_in(bella)
    page = client.get("/prompts/new/?team=team-a&agent=helper").content.decode()
    assert page.count('action="/prompts/new/?agent=helper"') == 1 and 'href="/agents/helper/edit/">Cancel' in page
    answer = client.post("/prompts/new/?agent=helper", editor("You help.", **NEW))
    assert answer["Location"] == "/agents/helper/edit/?prompt=support%2Fanswer"
    assert 'value="support/answer"' in client.get(answer["Location"]).content.decode()
    answer = client.post("/prompts/new/?agent=//evil.example", editor("You help.", **NEW | {"slug": "other"}))
    assert answer["Location"] == "/prompts/other/"


def test_it_begins_as_a_duplicate(cast: Cast, signed_in: SignedIn, bella: User) -> None:
    specs = [{"name": "plan", "type": "choice", "choices": ["free", "team"], "default": "free"}]
    prompt = make.make_prompt(cast.team_a, "support/answer", "One {{plan}}", variables=specs, tags=["live"])
    make.save(prompt, "Two {{plan}}", parameters={"temperature": 0.2})
    client = signed_in(bella)
    assert "?copy_of=support%2Fanswer" in client.get("/prompts/support/answer/-/settings/").content.decode()
    assert "copy_of" not in signed_in(cast.bob).get("/prompts/support/answer/-/settings/").content.decode()
    page = client.get("/prompts/new/?copy_of=support/answer")
    typed, form = page.context["editor"], page.context["form"]
    assert (typed.messages[0].text, typed.numbers["temperature"], typed.message) == (
        "Two {{plan}}",
        "0.2",
        "As support/answer@2",
    )
    assert (form["slug"].value(), form["team"].value(), form["tags"].value()) == (
        "support/answer-copy",
        "team-a",
        "live",
    )
    assert "A copy of" in page.content.decode() and "It replaces your draft" not in page.content.decode()
    assert "One {{plan}}" in client.get("/prompts/new/?copy_of=support/answer@1").content.decode()
    client.post("/prompts/new/-/draft/", editor("mine", **NEW))
    assert "It replaces your draft" in client.get("/prompts/new/?copy_of=support/answer").content.decode()
    for who, named, status in ((bella, "no/such", 404), (cast.charlie, "support/answer", 404), (cast.bob, "x", 403)):
        assert signed_in(who).get(f"/prompts/new/?copy_of={named}").status_code == status


def test_it_keeps_what_was_typed_whatever_is_wrong(cast: Cast, signed_in: SignedIn, bella: User) -> None:
    make.make_prompt(cast.team_a, "taken")
    client = signed_in(bella)
    wrong: dict[str, dict[str, Any]] = {
        "lower-case letters": {"slug": "Not A Slug"},
        "is taken": {"slug": "taken"},
        "pages of the console": {"slug": "new/x"},
        "The text is empty": {"m-0-text": "  "},
        "is neither a variable nor a partial": {"m-0-text": "kept {{ 1 + 1 }}"},
        "cannot be included": {"m-0-text": "kept {{> no/such}}"},
        "must be a number from 0 to 2": {"p-temperature": "9"},
        "Write a number": {"p-temperature": "warm"},
        "Write a JSON object": {"p-more": "[1]"},
        "is not a parameter": {"p-more": '{"model": "x"}'},
        "The default is not a number": {"m-0-text": "kept {{n}}", "v-0-name": "n", "v-0-type": "number",
                                        "v-0-default": "many"},
        "Write the choices": {"m-0-text": "kept {{n}}", "v-0-name": "n", "v-0-type": "choice"},
    }  # fmt: skip
    for said, change in wrong.items():
        fields = editor("kept text", **NEW) | {"message": "kept message"} | change
        answer = client.post("/prompts/new/", fields)
        page = answer.content.decode()
        assert answer.status_code == 422, said
        assert said in page, said
        assert "kept message" in page and ("kept" in page.partition('m-0-text"')[2] or "empty" in said), said
    assert Prompt.objects.count() == 1


def test_its_buttons_work_without_scripts(cast: Cast, signed_in: SignedIn, bella: User) -> None:
    client = signed_in(bella)
    fields = {**NEW, "kind": "chat", "m-0-role": "system", "m-0-text": "\nfirst", "m-1-role": "user", "m-1-text": "2nd"}

    def texts(wish: str, **more: str) -> list[tuple[str, str]]:
        page = client.post("/prompts/new/", {**fields, "do": wish, **more})
        assert page.status_code == 200
        assert page.context["form"]["slug"].value() == "support/answer"
        return [(row.role, row.text) for row in page.context["editor"].messages]

    both = [("system", "\nfirst"), ("user", "2nd")]
    assert texts("look") == both
    assert texts("add") == [*both, ("assistant", "")]
    assert texts("down-0") == texts("up-1") == both[::-1]
    assert texts("remove-0") == both[1:]
    assert texts("remove-9") == texts("up-0") == texts("nonsense") == both
    assert texts("include", include="shared/tone")[1] == ("user", "2nd\n\n{{> shared/tone}}\n")
    assert texts("kind-text") == [("", "\nfirst\n\n2nd")]
    piece = client.post("/prompts/new/", {**fields, "do": "add"}, headers={"HX-Request": "true"}).content.decode()
    assert 'id="editor"' in piece and "<html" not in piece
    shaping = re.findall(r'<button[^>]*name="do" value="(?!save)[^>]*>', piece)
    assert len(shaping) > 5 and all("formnovalidate" in button for button in shaping), "no name is wanted for these"
    assert ">\n\nfirst</textarea>" in piece, "a text that begins with an empty line keeps it"


def test_it_looks_while_somebody_types(cast: Cast, signed_in: SignedIn, bella: User) -> None:
    make.make_prompt(cast.team_a, "tone", "Be {{mood}}.", kind="partial", variables=[
        {"name": "mood", "type": "text", "example": "kind"}])  # fmt: skip
    make.make_prompt(cast.team_b, "theirs", "Secret words.", kind="partial")
    client = signed_in(bella)

    def live(text: str, **more: str) -> str:
        answer = client.post("/prompts/new/-/check/", {**editor(text, **NEW), **more})
        assert answer.status_code == 200
        return answer.content.decode()

    page = live("Hi {{name}}. {{> tone}}", **{"v-0-name": "name", "v-0-example": "{{mood}} <i>"})
    assert "Hi {{mood}} &lt;i&gt;. Be kind." in page, "values are put in as they are"
    assert "tone@1" in page and "about" in page and "not published yet" not in page
    make.make_prompt(cast.team_a, "fresh", "Be new.", kind="partial", live=None)
    page = live("{{> fresh}}")
    assert 'fresh@1</span><span class="is-warn">not published yet' in page and "Be new." in page
    assert "before the messages of a call as the system’s" in page
    assert "no longer in the text" in live("Hi", **{"v-0-name": "gone"})
    assert 'name="v-0-choices"' in live("{{n}}", **{"v-0-name": "n", "v-0-type": "choice"})
    assert "is not closed" in live("Hi {{name")
    assert "cannot be included" in live("{{> theirs}}") and "Secret words" not in live("{{> theirs}}")
    assert "cannot be included" in live("{{> tone@7}}")
    assert not Prompt.objects.filter(slug="support/answer").exists()
    assert signed_in(cast.bob).post("/prompts/new/-/check/", editor("x")).status_code == 403


def test_it_saves_the_next_version(cast: Cast, signed_in: SignedIn, bella: User) -> None:
    prompt = make.make_prompt(cast.team_a, "answer", "one {{name}}", parameters={"temperature": 1, "seed": 3})
    client = signed_in(bella)
    page = client.get("/prompts/answer/-/edit/")
    assert page.context["editor"].numbers["temperature"] == "1"
    assert json.loads(page.context["editor"].more) == {"seed": 3}
    same = client.post("/prompts/answer/-/edit/", editor("one {{name}}", base=1, **{
        "v-0-name": "name", "v-0-is_required": "on", "p-temperature": "1", "p-more": '{"seed": 3}'}))  # fmt: skip
    assert same.status_code == 422 and b"Nothing differs" in same.content
    answer = client.post("/prompts/answer/-/edit/", editor("two", base=1, message="Shorter"))
    assert answer["Location"] == "/prompts/answer/-/versions/2/"
    prompt.refresh_from_db()
    assert prompt.head and (prompt.head.number, prompt.head.author_name) == (2, "Bella")
    assert AuditEvent.objects.filter(action="prompt.saved").count() == 1
    by_htmx = client.post("/prompts/answer/-/edit/", editor("three", base=2), headers={"HX-Request": "true"})
    assert by_htmx["HX-Redirect"] == "/prompts/answer/-/versions/3/"
    assert signed_in(cast.bob).get("/prompts/answer/-/edit/").status_code == 403
    assert client.get("/prompts/answer/-/edit/?from=1").context["editor"].messages[0].text == "one {{name}}"


def test_a_stale_save_shows_three_sides_and_keeps_mine(cast: Cast, signed_in: SignedIn, bella: User) -> None:
    prompt = make.make_prompt(cast.team_a, "answer", "one\ntwo\nthree\nfour")
    make.save(prompt, "ONE\ntwo\nthree\nfour", actor=actor(cast.alice), message="Louder")
    client = signed_in(bella)
    mine = editor("one\ntwo\nthree\nFOUR", base=1, message="my words")
    answer = client.post("/prompts/answer/-/edit/", mine)
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "Alice saved v2 while you were writing" in page and "Louder" in page and "my words" in page
    assert "one\ntwo\nthree\nFOUR</textarea>" in page
    in_another_tab = signed_in(cast.alice).post("/prompts/answer/-/edit/", mine).content.decode()
    assert "You saved v2 while you were writing" in in_another_tab
    assert client.post("/prompts/answer/-/edit/", mine, headers={"HX-Request": "true"}).status_code == 422
    merged = client.post("/prompts/answer/-/edit/", {**mine, "base": 2, "was": 1, "do": "merge"})
    assert merged.context["editor"].messages[0].text == "ONE\ntwo\nthree\nFOUR"
    both = client.post("/prompts/answer/-/edit/", editor("ONE\ntwo\nthree\nFOUR", base=2))
    assert both["Location"] == "/prompts/answer/-/versions/3/"
    clash = client.post("/prompts/answer/-/edit/", editor("1\ntwo\nthree\nfour", base=1)).content.decode()
    assert "1 place both changed" in clash and "Use both" not in clash


def test_it_keeps_a_draft_until_it_is_saved_or_dropped(cast: Cast, signed_in: SignedIn, bella: User) -> None:
    prompt = make.make_prompt(cast.team_a, "answer", "one")
    client = signed_in(bella)
    typed = editor("half a {{thou", base=1, message="so far", **{
        "p-more": "{not json", "v-0-name": "n", "v-0-default": "x"})  # fmt: skip
    kept = client.post("/prompts/answer/-/draft/", typed)
    assert b"Draft kept" in kept.content
    page = client.get("/prompts/answer/-/edit/")
    assert b"This is your draft" in page.content and b"half a {{thou" in page.content
    assert page.context["editor"].more == "{not json" and page.context["editor"].message == "so far"
    others = signed_in(cast.alice).get("/prompts/answer/-/edit/").content.decode()
    assert "Bella is editing it too" in others and "half a" not in others
    make.save(prompt, "two", actor=actor(cast.alice))
    late = client.get("/prompts/answer/-/edit/").content.decode()
    assert "Alice saved v2 while you were writing" in late and "half a {{thou" in late
    dropped = client.post("/prompts/answer/-/draft/", {**typed, "do": "drop"})
    assert dropped["Location"] == "/prompts/answer/-/edit/"
    assert not Draft.objects.exists()
    assert b"This is your draft" not in client.get("/prompts/answer/-/edit/").content
    client.post("/prompts/answer/-/draft/", editor("three", base=2))
    client.post("/prompts/answer/-/edit/", editor("three", base=2))
    assert not Draft.objects.exists(), "saving ends the draft"
    assert signed_in(cast.bob).post("/prompts/answer/-/draft/", typed).status_code == 403


def test_a_new_prompts_draft_outlives_its_tab(cast: Cast, signed_in: SignedIn, bella: User) -> None:
    client = signed_in(bella)
    typed = {
        "kind": "chat", "slug": "support/new one", "team": cast.team_a.slug, "description": "To greet", "tags": "a, b",
        "visibility": "organisation", "m-0-role": "system", "m-0-text": "half a {{thou", "m-1-role": "user",
        "m-1-text": "Hi", "message": "so far", "p-temperature": "hot"}  # fmt: skip
    assert b"Draft kept" in client.post("/prompts/new/-/draft/", typed).content
    page = client.get("/prompts/new/?kind=text&folder=x")
    assert b"This is your draft" in page.content and b"begun on" not in page.content
    form, left = page.context["form"], page.context["editor"]
    assert {name: form[name].value() for name in ("slug", "team", "visibility", "description", "tags")} == {
        name: typed[name] for name in ("slug", "team", "visibility", "description", "tags")
    }
    assert [(row.role, row.text) for row in left.messages] == [("system", "half a {{thou"), ("user", "Hi")]
    assert (left.kind, left.message, left.numbers["temperature"]) == ("chat", "so far", "hot")
    assert b"half a" not in signed_in(cast.alice).get("/prompts/new/").content
    client.post("/prompts/new/-/draft/", {**typed, "m-0-text": "later"})
    assert Draft.objects.get().content[0]["text"] == "later"
    good = {**typed, "slug": "support/new-one", "m-0-text": "Be kind.", "p-temperature": "0.2"}
    refused = client.post("/prompts/new/", typed)
    assert refused.status_code == 422 and Draft.objects.exists(), "a refusal loses nothing"
    assert client.post("/prompts/new/", good)["Location"] == "/prompts/support/new-one/"
    assert not Draft.objects.exists()
    client.post("/prompts/new/-/draft/", typed)
    assert client.post("/prompts/new/-/draft/", {"do": "drop"})["Location"] == "/prompts/new/"
    assert not Draft.objects.exists() and b"This is your draft" not in client.get("/prompts/new/").content
    too_long = client.post("/prompts/new/-/draft/", {**typed, "description": "x" * 2_000_000})
    assert too_long.status_code in {400, 413} and not Draft.objects.exists()
    assert signed_in(cast.bob).post("/prompts/new/-/draft/", typed).status_code == 403


def test_it_says_which_required_partial_is_missing(cast: Cast, signed_in: SignedIn, bella: User) -> None:
    prompt = make.make_prompt(cast.team_a, "answer", "one")
    tone = make.make_prompt(cast.team_a, "tone", "Be kind.", kind="partial", visibility="organisation")
    Prompt.objects.filter(pk=tone.pk).update(is_required=True)
    answer = signed_in(bella).post("/prompts/answer/-/edit/", editor("two", base=1))
    assert answer.status_code == 422
    assert b"must include {{&gt; tone}}" in answer.content
    fine = editor("two {{> tone}}", base=1)
    assert signed_in(bella).post("/prompts/answer/-/edit/", fine).status_code == 302
    prompt.refresh_from_db()
    assert prompt.head and prompt.head.number == 2
