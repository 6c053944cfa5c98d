"""The prompt library over the management API, by people and by keys."""

import json
import uuid
from typing import Any

import pytest
from django.test import Client

from console.audit.models import AuditEvent
from console.teams.actors import SYSTEM
from console.teams.models import Role, User
from prompts_app.models import Prompt, Review
from prompts_app.services import labels, prompts
from tests import make
from tests.conftest import Cast


class Api:
    """Sends JSON as one person or key."""

    def __init__(self, *, user: User | None = None, key: str = "") -> None:
        self.client = Client()
        self.headers = {"Authorization": f"Bearer {key}"} if key else {}
        if user:
            self.client.force_login(user)

    def __call__(self, method: str, path: str, **body: Any) -> Any:
        return self.client.generic(
            method, f"/api/{path}", json.dumps(body), content_type="application/json", headers=self.headers
        )


@pytest.fixture
def builder(cast: Cast) -> Api:
    _, text = make.make_key(cast.team_a, owner=cast.alice, scopes=["prompts:write", "models:call"])
    return Api(key=text)


@pytest.fixture
def approver(cast: Cast) -> Api:
    return Api(user=make.make_member(cast.team_a, role=Role.APPROVER))


TEXT = [{"role": "system", "text": "Be {{tone}}."}, {"role": "user", "text": "  {{question}}\n"}]


def test_from_the_first_version_to_rendering_what_was_published(builder: Api, cast: Cast) -> None:
    made = builder(
        "POST", "prompts/", team="team-a", slug="support/answer", kind="chat", content=TEXT, tags=["Chat"],
        variables=[{"name": "tone", "type": "choice", "choices": ["calm", "warm"], "default": "calm"}],
        parameters={"temperature": 0.2}, message="begin",
    )  # fmt: skip
    assert made.status_code == 201, made.json()
    assert (made.json()["head"], made.json()["labels"], made.json()["tags"]) == (1, {}, ["chat"])
    saved = builder(
        "POST", "prompts/support/answer/-/versions/", content=[TEXT[0]], parent=1, message="shorter", variables=[]
    )
    assert saved.status_code == 201 and saved.json()["number"] == 2 and saved.json()["parent"] == 1
    as_openai_says = [{"role": "system", "content": TEXT[0]["text"]}]
    again = builder("POST", "prompts/support/answer/-/versions/", content=as_openai_says, parent=2, message="the same")
    assert again.json()["error"]["code"] == "nothing_changed", again.json()
    for wrong, param, said in (
        ({"text": "a", "content": "a"}, "content.0.content", "give one of them"),
        ({"content": [{"type": "text", "text": "a"}]}, "content.0.content", "one text"),
        ({}, "content.0.text", "'content.0.text' is required."),
    ):
        message = {"role": "user", **wrong}
        refused = builder("POST", "prompts/support/answer/-/versions/", content=[message], parent=2)
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, param), refused.json()
        assert said in refused.json()["error"]["message"]
    kept = builder("PUT", "prompts/support/answer/-/draft/", content=as_openai_says)
    assert kept.json()["content"] == [TEXT[0]]
    assert builder("DELETE", "prompts/support/answer/-/draft/").status_code == 204
    stale = builder("POST", "prompts/support/answer/-/versions/", content=TEXT, parent=1)
    assert stale.status_code == 409 and "saved version 2" in stale.json()["error"]["message"]
    assert stale.json()["error"]["code"] == "stale_prompt"

    label = "prompts/support/answer/-/labels/production/"
    put = {"version": 1, "reason": "live", "seen_revision": 0}
    assert builder("PUT", label, **put).json()["version"] == 1
    assert builder("PUT", label, **put).status_code == 409
    assert builder("PUT", label, version=2, reason="better", seen_revision=1).json()["revision"] == 2
    back = builder("POST", f"{label}roll-back/", reason="worse", seen_revision=2)
    assert back.json()["version"] == 1
    moves = builder("GET", "prompts/support/answer/-/moves/").json()["data"]
    assert [(move["from_version"], move["to_version"], move["reason"]) for move in moves] == [
        (2, 1, "worse"),
        (1, 2, "better"),
        (None, 1, "live"),
    ]
    assert builder("GET", "prompts/support/answer/").json()["labels"] == {"production": 1}
    assert [one["name"] for one in builder("GET", "prompts/support/answer/-/labels/").json()["data"]] == ["production"]
    assert builder("GET", label).json()["revision"] == 3

    for path in ("prompts/support/answer/-/render/", "prompts/support/answer/render", "prompts/support/answer/render/"):
        rendered = builder("POST", path, variables={"question": "Where? {{tone}}"})
        assert rendered.status_code == 200, rendered.json()
        assert rendered.json() == {
            "prompt": "support/answer@1",
            "messages": [
                {"role": "system", "content": "Be calm."},
                {"role": "user", "content": "  Where? {{tone}}\n"},
            ],
            "took_part": [{"slug": "support/answer", "number": 1}],
            "parameters": {"temperature": 0.2},
        }
    assert builder("POST", "prompts/support/answer/-/render/", version=2, variables={"tone": "x"}).status_code == 200
    for body, status, code in (
        ({"variables": {"tone": "loud"}}, 400, "wrong_variables"),
        ({"version": 9}, 404, "unknown_prompt_version"),
        ({"label": "canary"}, 404, "unknown_prompt_label"),
        ({"environment": "sandbox"}, 404, "unknown_prompt_label"),
        ({"version": 1, "label": "production"}, 400, "invalid_request"),
    ):
        refused = builder("POST", "prompts/support/answer/-/render/", **body)
        assert (refused.status_code, refused.json()["error"]["code"]) == (status, code)

    compared = builder("GET", "prompts/support/answer/-/compare/?a=1&b=2").json()
    assert compared["parameters"] == [{"name": "temperature", "was": 0.2, "now": None}]
    assert [one["number"] for one in builder("GET", "prompts/support/answer/-/versions/").json()["data"]] == [2, 1]
    assert builder("GET", "prompts/support/answer/-/versions/1/").json()["message"] == "begin"
    assert AuditEvent.objects.filter(action="prompt.published", actor_kind="key").count() == 2


def test_it_lists_changes_and_deletes(builder: Api, cast: Cast) -> None:
    make.make_prompt(cast.team_a, "support/one", "About refunds.")
    make.make_prompt(cast.team_a, "support/two", "x", kind="partial", live=None)
    make.make_prompt(cast.team_b, "secret", "About refunds.")

    def slugs(query: str) -> list[str]:
        return [one["slug"] for one in builder("GET", f"prompts/?sort=name&{query}").json()["data"]]

    assert slugs("") == ["support/one", "support/two"]
    assert slugs("q=refunds") == slugs("label=production") == ["support/one"]
    assert slugs("kind=partial") == ["support/two"] and slugs("folder=support&team=team-a") == slugs("")
    for query in ("sort=luck", "kind=wizard", "unused=perhaps", "cursor=x"):
        refused = builder("GET", f"prompts/?{query}")
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, query.partition("=")[0])
    assert builder("GET", "prompts/?q=%00").status_code == 400
    assert builder("GET", "prompts/?team=team-b").status_code == 404
    changed = builder("PATCH", "prompts/support/two/", description="house", tags=["a"], visibility="organisation")
    assert (changed.json()["description"], changed.json()["visibility"]) == ("house", "organisation")
    assert builder("PATCH", "prompts/support/two/", description="late", seen_revision=1).status_code == 409
    seen = changed.json()["revision"]
    assert builder("PATCH", "prompts/support/two/", tags=["b"], seen_revision=seen).json()["description"] == "house"
    make.make_prompt(cast.team_a, "user", "{{> support/two}}", live=None)
    used = builder("GET", "prompts/support/two/-/where-used/").json()
    assert [(use["kind"], use["name"]) for use in used["data"]] == [("prompt", "user")] and used["hidden"] == 0
    refused = builder("DELETE", "prompts/support/two/")
    assert refused.status_code == 409 and "prompt user" in refused.json()["error"]["message"]
    assert builder("DELETE", "prompts/user/").status_code == 204
    assert builder("DELETE", "prompts/support/two/").status_code == 204
    assert builder("GET", "prompts/support/two/").status_code == 404
    removed = builder("DELETE", "prompts/support/one/-/labels/production/", reason="over", seen_revision=1)
    assert removed.status_code == 204


def test_a_review_by_somebody_else(builder: Api, approver: Api, cast: Cast) -> None:
    owner = Api(user=cast.alice)
    make.make_prompt(cast.team_a, "a", "one")
    make.save(Prompt.objects.get(slug="a"), "two\nlines")
    assert builder("PUT", "prompts/rules/", team="team-a", label="production", needs_review=True).status_code == 403
    assert owner("PUT", "prompts/rules/", team="team-a", label="production", needs_review=True).status_code == 200
    assert [rule["label"] for rule in owner("GET", "prompts/rules/").json()["data"]] == ["production"]
    move = {"version": 2, "reason": "kinder", "seen_revision": 1}
    blocked = builder("PUT", "prompts/a/-/labels/production/", **move)
    assert (blocked.status_code, blocked.json()["error"]["code"]) == (409, "review_needed")
    asked = builder("POST", "prompts/a/-/reviews/", label="production", **move)
    assert asked.status_code == 201, asked.json()
    path = f"prompts/a/-/reviews/{asked.json()['id']}/"
    remark = approver("POST", f"{path}comments/", text="why?", line=2)
    assert remark.status_code == 201 and remark.json()["message_index"] == 0
    assert builder("POST", f"{path}decide/", decision="approve").status_code == 403
    own = owner("POST", f"{path}decide/", decision="approve")  # the key that asked is hers
    assert (own.status_code, own.json()["error"]["code"]) == (403, "own_review")
    assert approver("POST", f"{path}decide/", decision="approve", note="good").json()["status"] == "approved"
    assert [one["text"] for one in approver("GET", path).json()["comments"]] == ["why?"]
    assert builder("PUT", "prompts/a/-/labels/production/", **move).json()["version"] == 2
    assert builder("POST", f"{path}withdraw/").status_code == 409
    assert len(builder("GET", "prompts/reviews/").json()["data"]) == 1
    assert len(builder("GET", "prompts/a/-/reviews/").json()["data"]) == 1
    assert owner("PUT", "prompts/rules/", team="team-a", label="production", needs_review=False).status_code == 204


def test_drafts_and_waivers(builder: Api, approver: Api, cast: Cast) -> None:
    make.make_prompt(cast.team_a, "a", "one")
    style = make.make_prompt(cast.team_a, "style", "kind", kind="partial")
    assert builder("GET", "prompts/a/-/draft/").status_code == 404
    kept = builder("PUT", "prompts/a/-/draft/", base=1, content=[{"role": "", "text": "half {{"}])
    assert kept.status_code == 200 and kept.json()["base"] == 1
    assert Api(user=cast.alice)("GET", "prompts/a/-/draft/").json()["content"] == kept.json()["content"]
    assert builder("DELETE", "prompts/a/-/draft/").status_code == 204
    assert Api(user=cast.bob)("PUT", "prompts/a/-/draft/", content=[]).status_code == 403
    required = Api(user=cast.alice)("PATCH", "prompts/style/", is_required=True, covers=["team-a"])
    assert required.status_code == 200 and required.json()["is_required"]
    assert Api(user=cast.alice)("PATCH", "prompts/style/", is_required=True, covers=[]).status_code == 403
    for body, said in (
        ({}, ("content", "'content' is required.")),
        ({"content": "two"}, ("content", "'content': Expected a list of items but got type \"str\".")),
        ({"content": [{"text": "two"}, {"role": "user"}]}, ("content.1.text", "'content.1.text' is required.")),
        ({"content": [], "message": "x" * 501}, ("message", "Ensure 'message' has no more than 500 characters.")),
    ):
        error = builder("POST", "prompts/a/-/versions/", **body, parent=1).json()["error"]
        assert (error["param"], error["message"]) == said
    lacking = builder("POST", "prompts/a/-/versions/", content=[{"text": "two"}], parent=1)
    assert (lacking.status_code, lacking.json()["error"]["code"]) == (400, "required_partial")
    given = approver("POST", "prompts/a/-/waivers/", partial=style.slug, reason="legal text")
    assert given.status_code == 201, given.json()
    assert builder("POST", "prompts/a/-/versions/", content=[{"text": "two"}], parent=1).status_code == 201
    assert [one["partial"] for one in builder("GET", "prompts/a/-/waivers/").json()["data"]] == ["style"]
    assert approver("DELETE", f"prompts/a/-/waivers/{given.json()['id']}/").status_code == 204
    assert approver("DELETE", f"prompts/a/-/waivers/{given.json()['id']}/").status_code == 404


def test_another_teams_prompt_looks_like_none_on_every_route(cast: Cast) -> None:
    """Charlie owns Team B, so nothing but the object itself can stop him."""
    theirs = make.make_prompt(cast.team_a, "their/prompt", "one", kind="partial")
    labels.set_rule(actor=SYSTEM, team=cast.team_a, label="canary", needs_review=True)
    review = Review.objects.create(
        prompt=theirs, label="canary", version=theirs.head, seen_revision=0, reason="x", requested_by_name="x"
    )
    mine = make.make_prompt(cast.team_b, "mine", "one")
    charlie, waiver = Api(user=cast.charlie), uuid.uuid4()
    move = {"version": 1, "reason": "x", "seen_revision": 1}
    back = {"reason": "x", "seen_revision": 1}
    wrong = []
    for method, path, body in (
        ("GET", "", {}),
        ("PATCH", "", {"description": "x"}),
        ("DELETE", "", {}),
        ("POST", "render", {}),
        ("POST", "-/render/", {}),
        ("GET", "-/versions/", {}),
        ("POST", "-/versions/", {"content": [{"text": "x"}], "parent": 1}),
        ("GET", "-/versions/1/", {}),
        ("GET", "-/compare/?a=1&b=1", {}),
        ("GET", "-/draft/", {}),
        ("PUT", "-/draft/", {"content": []}),
        ("DELETE", "-/draft/", {}),
        ("GET", "-/labels/", {}),
        ("GET", "-/labels/production/", {}),
        ("PUT", "-/labels/production/", move),
        ("DELETE", "-/labels/production/", back),
        ("POST", "-/labels/production/roll-back/", back),
        ("GET", "-/moves/", {}),
        ("GET", "-/where-used/", {}),
        ("GET", "-/reviews/", {}),
        ("POST", "-/reviews/", {"label": "x", **move}),
        ("GET", f"-/reviews/{review.pk}/", {}),
        ("POST", f"-/reviews/{review.pk}/comments/", {"text": "x"}),
        ("POST", f"-/reviews/{review.pk}/decide/", {"decision": "approve"}),
        ("POST", f"-/reviews/{review.pk}/withdraw/", {}),
        ("GET", "-/waivers/", {}),
        ("POST", "-/waivers/", {"partial": "x", "reason": "x"}),
        ("DELETE", f"-/waivers/{waiver}/", {}),
    ):
        found = charlie(method, f"prompts/{theirs.slug}/{path}", **body)
        nothing = charlie(method, f"prompts/no/prompt-here/{path}", **body)
        if (found.status_code, nothing.status_code) != (404, 404):
            wrong.append(f"{method} {path}: {found.status_code}, {nothing.status_code} for none")
            continue
        texts = []
        for response, slug in ((found, theirs.slug), (nothing, "no/prompt-here")):
            error = dict(response.json()["error"], request_id="")
            texts.append(json.dumps(error).replace(slug, "…"))
        if texts[0] != texts[1]:
            wrong.append(f"{method} {path}: {texts}")
    assert not wrong, "\n".join(wrong)
    # a review of another prompt is not found below one's own
    for method, path in (("GET", ""), ("POST", "withdraw/"), ("POST", "decide/")):
        body = {"decision": "approve"} if path == "decide/" else {}
        refused = charlie(method, f"prompts/{mine.slug}/-/reviews/{review.pk}/{path}", **body)
        assert (refused.status_code, refused.json()["error"]["code"]) == (404, "unknown_review")
    # nor is a partial of theirs includable, or its text readable through a prompt of one's own
    refused = charlie("POST", "prompts/mine/-/versions/", content=[{"text": "{{> their/prompt}}"}], parent=1)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "missing_partial")


def test_reading_is_enough_to_read_and_not_to_write(cast: Cast) -> None:
    make.make_prompt(cast.team_a, "a", "one")
    shared = make.make_prompt(cast.team_b, "b", "shared", visibility="organisation")
    bob, kim = Api(user=cast.bob), Api(key=cast.kim_text)
    for api in (bob, kim):
        assert api("GET", "prompts/a/").status_code == 200
        assert api("POST", "prompts/b/-/render/").json()["messages"][0]["content"] == "shared"
        assert api("PATCH", "prompts/a/", description="x").status_code == 403
        assert api("POST", "prompts/", team="team-a", slug="c", content=[{"text": "x"}]).status_code == 403
    assert Api()("GET", "prompts/a/").status_code == 401
    assert Api(user=cast.alice)("PATCH", "prompts/b/", description="x").status_code == 403
    prompts.change_prompt(actor=SYSTEM, prompt=shared, visibility="team")
    assert bob("GET", "prompts/b/").status_code == 404
