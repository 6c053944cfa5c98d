"""Ratings of answers: by programs over the API, by people in a record's drawer, in chat; found and exported."""

import csv
import io
import json
import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from agents_app.models import Step
from console.audit.models import AuditEvent, Rating
from console.audit.services import ratings
from console.audit.services.ratings import Rater, Word, say
from console.core.clock import now
from console.core.ids import request_id, uuid7
from console.teams.models import Role
from console.teams.services import keys
from tests import make
from tests.at_once import at_once
from tests.audit.calls import a_call, a_chat, until_finished
from tests.conftest import Cast
from tests.make import client_of

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def send(method: str, reference: str, key: str, body: object = None, **headers: str) -> Any:
    return Client().generic(
        method,
        f"/api/calls/{reference}/rating/",
        json.dumps(body if body is not None else {}),
        "application/json",
        headers={"Authorization": f"Bearer {key}", **headers},
    )


def lines() -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(action="answer.rated").order_by("id"))


def said_in_lines() -> list[str]:
    return [json.loads(line.detail)["answer"] for line in lines()]


@pytest.fixture
def key(cast: Cast) -> str:
    return make.make_key(cast.team_a, scopes=["models:call"])[1]


def test_a_program_rates_an_answer_and_changes_its_mind(cast: Cast, key: str) -> None:
    reference = request_id(a_call(cast.team_a))
    assert send("GET", reference, key).json() == {
        **{"request_id": reference, "rating": None, "score": None, "comment": "", "given_at": None}
    }
    told = send("PUT", reference, key, {"rating": "bad", "score": 0.12345, "comment": " Wrong price.\r\nAgain "})
    assert told.status_code == 200
    assert told.json() | {"given_at": ""} == {
        **{"request_id": reference, "rating": "bad", "score": 0.123, "comment": "Wrong price.\nAgain", "given_at": ""}
    }
    again = send("PUT", reference, key, {"rating": "bad", "score": 0.12345, "comment": "Wrong price.\nAgain"})
    assert again.json() == told.json() and said_in_lines() == ["bad"], "the same again changes and records nothing"
    assert send("PUT", reference, key, {"score": 0.5}).json()["rating"] == "good"
    (row,) = Rating.objects.all()
    assert (row.is_good, row.score, row.comment) == (True, Decimal("0.5"), "")
    assert send("DELETE", reference, key).status_code == send("DELETE", reference, key).status_code == 204
    assert not Rating.objects.exists() and said_in_lines() == ["bad", "good", "not rated"]
    first, second, _ = lines()
    assert json.loads(first.detail)["characters_of_comment"] == 18 and "Wrong" not in first.detail
    assert json.loads(second.detail)["before_that"] == "bad" and second.team_id == cast.team_a.pk
    assert {line.target for line in lines()} == {reference} and {line.surface for line in lines()} == {"api"}


def test_a_response_is_rated_by_its_own_id_and_a_key_is_the_same_after_its_rotation(cast: Cast) -> None:
    row, text = make.make_key(cast.team_a, owner=cast.alice, scopes=["models:call"])
    call = a_call(cast.team_a, type="response")
    assert send("PUT", f"resp_{call.hex}", text, {"rating": "good"}).json()["request_id"] == request_id(call)
    _, newer = keys.rotate_key(actor=make.actor_for(cast.alice), key=row)
    assert send("PUT", call.hex, newer, {"rating": "bad"}).status_code == 200
    assert [one.says for one in Rating.objects.all()] == ["bad"], "it is the same program"


def test_a_run_is_rated_by_the_call_that_gave_its_last_word(cast: Cast, key: str) -> None:
    run = make.make_run(make.make_agent(cast.team_a), cast.alice)
    assert send("PUT", run.public_id, key, {"rating": "bad"}).status_code == 404, "it said nothing yet"
    calls = [a_call(cast.team_a, type="agent") for _ in range(2)]
    foreign = a_call(cast.team_b, type="agent")
    for call in calls:
        make.make_step(run, kind=Step.Kind.MODEL, state=Step.State.DONE, request_id=call)
    make.make_step(run, kind=Step.Kind.TOOL, state=Step.State.DONE, request_id=uuid7())
    for name in (run.public_id, f"resp_{run.pk.hex}"):
        assert send("PUT", name, key, {"rating": "bad"}).json()["request_id"] == request_id(calls[-1])
    make.make_step(run, kind=Step.Kind.MODEL, state=Step.State.DONE, request_id=foreign)
    assert send("PUT", run.public_id, key, {"rating": "bad"}).status_code == 404


def test_what_is_not_theirs_looks_like_nothing(cast: Cast, key: str) -> None:
    foreign, nobodys, change = (
        a_call(cast.team_b),
        a_call(None),
        a_call(cast.team_a, type="admin", action="key.created"),
    )
    sandbox = a_call(cast.team_a, environment="sandbox")
    bodies = set()
    for reference in (
        *map(request_id, (foreign, nobodys, change, sandbox, uuid7())),
        *("req_x", "run_" + "0" * 32, "x\0", "0" * 4000, "../..", "%00"),
    ):
        for method in ("PUT", "DELETE", "GET"):
            answer = send(method, reference.replace("\0", "%00"), key, {"rating": "good"})
            assert answer.status_code == 404, reference
            if answer.headers["Content-Type"].startswith("application/json"):
                bodies.add(answer.json()["error"]["message"])
    assert "There is no such call. An answer can be rated once it has ended." in bodies and not Rating.objects.exists()
    reads = make.make_key(cast.team_a, scopes=["audit:read"])[1]
    mine = request_id(a_call(cast.team_a))
    refused = send("PUT", mine, reads, {"rating": "good"})
    assert refused.status_code == 403 and "models:call" in refused.json()["error"]["message"]
    sandboxed = make.make_key(cast.team_a, scopes=["models:call"], environment="sandbox")[1]
    assert send("PUT", mine, sandboxed, {"rating": "good"}).status_code == 404
    assert send("PUT", request_id(sandbox), sandboxed, {"rating": "good"}).status_code == 200


@pytest.mark.parametrize(
    "columns", [{"type": "embedding"}, {"type": "tool"}, {"status": "refused"}, {"type": "models"}]
)
def test_only_answers_are_rated(cast: Cast, key: str, columns: dict[str, str]) -> None:
    refused = send("PUT", request_id(a_call(cast.team_a, **columns)), key, {"rating": "good"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "no_answer")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "rating"),
        ({"rating": "fair"}, "rating"),
        ({"rating": None}, "rating"),
        ({"rating": ["good"]}, "rating"),
        ({"score": 1.01}, "score"),
        ({"score": -0.001}, "score"),
        ({"score": "0.5"}, "score"),
        ({"score": True}, "score"),
        ({"score": 7}, "score"),
        ({"rating": "good", "comment": "x" * 1001}, "comment"),
        ({"rating": "good", "comment": "a\u0007"}, "comment"),
        ({"rating": "good", "comment": {}}, "comment"),
        ({"rating": "good", "rater": "somebody"}, "rater"),
    ],
)
def test_odd_bodies_are_refused_by_name(cast: Cast, key: str, body: dict[str, Any], param: str) -> None:
    refused = send("PUT", request_id(a_call(cast.team_a)), key, body)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)
    assert not Rating.objects.exists()


def test_secrets_in_a_comment_are_not_kept(cast: Cast, key: str) -> None:
    reference = request_id(a_call(cast.team_a))
    told = send("PUT", reference, key, {"rating": "bad", "comment": f"It said {key}"})
    assert told.json()["comment"] == "It said [redacted]"


@pytest.mark.django_db(transaction=True)
def test_said_many_times_at_once_it_is_one_word(committed_db: None) -> None:
    cast = Cast()
    key = make.make_key(cast.team_a, scopes=["models:call"])[1]
    reference = request_id(a_call(cast.team_a))
    bodies = [{"rating": "good" if n % 2 else "bad"} for n in range(6)]
    answers = at_once(*[lambda body=body: send("PUT", reference, key, body).status_code for body in bodies])
    assert answers == [200] * 6 and Rating.objects.count() == 1
    assert said_in_lines()[-1] == Rating.objects.get().says
    assert all(a != b for a, b in zip(said_in_lines(), said_in_lines()[1:], strict=False))
    ends = at_once(*[lambda: send("DELETE", reference, key).status_code for _ in range(4)])
    assert ends == [204] * 4 and said_in_lines().count("not rated") == 1


def test_people_rate_their_own_calls_and_those_of_a_log_they_see(cast: Cast) -> None:
    reference = request_id(a_call(cast.team_a, content=a_chat("What is 42?", "The answer.")))
    alice, path = client_of(cast.alice), f"/audit/{reference}/rate/"
    drawer = alice.get(f"/audit/{reference}/", headers=HTMX | {"HX-Target": "drawer"}).content.decode()
    assert "Not rated yet" in drawer and "Good answer" in drawer
    piece = alice.post(path, {"says": "bad", "comment": "<b>No</b>\u202e"}, headers=HTMX).content.decode()
    assert "&lt;b&gt;No&lt;/b&gt;" in piece and "U+202E" in piece and "<html" not in piece
    assert "Withdraw" in piece
    assert alice.post(path, {"says": "good"})["Location"] == f"/audit/{reference}/", "without scripts, too"
    assert [one.says for one in Rating.objects.all()] == ["good"]
    assert alice.post(path, {"says": "fair"}, headers=HTMX).status_code == 422
    long = alice.post(path, {"says": "bad", "comment": "x" * 1001}, headers=HTMX)
    assert long.status_code == 422 and "1000" in long.content.decode()
    assert alice.post(path, {"says": "bad", "comment": "a\0"}, headers=HTMX).status_code == 422
    assert alice.post(path, {"says": "fair"}).status_code == 400 and alice.get(path).status_code == 405
    assert alice.post(path, {"says": "nothing"}, headers=HTMX).status_code == 200 and not Rating.objects.exists()
    assert said_in_lines() == ["bad", "good", "not rated"]

    # A member sees no log; an auditor sees it and changes nothing; another team's people see nothing.
    member, auditor = cast.bob, make.make_member(cast.team_a, role=Role.AUDITOR)
    assert client_of(member).post(path, {"says": "good"}).status_code == 403
    assert client_of(auditor).post(path, {"says": "good"}).status_code == 403
    shown = client_of(auditor).get(f"/audit/{reference}/").content.decode()
    assert "Good answer" not in shown
    assert client_of(cast.charlie).post(path, {"says": "good"}).status_code == 404
    own = request_id(a_call(cast.team_a, actor_kind="user", actor_id=member.pk))
    assert client_of(member).post(f"/audit/{own}/rate/", {"says": "good"}, headers=HTMX).status_code == 200


def test_a_comment_is_for_those_who_read_content(cast: Cast, key: str) -> None:
    reference = request_id(a_call(cast.team_a))
    send("PUT", reference, key, {"rating": "bad", "score": 0.25, "comment": "The plan is secret."})
    approver, builder = (make.make_member(cast.team_a, role=role) for role in (Role.APPROVER, Role.BUILDER))
    hidden, shown = (client_of(one).get(f"/audit/{reference}/").content.decode() for one in (approver, builder))
    assert "secret" not in hidden and "your role may not read" in hidden and "0.25" in hidden
    assert "The plan is secret." in shown
    for one, comment in ((approver, None), (builder, "The plan is secret.")):
        client = client_of(one)
        (of_list,) = client.get("/api/audit/events/?rating=bad").json()["data"]
        alone = client.get(f"/api/audit/events/{reference}/").json()
        for record in (of_list, alone):
            (word,) = record["ratings"]
            assert (word["rating"], word["score"], word["comment"]) == ("bad", 0.25, comment)
            assert word["rater_kind"] == "key"
        body = b"".join(client.get("/audit/export/?rating=rated").streaming_content).decode()
        assert "secret" not in body
        (row,) = csv.DictReader(io.StringIO(body))
        assert (row["ratings_good"], row["ratings_bad"]) == ("0", "1")
    body = b"".join(client_of(builder).get("/audit/export/?rating=bad&content=1&format=jsonl").streaming_content)
    assert json.loads(body)["ratings_comments"] == "The plan is secret."


@pytest.mark.django_db(transaction=True)
def test_the_log_is_filtered_by_rating_and_by_version(committed_db: None) -> None:
    cast = Cast()
    took_part = json.dumps([{"slug": "support/answer", "number": 1}, {"slug": "house/style", "number": 7}])
    compact = '[{"slug":"support/answer","number":12,"label":"canary"}]'
    good = a_call(cast.team_a, prompt=took_part)
    bad = a_call(cast.team_a, prompt=compact)
    neither = a_call(cast.team_a, prompt='[{"slug":"support/answer_2","number":1}]')
    of_b = a_call(cast.team_b)
    for call, is_good in ((good, True), (bad, False), (of_b, True)):
        say(rater=Rater("user", cast.alice.pk, "A"), event=AuditEvent.objects.get(pk=call), word=Word(is_good))

    def found(query: str, person: Any = cast.alice) -> set[str]:
        answer = client_of(person).get(f"/api/audit/events/?type=chat&{query}")
        assert answer.status_code == 200, answer.content
        return {one["request_id"] for one in answer.json()["data"]}

    for query, calls in (
        ("rating=good", [good]),
        ("rating=bad", [bad]),
        ("rating=rated", [good, bad]),
        ("prompt=support/answer", [good, bad]),
        ("prompt=support/answer@1", [good]),
        ("prompt=support/answer@12", [bad]),
        ("prompt=support/answer@12&rating=good", []),
        ("prompt=support/answer_2", [neither]),
        ("prompt=house/style", []),
    ):
        assert found(query) == {request_id(call) for call in calls}, query
    assert found("rating=good", cast.operator) == {request_id(call) for call in (good, of_b)}
    for odd in ("rating=fine", "prompt=%25", "prompt=support/answer@", "prompt=support/answer@0"):
        assert client_of(cast.alice).get(f"/api/audit/events/?{odd}").status_code == 400, odd
        assert client_of(cast.alice).get(f"/audit/?{odd}").status_code == 422, odd
    page = client_of(cast.alice).get("/audit/?rating=bad&prompt=support/answer@12").content.decode()
    assert "Rating: <b>Bad</b>" in page and "Prompt: <b>support/answer@12</b>" in page
    until_finished()
    tail = client_of(cast.alice).get("/audit/?rating=good&live=1")
    assert client_of(cast.alice).get(tail.context["tail_url"]).status_code == 200


def test_ratings_leave_with_their_calls_and_comments_with_the_content(cast: Cast, monkeypatch: Any) -> None:
    month = now().date().replace(day=1)
    old = uuid.UUID(int=1 << 100)
    for event in (old, a_call(cast.team_a)):
        Rating.objects.create(event_id=event, rater_kind="key", rater_id=uuid7(), is_good=True, comment="why")
    monkeypatch.setattr(ratings, "months", lambda parent: [month] if parent == "audit_payload" else [])
    assert ratings.forget() == 0 and sorted(one.comment for one in Rating.objects.all()) == ["", "why"]
    monkeypatch.setattr(ratings, "months", lambda parent: [month])
    assert ratings.forget() == 1 and Rating.objects.get().comment == "why"
