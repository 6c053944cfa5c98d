"""Responses in the background, with OpenAI's own client: promised, answered by a worker, followed, cancelled."""

import datetime as dt
import json
import threading
import uuid

import pytest
from celery import Celery
from django.db import OperationalError
from django.db.models.functions import Now

from console.api import responses as stored_responses
from console.api.background import generation, rows, services, sweep
from console.api.background import worker as background_worker
from console.api.models import BackgroundResponse, ResponseFrames
from console.audit.models import AuditEvent, Payload
from console.audit.search import Criteria
from console.audit.sql import search
from console.core.connections import in_thread
from console.core.ids import request_id
from console.gateway import pipeline, sync
from console.teams.actors import SYSTEM
from console.teams.services.keys import revoke_key
from tests import make, sdks
from tests.gateway.invariants import let_leases_run_out, wait_until_settled
from tests.live import start_worker  # noqa: F401
from tests.upstream import completion, sse, text_chunks
from tests.valkey import valkey_server  # noqa: F401
from tests.waiting import let_it_end, until, until_async
from usage_app.models import Reservation
from usage_app.services.quotas import remove_quota, set_quota

ASK = {"model": "support-chat", "input": "Where is order 7?", "background": True}
OVER = ("completed", "incomplete", "failed", "cancelled")


class Worker:
    """A worker in the test's process: what would be a message for it is offered to it, as long as it is there."""

    def __init__(self):
        self.is_there = True

    def send(self, name, args, **options):
        if self.is_there and name == sweep.TASK:
            background_worker.offer(uuid.UUID(args[0]), args[1])

    def come(self):
        self.is_there = True
        sweep.drive()

    def leave(self):
        self.is_there = False
        # Whoever has just answered one looks for the next, and would find what is made from here on.
        until(lambda: not background_worker._busy, "it has nothing under way")


@pytest.fixture
def worker(monkeypatch):
    made = Worker()
    monkeypatch.setattr("console.core.tasks.current_app.send_task", made.send)
    yield made
    sync.stop()


def the_end_of(sdk, made, meanwhile=None):
    return until(
        lambda: (found := sdk.responses.retrieve(made.id)).status in OVER and found,
        lambda: f"{BackgroundResponse.objects.filter(pk=uuid.UUID(hex=made.id[5:])).values()} is over",
        meanwhile=meanwhile,
    )


def numbers(events):
    return [event.sequence_number for event in events]


def test_it_is_promised_at_once_and_answered_by_a_worker(sdk, client, world, worker, monkeypatch, settings):
    worker.leave()
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    named = {"Idempotency-Key": "once", "X-Client-Request-Id": "mine", "traceparent": parent}
    named["X-Facet-Metadata"] = '{"project": "books", "ticket": "?"}'
    raw = sdk.responses.with_raw_response.create(
        **ASK, metadata={"ticket": "7"}, service_tier="auto", user="customer-1", extra_headers=named
    )
    made = raw.parse()
    assert (made.status, made.background, made.output, made.metadata) == ("queued", True, [], {"ticket": "7"})
    assert raw.headers["x-facet-dropped-fields"] == "service_tier" and made.id[5:] == raw.headers["x-request-id"][4:]
    # What was promised stays promised, whatever is said against it by now.
    quota = set_quota(actor=SYSTEM, team=world.team, metric="tokens", window="month", limit=1, mode="hard")
    again = sdk.responses.create(
        **ASK,
        metadata={"ticket": "7"},
        service_tier="auto",
        user="customer-1",
        extra_headers={"Idempotency-Key": "once"},
    )
    assert again.id == made.id and BackgroundResponse.objects.count() == 1
    with pytest.raises(sdks.openai.RateLimitError):
        sdk.responses.create(**ASK, extra_headers={"Idempotency-Key": "another"})
    remove_quota(actor=SYSTEM, quota=quota)
    assert sdk.responses.retrieve(made.id).status == "queued" and world.upstream.seen == []
    assert [(line.status, line.code) for line in world.calls()] == [("refused", "insufficient_quota")]
    with pytest.raises(sdks.openai.ConflictError) as early:
        sdk.responses.create(**ASK | {"previous_response_id": made.id})
    assert (early.value.code, early.value.param) == ("response_not_over", "previous_response_id")
    with pytest.raises(sdks.openai.ConflictError):
        sdk.responses.delete(made.id)
    worker.come()
    whole = the_end_of(sdk, made)
    assert (whole.status, whole.output_text, whole.id, whole.background) == ("completed", "Hello there.", made.id, True)
    assert whole.metadata == made.metadata and whole.usage.total_tokens == 28
    line = next(one for one in world.calls() if one.status == "ok")
    assert (line.type, line.surface, line.lane, line.key_id) == ("response", "api", "standard", world.key.pk)
    assert line.end_user == "customer-1" and line.metadata == {"ticket": "7", "project": "books"}
    assert line.cost_micros > 0 and Payload.objects.get(event_id=line.pk, kind="output").body.count(made.id)
    row = BackgroundResponse.objects.get()
    assert row.body == "" and row.request_id == line.pk and line.client_request_id == "mine"
    detail = json.loads(line.detail)
    assert (detail["response"], detail["traceparent"]) == (made.id, parent)
    shown = client.get(f"/v1/responses/{made.id}")
    assert shown.headers["x-facet-original-request-id"] == request_id(line.pk)

    # What comes after it: another in the background, which goes on from it and is streamed.
    release = threading.Event()
    words = text_chunks("All ", "is ", "well.")
    told = rows.tell

    def told_and_not_heard_of(*given):
        monkeypatch.setattr(rows, "tell", told)
        told(*given)
        raise OperationalError("the server closed the connection unexpectedly")

    monkeypatch.setattr(rows, "tell", told_and_not_heard_of)
    world.upstream.enqueue_stream(*(sse(e) for e in words[:2]), release.is_set, *(sse(e) for e in words[2:]))
    stream = sdk.responses.create(**ASK | {"input": "And now?", "previous_response_id": made.id}, stream=True)
    begun = []
    for event in stream:
        begun.append(event)
        if event.type == "response.output_text.delta":
            break
    stream.close()
    kinds = [event.type.removeprefix("response.") for event in begun]
    assert kinds[:3] == ["created", "queued", "in_progress"] and begun[0].response.status == "queued"
    name = begun[0].response.id
    assert [m["content"] for m in world.upstream.seen[-1].body["messages"]] == [
        ASK["input"],
        "Hello there.",
        "And now?",
    ]
    assert sdk.responses.retrieve(name).status == "in_progress", "a client that leaves leaves it going"
    followed = sdk.responses.retrieve(name, stream=True, starting_after=begun[-1].sequence_number)
    release.set()
    rest = list(followed)
    assert rest[0].delta == "is "
    assert numbers([*begun, *rest]) == list(range(len(begun) + len(rest)))
    assert rest[-1].type == "response.completed" and rest[-1].response.output_text == "All is well."
    assert sdk.responses.retrieve(name).model_dump() == rest[-1].response.model_dump()
    with sdk.responses.stream(response_id=name) as helper:
        assert numbers(helper) == list(range(len(begun) + len(rest)))
    assert list(sdk.responses.retrieve(name, stream=True, starting_after=rest[-1].sequence_number)) == []
    for beyond in (rest[-1].sequence_number + 1, 99):
        with pytest.raises(sdks.openai.BadRequestError, match=f"so far there are {rest[-1].sequence_number + 1}"):
            sdk.responses.retrieve(name, stream=True, starting_after=beyond)
    assert [item.content[0].text for item in sdk.responses.input_items.list(name)] == ["And now?"]
    plain = sdk.responses.create(model="support-chat", input="So?", previous_response_id=name)
    assert plain.output_text == "Hello there." and len(world.upstream.seen[-1].body["messages"]) == 5

    ResponseFrames.objects.all().delete()  # as they are an hour after the end
    for refused, param in (
        (lambda: sdk.responses.retrieve(name, stream=True), "stream"),
        (lambda: sdk.responses.retrieve(made.id, stream=True), "stream"),
        (lambda: sdk.responses.retrieve(plain.id, stream=True), "stream"),
        (lambda: sdk.responses.retrieve(name, stream=True, starting_after="x"), "starting_after"),
        (lambda: sdk.responses.cancel(name), "response_id"),
        (lambda: sdk.responses.create(**ASK, store=False), "store"),
    ):
        with pytest.raises(sdks.openai.BadRequestError) as wrong:
            refused()
        assert wrong.value.param == param
    with pytest.raises(sdks.openai.NotFoundError) as unknown:
        sdk.responses.create(**ASK | {"model": "nothing"})
    assert unknown.value.code == "model_not_found"

    # Others of the team need the right to content, strangers hear that there is none.
    _, colleague = make.make_key(world.team, "colleague")
    _, reader = make.make_key(world.team, "reader", scopes=["models:call", "audit:content"])
    _, stranger = make.make_key(make.make_team("Others"), "stranger", scopes=["models:call", "audit:content"])
    for key, status in ((reader, 200), (colleague, 404), (stranger, 404)):
        head = {"Authorization": f"Bearer {key}"}
        for path in ("", "/input_items", "?stream=true"):
            answer = client.get(f"/v1/responses/{made.id}{path}", headers=head)
            assert answer.status_code == (400 if "stream" in path and status == 200 else status), (path, answer.text)
        assert client.post(f"/v1/responses/{made.id}/cancel", headers=head).status_code == (
            403 if status == 200 else 404
        )
        assert client.delete(f"/v1/responses/{made.id}", headers=head).status_code == (403 if status == 200 else 404)
    sdk.responses.delete(made.id)
    with pytest.raises(sdks.openai.NotFoundError):
        sdk.responses.retrieve(made.id)
    with pytest.raises(sdks.openai.ConflictError) as gone:
        sdk.responses.create(
            **ASK,
            metadata={"ticket": "7"},
            service_tier="auto",
            user="customer-1",
            extra_headers={"Idempotency-Key": "once"},
        )
    assert gone.value.code == "idempotency_answer_gone"
    ok = [one for one in world.calls() if one.status == "ok"]
    assert len(ok) == len(world.upstream.seen) == 3, "each is one call, and on record once"

    # What is longer than the log keeps is given whole as long as events are kept.
    settings.AUDIT_CONTENT_BYTES = 500
    for more in ({}, {"stream": True}):
        world.upstream.enqueue_stream(*(sse(e) for e in text_chunks("All ", "is well. " * 100))) if more else (
            world.upstream.enqueue(completion("All is well. " * 100))
        )
        long = sdk.responses.create(**ASK, **more)
        long = list(long)[-1].response if more else the_end_of(sdk, long)
        assert Payload.objects.get(event_id=uuid.UUID(hex=long.id[5:]), kind="output").is_cut
        assert long.output_text.count("is well. ") == 100
        assert sdk.responses.retrieve(long.id).model_dump() == long.model_dump()
    ResponseFrames.objects.all().delete()
    with pytest.raises(sdks.openai.ConflictError) as gone:
        sdk.responses.retrieve(long.id)
    assert gone.value.code == "response_not_whole" and "an hour after its end" in gone.value.message


def test_it_ends_otherwise_too_and_says_how(sdk, world, worker, monkeypatch, settings):
    # Cancelled before its turn: never sent, and on record once.
    worker.leave()
    queued = sdk.responses.create(**ASK, stream=True)
    name = next(iter(queued)).response.id
    assert sdk.responses.cancel(name).status == "cancelled"
    reads = AuditEvent.objects.filter(action="response.read", target=name)
    assert not reads.exists() and sdk.responses.cancel(name).status == "cancelled"
    assert reads.count() == 1, "cancelling it once more tells what it said until then"
    rest = list(queued)
    assert rest[-1].type == "response.failed" and rest[-1].response.status == "cancelled"
    worker.come()
    (line,) = world.calls()
    assert (line.status, line.code, line.pk.hex) == ("refused", "cancelled", name[5:]) and world.upstream.seen == []
    assert AuditEvent.objects.filter(action="response.cancelled", target=name).count() == 1
    with monkeypatch.context() as patch:  # somebody else deletes it at the same moment
        find = stored_responses.in_background
        patch.setattr(
            stored_responses, "in_background", lambda *who: (find(*who), BackgroundResponse.objects.all().delete())[0]
        )
        with pytest.raises(sdks.openai.NotFoundError):
            sdk.responses.cancel(name)

    # Cancelled when a worker has it and has not opened its call: that comes to be on record, and sends nothing.
    opens, cut, is_noticed = pipeline.open_by, generation.Answering._cut, threading.Event()

    def noticed(made, why):
        cut(made, why)
        is_noticed.set()

    async def cancelled_meanwhile(identify, ask, latest):
        row = await in_thread(BackgroundResponse.objects.get)
        await in_thread(lambda: sdk.responses.cancel(row.public_id))
        await until_async(is_noticed.is_set, "the worker noticed")
        return await opens(identify, ask, latest)

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "open_by", cancelled_meanwhile)
        patch.setattr(generation.Answering, "_cut", noticed)
        told = list(sdk.responses.create(**ASK, stream=True))
        until(lambda: world.calls()[-1].pk.hex == told[0].response.id[5:], "the call that was cancelled is on record")
    assert [event.type for event in told][-1] == "response.failed" and numbers(told) == list(range(len(told)))
    line = world.calls()[-1]
    assert (line.status, line.code, line.cost_micros) == ("error", "cancelled", 0)
    assert world.upstream.seen == []

    # Cancelled under way: the provider is let go of, what was said stays to be read.
    world.upstream.enqueue_stream(*(sse(e) for e in text_chunks("All ", "is ")[:3]), done=False, hang=60)
    stream = sdk.responses.create(**ASK, stream=True)
    told = []
    for event in stream:
        told.append(event)
        if event.type == "response.output_text.delta" and event.delta == "is ":
            assert sdk.responses.cancel(told[0].response.id).status == "cancelled"
    assert told[-1].type == "response.failed" and numbers(told) == list(range(len(told)))
    wait_until_settled()
    line = world.calls()[-1]
    assert (line.status, line.code) == ("error", "cancelled") and line.completion_tokens > 0
    until(lambda: world.upstream.closed_early == 1, "the provider's connection is closed")
    assert sdk.responses.retrieve(told[0].response.id).output_text == "All is "

    # The provider refuses, breaks off, or takes no more words.
    world.upstream.enqueue({"error": {"message": "too long"}}, status=400)
    failed = the_end_of(sdk, sdk.responses.create(**ASK))
    assert failed.status == "failed" and failed.error.code and failed.error.message and failed.output == []
    world.upstream.enqueue_stream(*(sse(e) for e in text_chunks("All ")[:2]), done=False)
    told = list(sdk.responses.create(**ASK, stream=True))
    assert [event.type for event in told[-2:]] == ["error", "response.failed"]
    assert numbers(told) == list(range(len(told)))
    broken = sdk.responses.retrieve(told[0].response.id)
    assert (broken.status, broken.error.code, broken.output_text) == ("failed", "server_error", "All ")
    cut = completion("All is")
    cut["choices"][0]["finish_reason"] = "length"
    world.upstream.enqueue(cut)
    assert the_end_of(sdk, sdk.responses.create(**ASK)).status == "incomplete"
    world.forgive()

    # An hour's limit that binds when its turn comes makes it wait; when it is asked for, it is refused at once.
    worker.leave()
    waiting = [sdk.responses.create(**ASK) for _ in range(2)]
    let_it_end(3600, 30)
    sdk.responses.create(model="support-chat", input="Hello.")
    quota = set_quota(actor=SYSTEM, team=world.team, metric="requests", window="hour", limit=1, mode="hard")
    worker.come()
    until(lambda: BackgroundResponse.objects.filter(not_before__gt=Now()).count() == 2, "both wait")
    assert {sdk.responses.retrieve(one.id).status for one in waiting} == {"queued"}
    with pytest.raises(sdks.openai.RateLimitError):
        sdk.responses.create(**ASK)
    remove_quota(actor=SYSTEM, quota=quota)
    BackgroundResponse.objects.update(not_before=None)
    assert [the_end_of(sdk, one, worker.come).status for one in waiting] == ["completed"] * 2
    for one in waiting:  # it has a line for each try, under ids of their own, and all of them are found
        found = [line for line in search.find(Criteria(None, text=one.id), seconds=60).events if not line.action]
        assert [line.status for line in found] == ["ok", "refused"]
        assert {json.loads(line.detail)["response"] for line in found} == {one.id}
    # A response has one id: that of the line is none, while it is there or when it is deleted.
    sdk.responses.delete(waiting[1].id)
    for name in (waiting[1].id, f"resp_{found[0].pk.hex}"):
        with pytest.raises(sdks.openai.NotFoundError):
            sdk.responses.retrieve(name)

    # What ends its workers before they can ask is not tried for ever; what they let go of is nobody's fault.
    worker.leave()
    fatal = sdk.responses.create(**ASK)
    open_ones = BackgroundResponse.objects.filter(pk=uuid.UUID(hex=fatal.id[5:]))
    for _ in range(6):
        rows.release(rows.take("standard", open_ones.get().pk), wait=-1)
    assert open_ones.get().lost_workers == 0
    for _ in range(5):
        rows.take("standard", open_ones.get().pk)
        open_ones.update(lease_until=Now() - dt.timedelta(seconds=1))
    sent = len(world.upstream.seen)
    worker.come()
    ended = the_end_of(sdk, fatal)
    assert (ended.status, ended.error.code) == ("failed", "workers_lost")
    assert ended.error.message.startswith("5 workers stopped before") and len(world.upstream.seen) == sent
    assert (world.calls()[-1].status, world.calls()[-1].code) == ("refused", "workers_lost")

    # A team has only so many open; what never comes to its turn says so; a revoked key stops what it has.
    worker.leave()
    late = sdk.responses.create(**ASK)
    mine = sdk.responses.create(**ASK, extra_headers={"x-facet-lane": "batch"})
    with monkeypatch.context() as patch:
        patch.setattr(sweep, "_MOST_AT_ONCE", 1)
        assert sweep.drive() == 2, "a lane whose workers are busy keeps none of another from being woken"
    monkeypatch.setattr(services, "_MOST_OPEN", 2)
    with pytest.raises(sdks.openai.RateLimitError):
        sdk.responses.create(**ASK)
    BackgroundResponse.objects.filter(pk=uuid.UUID(hex=late.id[5:])).update(expires_at=Now() - dt.timedelta(seconds=1))
    sent = len(world.upstream.seen)
    monkeypatch.setattr(services, "_MOST_OPEN", 3)
    world.upstream.enqueue_stream(*(sse(e) for e in text_chunks("All ")[:2]), done=False, hang=60)
    revoked, key = make.make_key(world.team, "revoked")
    with sdks.openai.OpenAI(base_url=str(sdk.base_url), api_key=key, max_retries=0) as other:
        theirs = other.responses.create(**ASK, stream=True)
        first = next(iter(theirs)).response.id
        background_worker.offer(uuid.UUID(hex=first[5:]), "standard")
        assert next(e for e in theirs if e.type == "response.output_text.delta").delta == "All "
        revoke_key(actor=SYSTEM, key=revoked)
        row = BackgroundResponse.objects.filter(pk=uuid.UUID(hex=first[5:]), state="failed")
        until(lambda: row.exists(), "the revoked key's response has failed")
    assert row.get().error_code == "access_ended"
    assert {line.code for line in world.calls() if line.key_id == revoked.pk} == {"access_ended"}
    worker.come()
    ended = the_end_of(sdk, late)
    assert (ended.status, ended.error.code) == ("failed", "expired")
    assert the_end_of(sdk, mine).status == "completed" and len(world.upstream.seen) == sent + 2


def test_a_killed_worker_loses_nothing_and_asks_nothing_twice(
    sdk,
    world,
    valkey_server,  # noqa: F811
    start_worker,  # noqa: F811
    monkeypatch,
    settings,
):
    """One was answered and its worker died before it said so; one was under way; one had not begun."""
    settings.BATCH_LEASE_SECONDS = 20  # of which a call has half to begin
    monkeypatch.setattr("console.core.tasks.current_app.send_task", lambda *args, **options: None)
    broker = Celery("test", broker=valkey_server.url.replace("unix://", "redis+socket://"), set_as_current=False)

    def wake():
        for row in BackgroundResponse.objects.filter(state__in=["queued", "in_progress"]):
            broker.send_task(sweep.TASK, args=[str(row.pk), "standard"], queue="standard")

    world.upstream.enqueue_stream(*(sse(e) for e in text_chunks("All ")[:2]), done=False, hang=600)
    broken, answered = (sdk.responses.create(**ASK, stream=True) for _ in range(2))
    first, second = (next(iter(stream)).response.id for stream in (broken, answered))
    rows = {name: BackgroundResponse.objects.filter(pk=uuid.UUID(hex=name[5:])) for name in (first, second)}
    quick = {"BATCH_LEASE_SECONDS": "20", "GATEWAY_LEASE_SECONDS": "9", "STOP_SECONDS": "5"}
    doomed = start_worker("standard", **quick)
    rows[second].update(not_before=Now() + dt.timedelta(hours=1))
    until(lambda: ResponseFrames.objects.filter(body__contains="All ").exists(), "it is in the middle", meanwhile=wake)
    rows[second].update(not_before=None)
    until(lambda: sdk.responses.retrieve(second).status == "completed", "the other is answered", meanwhile=wake)
    doomed.kill()
    # As if it had died between the log's line and this one's: the answer is on record, and nobody said so.
    rows[second].update(state="in_progress", ended_at=None, lease_until=Now())
    told = ResponseFrames.objects.filter(response_id=uuid.UUID(hex=second[5:])).order_by("first")
    rows[second].update(told=told[1].first)
    told.exclude(pk=told[0].pk).delete()
    rows[first].update(lease_until=Now())
    let_leases_run_out()
    third = sdk.responses.create(**ASK)
    another = start_worker("standard", **quick)

    def is_over():
        return all(sdk.responses.retrieve(name).status in OVER for name in (first, second, third.id))

    until(is_over, "all three are over", 120, meanwhile=wake)
    wait_until_settled()
    failed = sdk.responses.retrieve(first)
    assert failed.status == "failed" and "not asked again" in failed.error.message
    assert sdk.responses.retrieve(second).output_text == sdk.responses.retrieve(third.id).output_text == "Hello there."
    for stream, end in ((broken, "response.failed"), (answered, "response.completed")):
        events = list(stream)
        assert events[-1].type == end and numbers(events) == list(range(1, len(events) + 1))
    lines = world.calls()
    assert sorted(line.status for line in lines) == ["interrupted", "ok", "ok"], "each is on record, and charged, once"
    assert len(world.upstream.seen) == 3 and not Reservation.objects.exists()

    # A worker that is told to stop lets them go on for STOP_SECONDS: one ends meanwhile, one is cut off and says so.
    is_told = threading.Event()
    world.upstream.enqueue_when(is_told.is_set)
    ends = sdk.responses.create(**ASK)
    until(lambda: len(world.upstream.seen) == 4, "the one is under way", meanwhile=wake)
    world.upstream.enqueue_stream(*(sse(e) for e in text_chunks("All ")[:2]), done=False, hang=600)
    is_cut = next(iter(sdk.responses.create(**ASK, stream=True))).response
    until(lambda: sdk.responses.retrieve(is_cut.id).status == "in_progress", "so is the other", meanwhile=wake)
    until(lambda: len(world.upstream.seen) == 5, "the provider was asked")
    another.process.terminate()
    until(lambda: "to come to their end" in another.complaints(), "it was told to stop")
    is_told.set()
    assert another.process.wait(60) == 0
    broker.close()
    assert sdk.responses.retrieve(ends.id).output_text == "Hello there."
    cut = sdk.responses.retrieve(is_cut.id)
    assert (cut.status, cut.error.message) == ("failed", "The console was stopped during the answer; ask anew.")
    assert {(line.status, line.code) for line in world.calls()[-2:]} == {("ok", ""), ("interrupted", "shutting_down")}
    assert not Reservation.objects.exists()
