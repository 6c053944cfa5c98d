"""Idempotency-Key on /v1/chat/completions."""

import threading

import pytest
from django.db import InterfaceError, OperationalError

from console.api import idempotency
from console.audit.models import AuditEvent
from console.teams.services.keys import rotate_key
from tests import make
from tests.upstream import completion
from tests.waiting import until

KEY = {"Idempotency-Key": "order-10423"}


def test_it_answers_the_same_request_once(ask, world):
    first = ask(headers=KEY)
    second = ask(headers=KEY)
    assert first.status_code == second.status_code == 200
    assert second.json() == first.json()
    assert "x-facet-idempotent-replay" not in first.headers
    assert second.headers["x-facet-idempotent-replay"] == "true"
    assert second.headers["x-facet-original-request-id"] == first.headers["x-request-id"]
    _, text = rotate_key(actor=make.SYSTEM, key=rotate_key(actor=make.SYSTEM, key=world.key)[0])
    third = ask(headers=KEY | {"Authorization": f"Bearer {text}"})
    assert third.json() == first.json() and third.headers["x-facet-idempotent-replay"] == "true", "a line is one"
    assert len(world.upstream.seen) == 1 and len(world.calls()) == 1


def test_it_records_the_replay(ask, world):
    ask(headers=KEY)
    ask(headers=KEY)
    line = AuditEvent.objects.get(action="call.replayed")
    assert (line.team_id, line.actor_id, line.cost_micros) == (world.team.pk, world.key.pk, 0)


def test_it_takes_members_in_another_order_for_the_same_body(client, world):
    message = {"role": "user", "content": "hi"}
    for body in ({"model": "support-chat", "messages": [message]}, {"messages": [message], "model": "support-chat"}):
        assert client.post("/v1/chat/completions", json=body, headers=KEY).status_code == 200
    assert len(world.upstream.seen) == 1


def test_it_refuses_another_body(ask, world):
    ask("one", headers=KEY)
    response = ask("two", headers=KEY)
    assert response.status_code == 422
    assert response.json()["error"]["code"] == "idempotency_key_reused"
    assert world.calls()[-1].status == "refused"


def test_it_refuses_while_the_first_still_runs(ask, world):
    release = threading.Event()
    world.upstream.enqueue_when(release.is_set, stream=True)
    running = threading.Thread(target=lambda: ask(headers=KEY, stream=True))
    running.start()
    until(lambda: world.upstream.seen, "the first is under way")
    response = ask(headers=KEY, stream=True)
    release.set()
    running.join()
    assert response.status_code == 409
    assert response.json()["error"]["code"] == "idempotency_in_progress"


def test_it_replays_a_stream_as_a_stream(ask, world):
    first = ask(headers=KEY, stream=True)
    second = ask(headers=KEY, stream=True)
    assert first.text.endswith("data: [DONE]\n\n") and second.text.endswith("data: [DONE]\n\n")
    assert "Hello there." in second.text.replace('"content":" there"', "")
    assert len(world.upstream.seen) == 1


def test_a_failed_request_leaves_the_key_free(ask, world):
    world.upstream.enqueue("no", status=500)
    assert ask(headers=KEY).status_code == 502
    world.upstream.enqueue(completion("Second time lucky."))
    assert "lucky" in ask(headers=KEY).text
    assert [c.status for c in world.calls()] == ["error", "ok"]


def test_keys_of_other_credentials_do_not_meet(ask, world):
    _, other = make.make_key(world.team, "other")
    ask("one", headers=KEY)
    assert ask("two", headers={**KEY, "Authorization": f"Bearer {other}"}).status_code == 200


def test_it_refuses_an_unusable_key(ask, world):
    response = ask(headers={"Idempotency-Key": "x" * 256})
    assert response.status_code == 400
    assert response.json()["error"]["param"] == "Idempotency-Key"


def test_of_many_at_once_one_is_answered(ask, world):
    statuses = []
    threads = [threading.Thread(target=lambda: statuses.append(ask(headers=KEY).status_code)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(world.upstream.seen) == 1
    assert set(statuses) <= {200, 409} and 200 in statuses


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_it_says_that_it_cannot_look_a_key_up(ask, world, monkeypatch, error):
    def claim(**given):
        raise error("the connection is closed")

    monkeypatch.setattr(idempotency.sql, "claim", claim)
    refused = ask(headers={"Idempotency-Key": "a"})
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
    assert "cannot look the Idempotency-Key up" in refused.json()["error"]["message"]
    assert not world.upstream.seen
