"""The checks of a case on the answers that stand on the page, and what their reader says of them."""

import json
from typing import Any

import pytest
from django.test import Client

from console.audit.models import AuditEvent
from console.evals.models import TestCase
from console.evals.services import cases
from console.teams.actors import Actor
from console.teams.models import Role
from tests import make
from tests.conftest import Cast
from tests.make import client_of
from tests.playground.conftest import World
from tests.upstream import Upstream, completion, sse, text_chunks

HTMX = {"HX-Request": "true"}


@pytest.fixture
def live(committed_db: None, upstream: Upstream) -> World:
    return World(Cast(), upstream.url)


def case_of(world: World, checks: list[dict[str, Any]]) -> TestCase:
    return cases.create_case(
        actor=Actor("user", world.cast.alice.pk, "Alice"),
        prompt=world.prompt,
        name="late order",
        variables={"question": "Late?", "order": 9},
        message="Please.",
        expected="Sorry.",
        checks=checks,
    )


def test_it_holds_the_answers_to_a_case(live: World, upstream: Upstream) -> None:
    judged = {"kind": "judge", "value": "Kind <b>?", "alias": "support-chat"}
    case = case_of(live, [{"kind": "contains", "value": "Sorry"}, judged])
    bob = client_of(live.cast.bob)
    form = {**live.form, "case": str(case.pk)}
    filled = bob.post("/playground/", {**form, "do": "case"})
    assert filled.context["bench"].message == "Please." and filled.context["checked"] is None
    assert {"Late?", "9"} <= {one["text"] for one in filled.context["fields"]}

    # Running without scripts checks at once; the judge is asked as Bob, by the playground.
    for words in ("Sorry for that.", "No idea."):
        upstream.enqueue_stream(sse(*text_chunks(words)))
    for verdict in ('{"pass": true, "reason": "Kind."}', "I would say yes"):
        upstream.enqueue(completion(verdict))
    page = bob.post("/playground/", {**form, "do": "run"})
    checked = page.context["checked"]
    assert checked.names == ("A", "B")
    assert [row.title for row in checked.rows] == ["Contains: Sorry", "A model judges: Kind <b>?"]
    answers = {one.name: one.answer for one in page.context["bench"].set_ups}
    assert [verdict.passed for verdict in checked.rows[0].verdicts] == [
        "Sorry" in answers["A"],
        "Sorry" in answers["B"],
    ]
    assert sorted(verdict.passed for verdict in checked.rows[1].verdicts) == [False, True]
    html = page.content.decode()
    assert "Checks on both answers" in html and "Kind &lt;b&gt;?" in html
    lines = AuditEvent.objects.filter(type="playground", status="ok")
    assert lines.count() == 4 and {line.actor for line in lines} == {str(live.cast.bob)}

    # With scripts the page asks for the table alone, with the answers it has.
    upstream.enqueue(completion('{"pass": false, "reason": "Curt."}'))
    piece = bob.post("/playground/checks/", {**form, "a-answer": "Sorry."}, headers=HTMX).content.decode()
    assert "<html" not in piece and "Checks on the answer" in piece and "Curt." in piece
    assert "Checks on" not in bob.post("/playground/checks/", form, headers=HTMX).content.decode()

    # Programs send the answer; the judge is asked as who sends it.
    url = f"/api/prompts/support/answer/-/tests/cases/{case.pk}/check/"
    key = make.make_key(live.cast.team_a, owner=live.cast.alice, scopes=["models:call"])[1]

    def send(body: dict[str, Any], client: Client | None = None) -> Any:
        headers = {} if client else {"Authorization": f"Bearer {key}"}
        return (client or Client()).post(url, json.dumps(body), content_type="application/json", headers=headers)

    upstream.enqueue(completion('{"pass": false, "reason": "Curt."}'))
    said = send({"answer": "Sorry."})
    assert said.json() == {
        "passed": False,
        "verdicts": [
            {"title": "Contains: Sorry", "passed": True, "reason": "", "was_made": True},
            {"title": "A model judges: Kind <b>?", "passed": False, "reason": "Curt.", "was_made": True},
        ],
    }, said.text
    upstream.enqueue(completion('{"pass": true, "reason": "Kind."}'))
    assert send({"answer": "Sorry.", "environment": "sandbox"}, bob).json()["passed"] is True
    newest = AuditEvent.objects.filter(type="playground", status="ok").order_by("-id")[:2]
    asked_by = [(line.actor_kind, line.environment, line.route) for line in newest]
    assert asked_by == [("user", "sandbox", url), ("key", "production", url)]
    for wrong, status, param in (({}, 400, "answer"), ({"answer": "x", "environment": "sandbox"}, 403, None)):
        refused = send(wrong)
        assert (refused.status_code, refused.json()["error"]["param"]) == (status, param)
    assert send({"answer": "x"}, client_of(live.cast.charlie)).status_code == 404


def test_cases_are_their_teams_alone(world: World) -> None:
    case = case_of(world, [{"kind": "contains", "value": "secret plan"}])
    world.prompt.visibility = "organisation"
    world.prompt.save(update_fields=["visibility"])
    charlie = client_of(world.cast.charlie)
    form = {**world.form, "for": "team-b", "case": str(case.pk), "a-answer": "x"}
    for response in (
        charlie.get("/playground/?prompt=support/answer"),
        charlie.post("/playground/", {**form, "do": "case"}),
        charlie.post("/playground/checks/", form, headers=HTMX),
    ):
        assert response.status_code == 200
        assert "late order" not in response.content.decode() and "secret plan" not in response.content.decode()
    for odd in ("x", "", "00000000-0000-0000-0000-000000000000"):
        assert client_of(world.cast.bob).post("/playground/checks/", {**form, "case": odd}).status_code == 200


def test_a_reader_rates_their_own_answers(live: World, upstream: Upstream) -> None:
    bob = client_of(live.cast.bob)
    for _ in range(2):
        upstream.enqueue_stream(sse(*text_chunks("Here.")))
    page = bob.post("/playground/", {**live.form, "do": "run"})
    requests = {one.letter: one.request for one in page.context["bench"].set_ups}
    form = {**live.form, "a-request": requests["a"], "a-answer": "Here.", "a-rating": ""}

    def rate(client: Client, says: str, **more: str) -> Any:
        return client.post("/playground/rate/?set-up=a", {**form, **more, "do": says}, headers=HTMX)

    piece = rate(bob, "good").content.decode()
    assert 'name="a-rating" value="good"' in piece and piece.count('aria-pressed="true"') == 1
    assert 'aria-pressed="true"' not in rate(bob, "good", **{"a-rating": "good"}).content.decode(), (
        "once more takes it back"
    )
    lines = AuditEvent.objects.filter(action="answer.rated").order_by("id")
    said = [json.loads(line.detail) for line in lines]
    assert [one["answer"] for one in said] == ["good", "not rated"]
    assert {(line.target, line.actor) for line in lines} == {(requests["a"], str(live.cast.bob))}
    whole = bob.post("/playground/rate/?set-up=a", {**form, "do": "bad"})
    assert whole.context["bench"].set_up("a").rating == "bad" and whole.context["bench"].set_up("a").answer == "Here."
    dora = client_of(make.make_member(live.cast.team_a, role=Role.BUILDER))
    for client, request in ((dora, requests["a"]), (bob, "req_x"), (bob, ""), (bob, "0" * 32)):
        assert rate(client, "good", **{"a-request": request}).status_code == 404
    assert lines.all().count() == 3

    def over_the_api(client: Client, method: str, request: str, body: object = None, **headers: str) -> Any:
        return client.generic(
            method, f"/api/playground/answers/{request}/rating/", json.dumps(body or {}), "application/json",
            headers=headers,
        )  # fmt: skip

    rated = over_the_api(bob, "PUT", requests["b"], {"rating": "bad"})
    assert (rated.status_code, rated.json()) == (200, {"request_id": requests["b"], "rating": "bad"})
    assert over_the_api(bob, "DELETE", requests["b"]).status_code == 204
    by_api = [(line.target, json.loads(line.detail)["answer"], line.actor) for line in lines.all()[3:]]
    assert by_api == [(requests["b"], says, str(live.cast.bob)) for says in ("bad", "not rated")]
    odd = over_the_api(bob, "PUT", requests["b"], {"rating": "fair"})
    assert (odd.status_code, odd.json()["error"]["param"]) == (400, "rating")
    for client, request in ((dora, requests["b"]), (bob, "req_x"), (bob, "0" * 32)):
        assert over_the_api(client, "PUT", request, {"rating": "good"}).status_code == 404
    bearer = {"Authorization": f"Bearer {live.cast.kim_text}"}
    assert over_the_api(Client(), "PUT", requests["b"], {"rating": "good"}, **bearer).status_code == 404
    assert lines.all().count() == 5


def test_it_says_which_answer_a_test_expects(world: World) -> None:
    alice = client_of(world.cast.alice)
    form = {**world.form, "a-answer": "First.", "b-answer": "Second.", "b-rating": "good"}
    base = "/prompts/support/answer/-/tests/new/"
    for wanted, letter, text in (("a", "A", "First."), ("b", "B", "Second."), ("playground", "B", "Second.")):
        response = alice.post(base, {**form, "from": wanted})
        sent = response.context["sent"]
        assert (sent.chosen.name, response.context["form"].expected) == (letter, text)
        assert f"The answer below is {letter}’s" in response.content.decode()
    assert "v2 on support-chat@production" in response.content.decode() and "Take A’s, v1" in response.content.decode()
    typed = {**form, "name": "late", "c-0-kind": "contains", "c-0-value": "x", "expected": "Second.", "from": "a"}
    switched = alice.post(base, typed)
    assert (switched.context["form"].name, switched.context["form"].expected) == ("late", "First.")
    assert switched.context["form"].checks[0].value == "x"
    del typed["from"]
    refused = alice.post(base, {**typed, "expected-from": "a", "do": "save", "name": ""})
    assert refused.status_code == 422 and refused.context["sent"].chosen.name == "A"
    assert refused.context["form"].expected == "Second.", "what was typed stays"
