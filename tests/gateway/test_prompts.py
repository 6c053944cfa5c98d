"""`prompt: {id, version | label, variables}` before or in place of messages."""

import datetime as dt
import json

import httpx2 as httpx
import psycopg
import pytest
from django.db.backends.utils import CursorWrapper

from console.audit.models import Payload
from console.core.clock import now
from console.gateway import snapshot as snapshot_module
from console.gateway.statement import Statement
from console.teams.actors import SYSTEM
from console.teams.services.teams import archive_team
from prompts_app import shapes, where_used
from prompts_app.errors import UnknownPrompt
from prompts_app.models import Label, Prompt, PromptUse
from prompts_app.queries.preview import partials_to_offer
from prompts_app.rendering import fill_now
from prompts_app.services import labels, prompts
from prompts_app.services.uses import roll_up_uses
from prompts_app.text.refs import Ref
from tests import make
from tests.gateway.invariants import check_invariants
from tests.live import WebProcess
from tests.waiting import until


@pytest.fixture
def call(client, world):
    """Call the chat with a prompt; `messages` only when given."""

    def post(prompt, *, key="", at=client, **more):
        headers = {"Authorization": f"Bearer {key}"} if key else None
        return at.post(
            "/v1/chat/completions", json={"model": "support-chat", "prompt": prompt, **more}, headers=headers
        )

    return post


@pytest.fixture
def answer(world):
    """A prompt of one text with a partial of another team that shares it."""
    house = make.make_team("House")
    make.make_prompt(house, "house/sign", "— {{who}}", kind="partial", visibility="organisation")
    make.make_prompt(house, "house/style", "Be kind. {{> house/sign}}", kind="partial", visibility="organisation")
    return make.make_prompt(
        world.team,
        "support/answer",
        "{{> house/style}}\nOrder {{order}}.",
        variables=[{"name": "order", "type": "number"}, {"name": "who", "default": "Support"}],
        parameters={"temperature": 0.2, "top_p": 0.5},
    )


def test_it_sends_the_words_and_keeps_what_took_part(call, world, answer):
    world.model.pins.update(default_parameters={"top_p": 0.9})
    response = call({"id": "support/answer", "variables": {"order": 7}})
    assert response.status_code == 200, response.text
    assert response.headers["x-facet-prompt"] == "support/answer@1"
    sent = world.upstream.seen[-1].body
    words = "Be kind. — Support\nOrder 7."
    assert sent["messages"] == [{"role": "user", "content": words}]
    assert "prompt" not in sent
    assert (sent["temperature"], sent["top_p"]) == (0.2, 0.9), "the pin's word counts above the version's"
    (line,) = world.calls()
    assert json.loads(line.prompt) == [
        {"slug": "support/answer", "number": 1},
        {"slug": "house/style", "number": 1},
        {"slug": "house/sign", "number": 1},
    ]
    kept = json.loads(Payload.objects.get(event_id=line.pk, kind="input").body)
    assert kept["messages"][0]["content"] == words
    assert kept["prompt"] == {"id": "support/answer", "variables": {"order": 7}}

    messages = [{"role": "user", "content": "Where is it?"}]
    assert call(None, messages=messages).status_code == 200
    assert "prompt" not in world.upstream.seen[-1].body and world.calls()[-1].prompt == ""
    streamed = call({"id": "support/answer:production", "variables": {"order": 8}}, messages=messages, temperature=1)
    assert streamed.status_code == 200
    sent = world.upstream.seen[-1].body
    assert [message["role"] for message in sent["messages"]] == ["system", "user"]
    assert sent["temperature"] == 1, "the caller's word counts above both"
    assert json.loads(world.calls()[-1].prompt)[0] == {"slug": "support/answer", "number": 1, "label": "production"}


def test_the_keys_environment_a_version_or_a_label_decides(call, world):
    prompt = make.make_prompt(world.team, "a", "one")
    _, sandbox = make.make_key(world.team, environment="sandbox")
    said = call({"id": "a"}, key=sandbox).json()["error"]["message"]
    assert "no label 'staging', which calls in sandbox mean when they name none; it has production." in said
    for text, label in (("two", "staging"), ("three", "canary"), ("four", "")):
        make.save(prompt, text)
        if label:
            make.publish(prompt, label=label)
    make.make_prompt(world.team, "only/live", "part", kind="partial")
    make.make_prompt(world.team, "b", "{{> only/live}}", live="staging")
    for body, key, said in (
        ({"id": "a"}, "", "one"),
        ({"id": "a"}, sandbox, "two"),
        ({"id": "a", "label": "canary"}, "", "three"),
        ({"id": "a", "version": 4}, "", "four"),
        ({"id": "a@4"}, sandbox, "four"),
        ({"id": "b"}, sandbox, "part"),
    ):
        assert call(body, key=key).status_code == 200
        assert world.upstream.seen[-1].body["messages"][0]["content"] == said


def test_it_refuses_by_name_and_on_record(call, world, answer):
    stranger = make.make_team("Strangers")
    make.make_prompt(stranger, "their/secret", "x")
    gone = make.make_prompt(world.team, "was/here", "x", live=None)
    prompts.delete_prompt(actor=SYSTEM, prompt=gone)
    fine = {"order": 7}
    for prompt, status, code, says in (
        (
            {"id": "no/such"},
            404,
            "unknown_prompt",
            "no prompt 'no/such', or your team may not use it. The page Prompts",
        ),
        ({"id": "their/secret"}, 404, "unknown_prompt", "no prompt 'their/secret'"),
        ({"id": "was/here"}, 404, "unknown_prompt", "no prompt 'was/here'"),
        ({"id": "support/answer", "version": 9}, 404, "unknown_prompt_version", "/support/answer/-/versions/"),
        ({"id": "support/answer", "label": "canary"}, 404, "unknown_prompt_label", "'canary'; it has production. Pub"),
        ({"id": "house/style", "variables": {"who": "x"}}, 400, "invalid_request", "is a partial"),
        ({"id": "support/answer", "variables": {"order": "7", "x": 1}}, 400, "wrong_variables", "x; wrong: order"),
        ({"id": "support/answer", "variables": {}}, 400, "wrong_variables", "missing: order"),
        ({"id": "support/answer", "variables": fine | {"who": "x" * 200_000}}, 413, "rendered_prompt_too_large", "200"),
        ({"id": "support/answer", "version": 1, "label": "a"}, 400, "invalid_request", "not both"),
        ({"id": "support/answer", "version": True}, 400, "invalid_request", "number of a version"),
        ({"id": "support/answer", "oops": 1}, 400, "invalid_request", "'oops'"),
        ({"id": "../etc"}, 400, "invalid_request", "prompt.id"),
        ({"id": 7}, 400, "invalid_request", "prompt.id"),
        ("support/answer", 400, "invalid_request", "must be an object"),
    ):
        refused = call(prompt)
        error = refused.json()["error"]
        assert (refused.status_code, error["code"]) == (status, code), (prompt, error)
        assert says in error["message"], error
        assert error["param"], prompt
    assert not world.upstream.seen
    assert {line.status for line in world.calls()} == {"refused"} and len(world.calls()) == 15


def test_a_team_that_is_put_away_answers_no_more_but_holds_up_nobody(call, world, answer):
    """Its prompts are gone for others; partials of it that live prompts include go on answering."""
    house = Prompt.objects.get(slug="house/style").team
    make.make_prompt(house, "house/shared", "Hello.", visibility="organisation")
    assert call({"id": "house/shared"}).status_code == 200
    archive_team(actor=SYSTEM, team=house)
    refused = call({"id": "house/shared"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "unknown_prompt")
    with pytest.raises(UnknownPrompt):
        fill_now(answer.team_id, Ref("house/shared"), "production", {})
    assert call({"id": "support/answer", "variables": {"order": 7}}).status_code == 200
    assert "Be kind." in world.upstream.seen[-1].body["messages"][0]["content"]
    assert [partial.slug for partial in partials_to_offer([answer.team_id])] == []


def test_a_warm_call_reads_nothing_and_a_move_holds_from_the_next_call(call, world, answer, monkeypatch):
    """Counts every reading of prompts by the server, which runs in this process: labels and versions alike."""
    body = {"id": "support/answer", "variables": {"order": 7}}
    call(body)
    read: list[str] = []
    real_load, real_read = snapshot_module.load, shapes.read
    monkeypatch.setattr(snapshot_module, "load", lambda *a: read.append("snapshot") or real_load(*a))
    monkeypatch.setattr(shapes, "read", lambda keys: read.append("version") or real_read(keys))
    for _ in range(3):
        assert call(body).status_code == 200
    assert read == []
    make.save(answer, "Now {{order}}.")
    assert call(body).headers["x-facet-prompt"] == "support/answer@1" and read == [], "saving changes no call"
    make.publish(answer)
    moved = call(body)
    assert moved.headers["x-facet-prompt"] == "support/answer@2" and read == ["snapshot", "version"]
    label = Label.objects.get(prompt=answer)
    labels.roll_back(actor=SYSTEM, prompt=answer, label="production", reason="back", seen_revision=label.revision)
    assert call(body).headers["x-facet-prompt"] == "support/answer@1"
    assert read == ["snapshot", "version", "snapshot"], "a version once read is never read again"


def test_a_warm_call_with_a_prompt_sends_the_database_what_a_plain_one_does(ask, call, world, answer, monkeypatch):
    """Counts every statement of this process, which the server runs in, by whichever way it is sent."""
    body = {"id": "support/answer", "variables": {"order": 7}}
    ask(), call(body)
    sent: list[str] = []

    def count(owner, name):
        real = getattr(owner, name)

        def counting(self, *args, **more):
            sent.append(owner.__name__)
            return real(self, *args, **more)

        monkeypatch.setattr(owner, name, counting)

    count(Statement, "run")  # the pipeline's own two
    count(psycopg.AsyncConnection, "execute")
    count(CursorWrapper, "execute")
    assert [ask().status_code for _ in range(3)] == [200] * 3
    plain, sent[:] = list(sent), []
    assert [call(body).status_code for _ in range(3)] == [200] * 3
    assert sent == plain == ["Statement", "Statement"] * 3


def test_a_published_label_is_live_in_another_process_on_its_next_call(call, world, answer):
    process = WebProcess().wait()
    try:
        with httpx.Client(base_url=process.url, headers=world.headers, timeout=60) as other:
            body = {"id": "support/answer", "variables": {"order": 7}}
            assert [call(body, at=at).headers["x-facet-prompt"] for at in (other, other)] == ["support/answer@1"] * 2
            for text in ("two {{order}}", "three {{order}}"):
                version = make.save(answer, text)
                make.publish(answer)
                assert call(body, at=other).headers["x-facet-prompt"] == f"support/answer@{version.number}"
                assert world.upstream.seen[-1].body["messages"][0]["content"] == text.replace("{{order}}", "7")
                assert json.loads(world.calls()[-1].prompt)[0]["number"] == version.number
            prompts.change_prompt(actor=SYSTEM, prompt=make.make_prompt(answer.team, "fresh/one", "x"), description="d")
            assert call({"id": "fresh/one"}, at=other).status_code == 200
    finally:
        process.stop()
    check_invariants(world.calls, world.upstream)


def test_a_library_reads_only_what_changed(cast, django_assert_num_queries):
    from console.audit import sql

    a = make.make_prompt(cast.team_a, "a", "x")
    b = make.make_prompt(cast.team_a, "b", "x")
    first = shapes.library(sql.epoch())
    assert first.prompts["a"].labels == {"production": 1} and len(first.prompts) == 2
    make.save(a, "y")
    make.publish(a)
    epoch = sql.epoch()
    with django_assert_num_queries(4):
        second = shapes.library(epoch, first)
    assert second.prompts["a"].labels == {"production": 2} and second.prompts["b"] is first.prompts["b"]
    labels.remove_label(actor=SYSTEM, prompt=b, label="production", reason="x", seen_revision=1)
    prompts.delete_prompt(actor=SYSTEM, prompt=b)
    third = shapes.library(sql.epoch(), second)
    assert set(third.prompts) == {"a"}
    again = make.make_prompt(cast.team_a, "b", "z", visibility="organisation")
    assert shapes.library(sql.epoch(), third).prompts["b"].id == again.pk
    type(a).objects.filter(pk=again.pk).update(deleted_at=again.created_at)  # unmarked, as an operator's SQL may be
    assert set(shapes.library(sql.epoch(), shapes.library(sql.epoch(), third)).prompts) == {"a"}


def roll_up_until(calls: int) -> None:
    """Roll up until so many calls of texts are counted: it waits for older transactions, those of other tests too."""

    def are_counted() -> bool:
        return not roll_up_uses() and sum(PromptUse.objects.values_list("calls", flat=True)) >= calls

    until(are_counted, lambda: f"{calls} calls in {list(PromptUse.objects.values())}", 180)


def test_calls_become_uses_once(call, world, answer):
    body = {"id": "support/answer", "variables": {"order": 7}}
    for _ in range(3):
        assert call(body).status_code == 200
    call({"id": "support/answer"})  # refused
    call({"id": "no/such"})
    roll_up_until(3 * 3)
    rows = PromptUse.objects.order_by("prompt__slug").values_list("prompt__slug", "surface", "number", "calls")
    assert list(rows) == [
        ("house/sign", "api", 1, 3),
        ("house/style", "api", 1, 3),
        ("support/answer", "api", 1, 3),
    ]
    assert call(body).status_code == 200
    roll_up_until(4 * 3)
    answer.refresh_from_db()
    assert answer.calls == 4
    assert [(use.kind, use.name, use.team, use.calls) for use in where_used.uses_of(answer)] == [
        ("calls", "api", "", 4),
        ("key", world.key.name, "Support", 4),
    ]
    PromptUse.objects.filter(prompt=answer).update(day=now().date() - dt.timedelta(days=31))
    roll_up_uses()
    answer.refresh_from_db()
    assert answer.calls == 0, "only the last 30 days count"
    PromptUse.objects.filter(prompt=answer).update(day=now().date() - dt.timedelta(days=101))
    roll_up_uses()
    assert not PromptUse.objects.filter(prompt=answer).exists()
