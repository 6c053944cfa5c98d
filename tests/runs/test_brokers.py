"""Queues outside: every message becomes one run or is set aside with its reason, and its result goes back."""

import json
import uuid
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest
import redis
from django.db import connection
from kombu import Connection

from agents_app.brokers import kombu_transport, lease, outbox, redis_transport, transport
from agents_app.brokers.address import parsed
from agents_app.brokers.failures import BrokerTrouble
from agents_app.brokers.message import Message
from agents_app.brokers.reader import Reading
from agents_app.brokers.redis_transport import reading_key
from agents_app.models import Broker, Firing, Outgoing, Reader, Run, Trigger
from agents_app.services import brokers as services
from agents_app.services import parked, triggers
from agents_app.triggers import beat
from console.audit.models import AuditEvent
from console.core.clock import now
from console.core.crypto import decrypt
from console.core.errors import BadInput, Conflict, Refusal
from tests import make
from tests.between import After
from tests.valkey import Valkey, valkey_server  # noqa: F401
from usage_app.services.quotas import remove_quota, set_quota

ORDERS = {"message": "Where is 17?"}
SCHEMA = {
    "type": "object",
    "properties": {"message": {"type": "string", "minLength": 1}, "order": {"type": "object"}},
    "required": ["message"],
    "additionalProperties": False,
}


class Outside:
    """A broker with queues of this test, a trigger that reads one, and one reader that never sleeps."""

    def __init__(self, valkey: Valkey, agent: Any, owner: Any) -> None:
        self.url = valkey.url.replace("unix://", "redis+socket://")
        self.client, self.agent, self.owner = redis.from_url(valkey.url), agent, owner
        self.client.flushall()
        self.actor = make.actor_for(owner)
        self.broker = services.create_broker(actor=self.actor, team=agent.team, slug="mq", url=self.url)
        self.trigger = self.made(queue="orders", result_queue="done", parking_queue="aside")

    def made(self, **config: Any) -> Trigger:
        trigger, _ = triggers.create_trigger(
            actor=self.actor,
            agent=self.agent,
            owner=self.owner,
            kind="queue",
            name="Orders",
            config={"broker": "mq", **config},
            environment="production",
        )
        return trigger

    def put(self, body: Any, queue: str = "orders", **properties: Any) -> None:
        """Put a message there as another program does, by kombu."""
        with Connection(self.url) as line:
            line.Producer(serializer="json").publish(body, routing_key=queue, **properties)

    def read(self, steps: int = 5) -> Reading:
        """Read as a worker would, until there is nothing, and leave."""
        holder = lease.claim(self.trigger.pk)
        assert holder is not None, "nobody reads"
        reading = Reading(self.trigger.pk, holder, lambda seconds: seconds == 0)
        for _ in range(steps):
            reading.step()
        reading.close()
        lease.release(self.trigger.pk, holder)
        return reading

    def end(self, run: Run, state: str = "succeeded", **fields: Any) -> None:
        Run.objects.filter(pk=run.pk).update(state="running")
        Run.objects.filter(pk=run.pk).update(state=state, ended_at=now(), **fields)

    def waiting(self, queue: str) -> int:
        return int(self.client.llen(queue))

    def taken(self) -> int:
        return int(self.client.llen(reading_key("orders", self.trigger.pk.hex)))

    def got(self, queue: str) -> list[dict[str, Any]]:
        """Take everything off a queue, as another program does."""
        found = []
        with Connection(self.url) as line, line.SimpleBuffer(queue) as box:
            for _ in range(box.qsize()):
                message = box.get()
                found.append({"body": message.payload, **message.properties, "headers": message.headers})
                message.ack()
        return found

    @property
    def reader(self) -> Reader:
        return Reader.objects.get(trigger=self.trigger)


@pytest.fixture
def agent(cast):
    return make.make_agent(cast.team_a, "orders", name="Orders", input_schema=SCHEMA)


@pytest.fixture
def outside(valkey_server, agent, cast, settings):  # noqa: F811
    settings.BROKER_HOSTS = [valkey_server.url.removeprefix("unix://")]
    found = Outside(valkey_server, agent, cast.alice)
    yield found
    found.client.close()


def test_a_message_becomes_one_run_and_its_result_goes_back_once_it_has_ended(outside, cast):
    outside.put(ORDERS, message_id="m-1", correlation_id="order-17")
    outside.put(ORDERS, message_id="m-1", correlation_id="order-17")
    outside.put({"message": "And 18?"}, message_id="m-2")
    outside.read()
    first, second = Run.objects.order_by("created_at", "id")
    assert (first.trigger, first.trigger_name, first.actor_id) == ("queue", "Orders", cast.alice.pk)
    assert first.input == ORDERS and second.input == {"message": "And 18?"}
    assert outside.waiting("orders") == outside.taken() == 0, "settled, also the one that had a run"
    assert (outside.reader.state, outside.reader.said) == ("reading", "") and outside.reader.last_message_at
    assert outbox.send_due() == 0, "nothing is over"
    outside.end(first, output={"text": "On its way."})
    outside.end(second, "failed", code="model_failed", trouble="It broke.")
    assert (outbox.send_due(), outbox.send_due()) == (2, 0)
    good, bad = outside.got("done")
    assert (good["body"]["status"], good["body"]["output"], good["body"]["error"]) == (
        "succeeded",
        {"text": "On its way."},
        None,
    )
    assert (good["body"]["run"], good["body"]["key"]) == (first.public_id, "m-1")
    assert good["correlation_id"] == good["body"]["correlation_id"] == "order-17"
    assert bad["body"]["error"] == {"code": "model_failed", "message": "It broke."} and bad["correlation_id"] == "m-2"
    assert good["message_id"] == good["body"]["id"] != bad["message_id"]


def test_a_broker_that_is_slow_or_breaks_keeps_nothing_from_another(cast, monkeypatch):
    one, other = make.make_broker(cast.team_a), make.make_broker(cast.team_a)
    for broker in (one, one, other):
        Outgoing.objects.create(broker=broker, kind="parked", queue="aside", body=b"{}", not_before=now())
    clock, went = SimpleNamespace(at=0.0), []
    monkeypatch.setattr(outbox, "time", SimpleNamespace(monotonic=lambda: clock.at))
    monkeypatch.setattr(outbox, "address_of", lambda broker: broker)

    def slowly(broker, queue, message):
        went.append(broker.pk)
        clock.at += (outbox._ROUND_SECONDS + 1) * (broker == one)

    monkeypatch.setattr(outbox, "check_at", lambda address, queue: None)
    monkeypatch.setattr(transport, "send", slowly)
    assert [outbox.send_due() for _ in range(3)] == [1, 2, 0] and went == [one.pk, other.pk, one.pk]
    Outgoing.objects.update(sent_at=None, not_before=now())
    monkeypatch.setattr(transport, "send", lambda broker, queue, message: 1 / (broker != one))
    assert outbox.send_due() == 1
    assert {out.trouble for out in Outgoing.objects.filter(broker=one)} == {"Something broke on our side."}


def test_plain_json_of_a_redis_list_is_read_and_answered_as_such(outside):
    triggers.change_trigger(
        actor=outside.actor, trigger=outside.trigger, config={**outside.trigger.config, "dedupe": "/order/id"}
    )
    for body in ({"message": "A", "order": {"id": 17}}, {"message": "B", "order": {"id": 17}}, {"message": "C"}):
        outside.client.lpush("orders", json.dumps(body))
    outside.read()
    run, aside = Run.objects.get(), Firing.objects.get(state="parked")
    assert run.input["message"] == "A" and Firing.objects.get(run=run).key == "17"
    assert "/order/id" in aside.trouble and aside.body == {"message": "C"}
    outside.end(run, output={"text": "Yes."})
    outbox.send_due()
    assert json.loads(outside.client.rpop("done"))["output"] == {"text": "Yes."}
    assert json.loads(outside.client.rpop("aside")) == {"message": "C"}


def test_what_cannot_become_a_run_is_set_aside_with_its_reason_and_blocks_nobody(outside):
    outside.client.lpush("orders", b"\xff no json")
    outside.put(["no object"], message_id="m-1")
    outside.put({"message": ""}, message_id="m-2")
    outside.put(ORDERS)  # kombu gives it no message id, but a delivery tag
    outside.client.lpush("orders", json.dumps({"properties": {"body_encoding": "base64"}, "body": "%%%"}))
    outside.put({"message": "x" * 300_000}, message_id="m-3")
    outside.put(ORDERS, message_id="m-4", compression="zlib")
    outside.read(9)
    assert Run.objects.count() == 1 and outside.waiting("orders") == outside.taken() == 0
    said = {one.key[:4]: one.trouble for one in Firing.objects.filter(state="parked")}
    assert len(Firing.objects.filter(state="parked")) == 6 and all(said.values())
    assert "JSON object" in said["m-1"] and "does not fit" in said["m-2"]
    assert Firing.objects.filter(state="parked", trouble__contains="compressed").count() == 1
    assert (outbox.send_due(), outside.waiting("aside")) == (6, 6)


def test_what_no_database_can_keep_is_set_aside_like_any_other(outside):
    half = "\ud800"  # of a surrogate pair: JSON can spell it, and it is no character
    rubbish = {
        "body": "%%%",
        "headers": {"a\x00b": f"1\x00{half}", "long": "x" * 9_000, "huge": 10**40, half: 7},
        "properties": {"message_id": half, "correlation_id": f"c\x00{half}"},
    }
    outside.client.lpush("orders", json.dumps(rubbish))
    outside.put(ORDERS, message_id="m-1")
    outside.read()
    assert Run.objects.count() == 1 and outside.waiting("orders") == outside.taken() == 0
    sent = Outgoing.objects.get(kind="parked")
    assert (sent.correlation_id, sent.headers["ab"], sent.headers["?"]) == ("c?", "1?", 7)
    assert len(sent.headers["long"]) == 4_000 and "huge" not in sent.headers

    large = json.dumps({"body": "x" * 3_000_000, "properties": {"message_id": "m-2"}}).encode()
    assert redis_transport.opened(large).is_plain, "what is too large whatever is in it is not taken apart"
    outside.client.lpush("orders", large)
    outside.read()
    assert Firing.objects.get(state="parked", trouble__contains="is the most").body.startswith('{"body": "xx')


def test_a_very_large_message_is_copied_whole_before_it_is_settled_or_cut_in_the_end(outside, monkeypatch):
    config = {**outside.trigger.config, "attempts": 2}
    triggers.change_trigger(actor=outside.actor, trigger=outside.trigger, config=config)
    large = json.dumps({"message": "x" * 1_200_000}).encode()
    outside.client.lpush("orders", large)
    outside.read()
    assert outside.client.rpop("aside") == large and outside.waiting("orders") == outside.taken() == 0
    copied = Outgoing.objects.get()
    assert copied.sent_at and bytes(copied.body) == b"" and outbox.send_due() == 0

    def broken(*_: Any) -> None:
        raise BrokerTrouble("No room.")

    other = large.replace(b"x", b"y")
    outside.client.lpush("orders", other)
    with monkeypatch.context() as patched:
        patched.setattr("agents_app.brokers.transport.send", broken)
        for _ in range(2):
            outside.read(1)
            assert (outside.waiting("orders"), outside.reader.said) == (1, "No room.")
        outside.read(1)
    cut = Outgoing.objects.exclude(pk=copied.pk).get()
    assert outside.waiting("orders") == outside.taken() == 0 and bytes(cut.body) == other[: 1024 * 1024]
    assert cut.headers["x-facet-cut-from-bytes"] == len(other)
    assert (
        f"Of its {len(other):,} bytes the copy has the first 1,048,576." in Firing.objects.get(pk=cut.firing_id).trouble
    )
    assert outbox.send_due() == 1


def test_a_message_set_aside_is_tried_again_or_dropped(outside, agent, cast):
    for number in (1, 2):
        outside.put({}, message_id=f"m-{number}")
    outside.read()
    first, second = Firing.objects.filter(state="parked").order_by("key")
    with pytest.raises(Refusal, match="does not fit"):
        parked.try_again(actor=outside.actor, firing=first)
    triggers.change_trigger(
        actor=outside.actor, trigger=outside.trigger, config={**outside.trigger.config, "input": {"message": "Hello"}}
    )
    run = parked.try_again(actor=outside.actor, firing=first)
    first.refresh_from_db()
    assert (run.input, first.state, first.run_id, first.body) == ({"message": "Hello"}, "started", run.pk, None)
    assert Outgoing.objects.filter(run=run, kind="result").count() == 1, "its result goes back, too"
    parked.drop(actor=outside.actor, firing=second)
    outside.put(ORDERS, message_id="m-2")
    outside.read()
    second.refresh_from_db()
    assert (second.state, second.body) == ("dropped", None) and Run.objects.count() == 1
    with pytest.raises(Conflict):
        parked.drop(actor=outside.actor, firing=second)
    lines = AuditEvent.objects.filter(action__startswith="trigger.message").values_list("action", flat=True)
    assert sorted(lines) == ["trigger.message_dropped", "trigger.message_retried"]


def test_a_message_that_is_dropped_while_it_comes_again_starts_nothing(outside):
    outside.put({}, message_id="m-1")
    outside.read()
    firing = Firing.objects.get(state="parked")
    outside.put(ORDERS, message_id="m-1")

    def drop() -> None:
        parked.drop(actor=outside.actor, firing=firing)

    with connection.execute_wrapper(After(drop, of='"agents_firing"."key" = ')):
        outside.read()
    firing.refresh_from_db()
    assert (firing.state, firing.run_id, Run.objects.count()) == ("dropped", None, 0)
    assert outside.waiting("orders") == outside.taken() == 0, "it is settled all the same"


def test_a_message_stays_at_the_broker_while_no_run_may_start(outside, agent, cast):
    outside.put(ORDERS, message_id="m-1")
    type(agent).objects.filter(pk=agent.pk).update(live=None)
    outside.read()
    assert (outside.reader.state, outside.waiting("orders")) == ("waiting", 1)
    assert "published" in outside.reader.said
    type(agent).objects.filter(pk=agent.pk).update(live=agent.live)
    cast.alice.is_active = False
    cast.alice.save()
    outside.read()
    assert outside.waiting("orders") == 1 and "Alice" in outside.reader.said
    cast.alice.is_active = True
    cast.alice.save()
    quota = set_quota(actor=outside.actor, team=cast.team_a, metric="requests", window="day", limit=0)
    outside.read()
    assert outside.waiting("orders") == 1 and "quota" in outside.reader.said.lower()
    remove_quota(actor=outside.actor, quota=quota)
    triggers.change_trigger(
        actor=outside.actor, trigger=outside.trigger, config={**outside.trigger.config, "at_once": 1}
    )
    outside.put(ORDERS, message_id="m-2")
    outside.read()
    assert (Run.objects.count(), outside.waiting("orders")) == (1, 1) and "under way" in outside.reader.said
    outside.end(Run.objects.get(), output={})
    outside.read()
    assert Run.objects.count() == 2 and Firing.objects.get(key="m-1").attempts == 1


def test_a_message_set_aside_that_comes_again_waits_while_no_run_may_start(outside, monkeypatch):
    def refused(**_: Any) -> None:
        raise Conflict("Not now.")

    outside.put({}, message_id="m-1")
    outside.read()
    firing = Firing.objects.get(state="parked")
    triggers.change_trigger(
        actor=outside.actor, trigger=outside.trigger, config={**outside.trigger.config, "input": {"message": "Hello"}}
    )
    monkeypatch.setattr("agents_app.triggers.firings.start_run", refused)
    outside.put(ORDERS, message_id="m-1")
    for _ in range(3):
        outside.read(1)
        assert (outside.reader.said, outside.waiting("orders")) == ("Not now.", 1)
    firing.refresh_from_db()
    assert (firing.state, firing.attempts, "does not fit" in firing.trouble) == ("parked", 1, True)


def test_what_breaks_its_reader_every_time_is_set_aside(outside, monkeypatch):
    def broken(**_: Any) -> None:
        raise RuntimeError("no")

    triggers.change_trigger(
        actor=outside.actor, trigger=outside.trigger, config={**outside.trigger.config, "attempts": 2}
    )
    monkeypatch.setattr("agents_app.triggers.firings.start_run", broken)
    outside.put(ORDERS, message_id="m-1")
    for _ in range(2):
        outside.read(1)
        assert outside.waiting("orders") == 1 and "log" in outside.reader.said
    outside.read(2)
    firing = Firing.objects.get()
    assert (firing.state, outside.waiting("orders"), outside.taken()) == ("parked", 0, 0)
    assert "RuntimeError" in firing.trouble and firing.body == ORDERS


def test_the_next_reader_takes_over_what_the_last_one_left_unsettled(outside, monkeypatch):
    """One that dies between the start of a run and the settling of its message, as a process sees it."""
    outside.put(ORDERS, message_id="m-1")
    monkeypatch.setattr("agents_app.brokers.redis_transport.RedisConsumer.ack", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        outside.read(1)
    assert (Run.objects.count(), outside.taken()) == (1, 1)
    assert lease.claim(outside.trigger.pk) is None, "it holds its lease"
    Reader.objects.update(lease_until=now())
    monkeypatch.undo()
    outside.read()
    assert (Run.objects.count(), outside.taken(), outside.waiting("orders")) == (1, 0, 0)


def test_one_reader_at_a_time_and_none_of_what_is_switched_off(outside):
    assert lease.free() == [outside.trigger.pk]
    item = make.make_item(make.make_queue(outside.agent.team, "orders"), ORDERS)
    beat.tick()
    item.refresh_from_db()
    assert item.state == "ready", "a queue built in that has the same name is another one"
    holder = lease.claim(outside.trigger.pk)
    assert holder and lease.claim(outside.trigger.pk) is None and lease.free() == []
    Reader.objects.update(lease_until=now())
    other = lease.claim(outside.trigger.pk)
    assert other and Reading(outside.trigger.pk, holder, bool).step() is None, "the first one has lost it"
    triggers.change_trigger(actor=outside.actor, trigger=outside.trigger, is_enabled=False)
    assert Reading(outside.trigger.pk, other, bool).step() is None and lease.free() == []


def test_a_broker_that_is_away_is_said_and_nothing_is_lost(outside, settings):
    outside.put({"message": ""}, message_id="m-1")
    outside.read()
    gone = "redis://127.0.0.1:1/0"
    settings.BROKER_HOSTS += ["127.0.0.1:1"]
    services.change_broker(actor=outside.actor, broker=outside.broker, url=gone)
    assert services.look_at_broker(actor=outside.actor, broker=Broker.objects.get()) == "The broker cannot be reached."
    outside.read(1)
    assert (outside.reader.state, outside.reader.said) == ("trouble", "The broker cannot be reached.")
    assert outbox.send_due() == 0
    owed = Outgoing.objects.get()
    assert owed.trouble and owed.attempts == 1 and owed.not_before > now() and owed.sent_at is None
    services.change_broker(actor=outside.actor, broker=outside.broker, url=outside.url)
    Outgoing.objects.update(not_before=now())
    assert outbox.send_due() == 1 and outside.waiting("aside") == 1
    settings.BROKER_HOSTS = []
    outside.read(1)
    assert outside.reader.state == "trouble" and "BROKER_HOSTS" in outside.reader.said


# By kombu, as AMQP and SQS are ----------------------------------------------------------------------------------------


def test_a_queue_of_kombu_is_read_settled_and_given_back(monkeypatch):
    connection = Connection("memory://")
    monkeypatch.setattr(kombu_transport, "connection_to", lambda *_: connection.clone())
    address = parsed("amqp://u:p@localhost/")
    queue = f"q-{uuid.uuid4().hex}"
    with connection.clone() as other:
        other.SimpleQueue(queue).put(ORDERS, message_id="m-1", headers={"kind": "order"}, correlation_id="c")
    monkeypatch.setattr(kombu_transport, "_of_amqp", kombu_transport._of_envelope)
    consumer = transport.open_consumer(address, queue, "r")
    message = consumer.take()
    assert message is not None and json.loads(message.body) == ORDERS and consumer.take() is None
    assert (message.message_id, message.correlation_id, message.headers["kind"]) == ("m-1", "c", "order")
    consumer.requeue(message)
    again = consumer.take()
    assert again is not None and again.message_id == "m-1"
    consumer.ack(again)
    assert consumer.take() is None
    consumer.close()
    with pytest.raises(BrokerTrouble, match="no such queue"):
        transport.open_consumer(address, f"{queue}-not-there", "r")


def test_what_is_set_aside_is_called_json_only_if_it_is(monkeypatch):
    connection = Connection("memory://")
    monkeypatch.setattr(kombu_transport, "connection_to", lambda *_: connection.clone())
    queue, address = f"q-{uuid.uuid4().hex}", parsed("amqp://u:p@localhost/")
    with connection.clone() as other:
        aside = other.SimpleQueue(queue)
        others = [b"not json {\xff", '{"a": 1}'.encode("utf-16")]
        for body in (b'{"a": 1}', *others):
            transport.send(address, queue, Message(body=body, tag=None, message_id="m"))
        assert [aside.get(block=False).payload for _ in range(3)] == [{"a": 1}, *others]


def test_who_sends_plain_text_to_sqs_is_answered_in_plain_text(monkeypatch, settings):
    settings.BROKER_HOSTS += ["sqs.eu-west-1.amazonaws.com"]
    came = SimpleNamespace(
        properties={},
        delivery_info={"sqs_message": {"MessageId": "m-1"}},
        body='{"message": "Where is 17?"}',
        delivery_tag="t",
        headers=None,
        content_type=None,
    )
    message = kombu_transport._of_envelope(came)
    assert message.is_plain and message.message_id == "m-1"
    came.content_type = "application/json"
    assert not kombu_transport._of_envelope(came).is_plain, "kombu's own say what they are"
    sent: list[dict[str, Any]] = []
    line = MagicMock()
    line.__enter__().channel().sqs().send_message = lambda **said: sent.append(said)
    monkeypatch.setattr(kombu_transport, "connection_to", lambda *_: line)
    answer = replace(message, body=b'{"a": "\xef\xbf\xbf"}', correlation_id="", headers={"x-facet-reason": "No.\0"})
    url = "https://sqs.eu-west-1.amazonaws.com/1/results.fifo"
    transport.send(parsed("sqs://AKIA:x@?region=eu-west-1"), url, answer)
    assert sent == [
        {
            "QueueUrl": url,
            "MessageBody": '{"a": "\ufffd"}',
            "MessageAttributes": {
                "message_id": {"DataType": "String", "StringValue": "m-1"},
                "x-facet-reason": {"DataType": "String", "StringValue": "No.\ufffd"},
            },
            "MessageDeduplicationId": "m-1",
            "MessageGroupId": "facet",
        }
    ]


# What may be connected ------------------------------------------------------------------------------------------------


def test_an_address_names_an_allowed_host_and_says_nothing_else(cast, settings):
    settings.BROKER_HOSTS = ["MQ.internal", "127.0.0.1", "[::1]", "sqs.eu-west-1.amazonaws.com", "/run/Our/redis.sock"]
    settings.VALKEY_URL = "redis://localhost:6399/0"
    for url, shown in {
        "amqps://facet:p%40ss@mq.internal/orders": "amqps://facet:•••@mq.internal:5671/orders",
        "redis://:s3cret@127.0.0.1:6380/2": "redis://:•••@127.0.0.1:6380/2",
        "rediss://[::1]/": "rediss://[::1]:6379/0",
        "redis+socket:///run/Our/redis.sock?db=3": "redis+socket:///run/Our/redis.sock?db=3",
        "sqs://AKIA:a%2Fb@?region=eu-west-1": "sqs://AKIA:•••@sqs.eu-west-1.amazonaws.com",
    }.items():
        assert parsed(url).shown == shown
    for url in (
        "memory://",
        "filesystem://localhost",
        "http://mq.internal",
        "amqp://other.internal",
        "amqp://mq.internal.evil.example",
        "amqp://mq.internal;amqp://other",
        "amqp://mq.internal/?ssl_cert_reqs=none",
        "redis://127.0.0.1/?credential_provider=os.system",
        "redis://127.0.0.1:6399/1",
        "redis://127.0.0.1/x",
        "redis+socket:///run/other.sock",
        "redis+socket:///run/../run/Our/redis.sock",
        "redis+socket:///run/our/redis.sock",
        "amqp://",
        "amqp://mq.internal:99999",
        "amqp://mq internal",
        "sqs://?region=eu-west-1",
        "sqs://AKIA:x@",
        "sqs://AKIA:x@?region=us-east-1",
    ):
        with pytest.raises(BadInput) as refused:
            parsed(url)
        assert refused.value.param == "url", url
    for url in ("amqp://u:1?ter2@mq.internal/v", "amqp://u:1#ter2@mq.internal/v", "amqp://u:hun/ter2@mq.internal"):
        with pytest.raises(BadInput) as refused:
            parsed(url)
        assert "ter2" not in refused.value.message, "a password that cuts its address short is not repeated"
    actor = make.actor_for(cast.alice)
    broker = services.create_broker(actor=actor, team=cast.team_a, slug="mq", url="amqp://u:hunter2@mq.internal/v")
    assert "hunter2" not in broker.secret + broker.address and "hunter2" in decrypt(broker.secret)
    lines = AuditEvent.objects.filter(action="broker.created")
    assert "hunter2" not in json.dumps([line.detail for line in lines])


def test_a_trigger_says_what_of_its_queue_is_wrong(outside, settings, monkeypatch):
    for config, field in (
        ({}, "config.queue"),
        ({"queue": "a", "result_queue": "a"}, "config.queue"),
        ({"queue": "a", "dedupe": "sometimes"}, "config.dedupe"),
        ({"queue": "a", "at_once": 0}, "config.at_once"),
        ({"queue": "a", "attempts": True}, "config.attempts"),
        ({"queue": "_kombu.binding.x"}, "config.queue"),
        ({"queue": "a", "broker": "other"}, "config.broker"),
        ({"queue": "a", "more": 1}, "config.more"),
    ):
        with pytest.raises(BadInput) as refused:
            outside.made(**config)
        assert refused.value.param == field
    settings.BROKER_HOSTS += ["sqs.eu-west-1.amazonaws.com", "127.0.0.1"]
    services.change_broker(actor=outside.actor, broker=outside.broker, url="sqs://AKIA:x@?region=eu-west-1")
    for queue in (
        "orders",
        "https://sqs.eu-west-1.amazonaws.com:8080/1/orders",
        "http://sqs.eu-west-1.amazonaws.com/1/orders",
        "https://u@sqs.eu-west-1.amazonaws.com/1/orders",
        "https://evil.example\\@sqs.eu-west-1.amazonaws.com/1/orders",
    ):
        with pytest.raises(BadInput, match="by its URL"):
            outside.made(queue=queue)
    made = outside.made(queue="https://sqs.eu-west-1.amazonaws.com/123456789012/orders")
    line = kombu_transport.connection_to(parsed("sqs://AKIA:x@?region=eu-west-1"), made.config["queue"])
    assert line.transport_options["client-config"]["proxies"] == {}, "boto3 would take those of the environment"
    assert made.config["dedupe"] == "id" and made.config["at_once"] == 10
    # A broker that moves leaves its triggers behind: its new keys are not sent to where the old queue is.
    services.change_broker(actor=outside.actor, broker=outside.broker, url="sqs://AKIA:y@127.0.0.1:9?region=a")
    monkeypatch.setattr(transport, "open_consumer", lambda *where: pytest.fail(f"called {where[1]}"))
    outside.trigger = made
    outside.read(1)
    assert "by its URL" in outside.reader.said
    with pytest.raises(Conflict, match="Orders"):
        services.delete_broker(actor=outside.actor, broker=outside.broker)
