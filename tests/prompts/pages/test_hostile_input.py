"""What somebody means badly: characters no database keeps, nesting no reader follows, texts that cost much to read."""

import json
from typing import Any

import pytest
from django.test import Client

from console.core.errors import BadInput, Conflict, NotAllowed
from console.teams.actors import SYSTEM, Actor
from console.teams.models import Role, User
from prompts_app.errors import MissingPartial, StillUsed, TooManyPartials
from prompts_app.models import Prompt
from prompts_app.queries import preview
from prompts_app.services import labels, prompts, reviews
from prompts_app.text.content import read_content
from prompts_app.text.parse import parse
from tests import make
from tests.conftest import Cast
from tests.make import actor_for as actor
from tests.prompts.pages.conftest import SignedIn, editor

NEW = {"slug": "x/new", "team": "team-a", "visibility": "team", "description": "", "tags": ""}


def _variable(kind: str, **fields: str) -> dict[str, str]:
    found = {"v-0-name": "n", "v-0-type": kind, "v-0-is_required": "on"}
    return found | {f"v-0-{name}": value for name, value in fields.items()}


def test_the_editor_refuses_what_cannot_be_kept_and_keeps_the_rest(
    cast: Cast, signed_in: SignedIn, bella: User
) -> None:
    client = signed_in(bella)
    attempts: dict[str, dict[str, str]] = {
        "The message holds a character that is not text (U+0000)": {"message": "a\0b"},
        "n: what is declared holds a character that is not text": _variable("text", default="a\0b"),
        "holds a character that is not text (U+0000)": _variable("choice", choices="a\0b,c"),
        "The default is not JSON": _variable("json", default="[" * 50_000),
        "The example is not JSON": _variable("json", example='"\\ud800"'),
        "This holds a NUL character": {"p-more": '{"stop": ["\\u0000"]}'},
        "This holds half of a surrogate pair": {"p-more": '{"stop": ["\\ud800"]}'},
        "This nests more than 32 levels": {"p-more": '{"response_format": ' + "[" * 40 + "]" * 40 + "}"},
        "This holds NaN": {"p-more": '{"seed": NaN}'},
        "This names &#x27;seed&#x27; twice": {"p-more": '{"seed": 1, "seed": 2}'},
        "This holds a whole number beyond 64 bits": {"p-more": '{"seed": ' + "9" * 5_000 + "}"},
        "The default is not JSON that can be kept: it names": _variable("json", default='{"a": 1, "a": 2}'),
        "The example is not JSON that can be kept: it holds Infinity": _variable("json", example="[Infinity]"),
        "The default is not a number": _variable("number", default="9" * 300),
        "100,000 is the most": {"m-0-text": "kept {{v}}" * 20_000},
        "A prompt has at most 100 variables": {"m-0-text": "".join(f"kept {{{{v{n}}}}}" for n in range(5000))},
    }
    for said, change in attempts.items():
        answer = client.post("/prompts/new/", editor("kept {{n}}", **NEW) | change)
        page = answer.content.decode()
        assert (answer.status_code, said in page, "kept" in page) == (422, True, True), said
    for query in ("folder=a%00", "label=a%00", "tag=a%00", "q=a%00"):
        assert client.get(f"/prompts/?{query}").status_code == 200, query
    assert client.get("/prompts/?team=a%00").status_code == 404
    assert client.post("/prompts/new/", editor("kept", **NEW) | {"team": "a\0b"}).status_code == 422
    assert not Prompt.objects.exists()


def test_a_label_no_label_can_have_is_not_there(cast: Cast, signed_in: SignedIn, bella: User) -> None:
    make.make_prompt(cast.team_a, "a")
    answer = signed_in(bella).post("/prompts/a/-/roll-back/", {"label": "production\0", "seen_revision": "1"})
    assert answer.status_code == 404


def test_a_draft_of_odd_shapes_opens_in_the_editor(cast: Cast, signed_in: SignedIn, bella: User) -> None:
    make.make_prompt(cast.team_a, "a")
    client: Client = signed_in(bella)
    shapes: list[dict[str, Any]] = [
        {"content": [{"a": 1}], "variables": [{"choices": [1, {}], "name": "n"}]},
        {"content": [{"text": None}], "variables": [{"choices": 5}], "parameters": {"more": 1, "temperature": []}},
    ]
    for body in shapes:
        kept = client.put("/api/prompts/a/-/draft/", json.dumps(body), content_type="application/json")
        assert kept.status_code == 200, kept.content
        assert client.get("/prompts/a/-/edit/").status_code == 200


def test_what_is_too_long_is_refused_before_anybody_reads_it() -> None:
    with pytest.raises(BadInput, match="8 is the most"):
        read_content([{"text": "{{ not closed"}], "text", limit=8)
    assert len(read_content([{"text": "a\r\n" * 4}], "text", limit=8).content[0]["text"]) == 8


def test_places_are_right_after_many_forms() -> None:
    found = parse("{{a}}{{b}}\n\n {{c}}\n\\{{ {{d}}")
    places = [(node.line, node.column) for node in found if hasattr(node, "line")]
    assert places == [(1, 1), (1, 6), (3, 2), (4, 5)]


def test_partials_that_fan_out_are_refused_and_looked_up_once(
    cast: Cast, django_assert_max_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prompts_app.services.includes.MOST_PARTIALS", 12)
    for level in range(3):
        text = " ".join(f"{{{{> p{level - 1}-{n}}}}}" for n in range(4)) if level else "leaf"
        for n in range(4):
            make.make_prompt(cast.team_a, f"p{level}-{n}", text, kind="partial", live=None)
    around = " ".join(f"{{{{> p2-{n}}}}}" for n in range(4))
    with django_assert_max_num_queries(60):
        make.make_prompt(cast.team_a, "around", around, live=None)
    monkeypatch.setattr("prompts_app.services.includes.MOST_PARTIALS", 11)
    with pytest.raises(TooManyPartials, match="at most 11 partials"):
        make.make_prompt(cast.team_a, "more", around, live=None)
    monkeypatch.setattr("prompts_app.text.render.MOST_PARTIALS", 11)
    seen = preview.look(
        kind="text", slug="new", number=1, team_id=cast.team_a.pk, content=[{"role": "", "text": around}], specs=[]
    )
    assert "at most 11 partials" in seen.error


def test_nobody_frees_other_teams_of_what_is_required_of_them(cast: Cast, signed_in: SignedIn, bella: User) -> None:
    style = make.make_prompt(cast.team_a, "style", kind="partial", visibility="organisation", live=None)
    prompts.change_prompt(actor=SYSTEM, prompt=style, is_required=True, covers=[])
    owner = signed_in(cast.alice)
    for body in ({"covers": ["team-a"]}, {"covers": ["team-a"], "is_required": False}, {"is_required": False}):
        refused = owner.patch("/api/prompts/style/", json.dumps(body), content_type="application/json")
        assert refused.status_code == 403, body
    assert owner.post("/prompts/style/-/delete/").status_code == 409
    style.refresh_from_db()
    assert style.is_required and not style.covers.exists()
    with pytest.raises(StillUsed, match="required of teams"):
        prompts.delete_prompt(actor=actor(bella), prompt=style)


def test_a_key_that_answers_to_nobody_asks_for_no_review(cast: Cast) -> None:
    prompt = make.make_prompt(cast.team_a, "a")
    two = make.save(prompt, "two")
    key, _ = make.make_key(cast.team_a, scopes=["prompts:write"])
    with pytest.raises(NotAllowed, match="answers to nobody"):
        reviews.request_review(
            actor=Actor("key", key.pk, key.name), prompt=prompt, version=two, label="production", reason="x",
            seen_revision=1,
        )  # fmt: skip


def test_a_review_that_is_over_takes_no_remark(cast: Cast, bella: User) -> None:
    prompt = make.make_prompt(cast.team_a, "a")
    two = make.save(prompt, "two")
    approver = make.make_member(cast.team_a, role=Role.APPROVER)
    asked = reviews.request_review(
        actor=actor(bella), prompt=prompt, version=two, label="production", reason="x", seen_revision=1
    )
    reviews.decide(actor=actor(approver), review=asked, decision="approve")
    with pytest.raises(Conflict, match="over: approved"):
        reviews.comment(actor=actor(bella), review=asked, text="after all")


def test_rolling_back_to_a_text_whose_partial_is_gone_is_refused(cast: Cast, bella: User) -> None:
    make.make_prompt(cast.team_a, "tone", "Kind.", kind="partial")
    prompt = make.make_prompt(cast.team_a, "a", "one {{> tone}}")
    make.publish(prompt, make.save(prompt, "two"))
    tone = Prompt.objects.get(slug="tone")
    labels.remove_label(actor=SYSTEM, prompt=tone, label="production", reason="x", seen_revision=1)
    prompts.delete_prompt(actor=SYSTEM, prompt=tone)
    with pytest.raises(MissingPartial, match="tone"):
        labels.roll_back(actor=actor(bella), prompt=prompt, label="production", reason="x", seen_revision=2)
    assert labels.version_before(prompt, "production") is not None
