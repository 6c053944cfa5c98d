"""The kinds that come with the console: each called as a worker does, on real connections."""

import json
import uuid

import pytest

from agents_app.models import Agent, QueueItem, Run, RunNote, Tool, Trigger
from agents_app.services import queues, tools
from agents_app.tools.base import Pause, ToolFailed
from agents_app.tools.fetch.kind import is_allowed
from console.audit.models import AuditEvent
from console.catalog.models import Provider
from console.core.clock import now
from console.core.errors import BadInput
from console.core.files.page_words import words_of
from console.gateway.identity import PersonIdentity
from console.gateway.types import AnsweringAgent
from console.knowledge.errors import StillUsed
from console.knowledge.models import Collection
from console.knowledge.services import collections
from console.teams.actors import SYSTEM
from tests import make
from tests.conftest import Cast


def tool_of(cast, kind: str, config: dict | None = None, **fields) -> Tool:
    slug = f"{kind}-{Tool.objects.count()}"
    return tools.create_tool(actor=SYSTEM, team=cast.team_a, kind=kind, slug=slug, config=config or {}, **fields)


def run_of(cast) -> Run:
    agent = make.make_agent(cast.team_a)
    return Run.objects.create(
        agent=agent, team=cast.team_a, version=agent.live, environment="production", actor_kind="user",
        actor_id=cast.alice.pk, actor_name="Alice", trigger="console",
    )  # fmt: skip


@pytest.fixture
def live(committed_db):
    return Cast()


def test_a_person_and_a_moment_are_waited_for_without_a_worker(cast, use):
    asked = use(tool_of(cast, "person"), {"question": "Refund it?"})
    assert isinstance(asked, Pause) and asked.question == "Refund it?" and asked.form["required"] == ["answer"]
    form = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
    asked = use(tool_of(cast, "person", {"form": form}), {"question": "Refund it?"})
    assert asked.form["properties"] == {"ok": {"type": "boolean"}}
    for wrong in ({"form": {"type": "object", "properties": {"a": {"type": "array"}}}}, {"form": {"type": "array"}}):
        with pytest.raises(BadInput, match="form"):
            tool_of(cast, "person", wrong)
    tool = tool_of(cast, "wait", {"most_seconds": 60})
    assert tool.parameters["properties"]["seconds"]["maximum"] == 60
    paused = use(tool, {"seconds": 30})
    assert 25 < (paused.until - now()).total_seconds() <= 30
    with pytest.raises(BadInput, match="most_seconds"):
        tool_of(cast, "wait", {"most_seconds": 10**9})


def test_knowledge_brings_passages_with_their_versions(live, use):
    cast = live
    with pytest.raises(BadInput, match="at least one collection"):
        tool_of(cast, "knowledge")
    shop = make.make_collection(cast.team_a, "shop")
    make.make_document(shop, "Prices", "# Prices\n\n## Express\n\nAn express parcel costs nine euros.")
    make.make_document(make.make_collection(None, "handbook"), "Rules", "Parcels are weighed.")
    make.make_document(make.make_collection(cast.team_b, "shop"), "Theirs", "Parcels of Team B.")
    tool = tool_of(cast, "knowledge", {"collections": ["shop", "handbook"]})
    assert tool.parameters["properties"]["collection"]["enum"] == ["shop", "handbook"]
    found = use(tool, {"query": "What does an express parcel cost?"})
    assert found.content == (
        '<source document="Prices" version="1" heading="Prices › Express" collection="shop">\n'
        "An express parcel costs nine euros.\n</source>\n"
        '<source document="Rules" version="1" collection="handbook">\nParcels are weighed.\n</source>'
    )
    assert found.note == "2 passages, by words"
    assert use(tool, {"query": "parcel", "collection": "handbook"}).note == "1 passage, by words"
    assert use(tool, {"query": "zebra"}).content == "No passage was found."
    with pytest.raises(StillUsed, match=tool.name):
        collections.delete_collection(actor=SYSTEM, collection=shop)
    collections.create_collection(actor=SYSTEM, team=cast.team_a, slug="gone", name="Gone")
    lost = tool_of(cast, "knowledge", {"collections": ["gone"]})
    Collection.objects.filter(slug="gone").update(deleted_at=now())
    with pytest.raises(ToolFailed, match="no collection 'gone'"):
        use(lost, {"query": "parcel"})


def test_it_reads_pages_of_allowed_hosts_only(cast, use, upstream):
    host = f"127.0.0.1:{upstream.port}"
    tool = tool_of(cast, "fetch", {"hosts": [host]})
    page = "<head><title>x</title></head><p>Hello <b>there</b></p><script>bad()</script><ul><li>a</li><li>b</li></ul>"
    upstream.enqueue(page, content_type="text/html")
    assert use(tool, {"url": f"http://{host}/a?b=1"}).content == "Hello there\na\nb"
    upstream.enqueue({"a": 1})
    assert use(tool, {"url": f"http://{host}/a"}).content == '{"a": 1}'
    upstream.enqueue({}, status=404)
    assert use(tool, {"url": f"http://{host}/a"}).is_error
    for url in ("http://other.example/", f"http://{host}@evil.example/", "http://127.0.0.1/", "file:///etc/passwd"):
        with pytest.raises(ToolFailed, match="not on an allowed host"):
            use(tool, {"url": url})
    assert len(upstream.seen) == 3
    wild = ["*.example.com", "docs.example.org"]
    for url, is_ok in (
        ("https://a.example.com/x", True),
        ("https://example.com/", False),
        ("https://aexample.com/", False),
        ("https://docs.example.org:8443/", False),
        ("https://DOCS.example.org/", True),
        ("https://docs.example.org.evil.net/", False),
        ("https://docs.example.org\\@evil.net/", False),
    ):
        assert is_allowed(url, wild) is is_ok, url
    for hosts in ([], ["*.com"], ["https://a.example"], ["a b"]):
        with pytest.raises(BadInput):
            tool_of(cast, "fetch", {"hosts": hosts})


def test_it_reads_the_words_of_any_page_in_time_that_grows_with_its_length():
    for page, words in (
        ("<style>p{}</style>a&amp;b<br>c</p></style>d", "a&b\nc\nd"),
        ("<head><title>T</title></head><body>a <b>b</b>\tc", "a b c"),
        ("<head><title>T</title><body>a", "a"),
        ("<head><meta charset=utf-8><title>T</title><p>a", "a"),
        ("<head><script>write('<p>x</head>')</script><title>T</title></head>a", "a"),
        ("<svg><style>a > b {} </svg></style>no</svg>b", "b"),
        ("a<!-- <p> -->b<!-->c<!DOCTYPE x>d<?php e ?>f</ g>h", "abcdfh"),
        ("<SCRIPT>if (a < b) '</p>'</SCRIPT >x<svg><g/><svg></svg>no</svg>y<svg/>z", "xyz"),
        (
            "<a title=\"a > b\" href='>'>link</a> 1 < 2 &lt;p&gt; &#8364; &#x110000; &#xD800;",
            "link 1 < 2 <p> € \ufffd \ufffd",
        ),
        ("a<p", "a"),
        ("a<!-- b", "a"),
        ("a<script>b", "a"),
        ("a<![CDATA[b", "a"),
        ("<table><tr><td>1<td>2<tr><td>3", "1 2\n3"),
        ("&#" + "9" * 5_000 + ";", "\ufffd"),
    ):
        assert words_of(page) == words, page[:60]
    # Each of these takes minutes where an unfinished piece is read to the end again and again.
    for piece in (
        "<!--",
        "<![",
        "</a ",
        '<a b="',
        "<a b='\"",
        "<",
        "&",
        "&#",
        "<svg>",
        "<script>",
        "<a b=",
        "</head><svg>",
    ):
        words_of(piece * (200_000 // len(piece)))


def test_notes_and_queues_of_a_run(live, use):
    run, other = run_of(live), run_of(live)
    notes = tool_of(live, "notes")

    def note(owner: Run, **arguments) -> str:
        return use(notes, arguments, run_id=owner.pk).content

    assert note(run, action="list") == "There are no notes."
    note(run, action="write", name="plan", text="one")
    note(run, action="write", name="plan", text="two")
    assert note(run, action="read", name="plan") == "two" and note(run, action="list") == "plan"
    assert "no note" in note(other, action="read", name="plan")
    assert note(run, action="write", name="plan", text="") == "Removed." and not RunNote.objects.exists()

    queue = queues.create_queue(actor=SYSTEM, team=live.team_a, slug="mail", name="Mail", lease_seconds=10)
    put, take, finish = (tool_of(live, "queue", {"queue": "mail", "action": a}) for a in ("put", "take", "finish"))
    key = uuid.uuid4()
    first = json.loads(use(put, {"body": {"n": 1}}, idempotency_key=key, by_name="Alice").content)
    again = json.loads(use(put, {"body": {"n": 1}}, idempotency_key=key).content)
    assert first == {"item": again["item"], "is_new": True} and not again["is_new"]
    key = uuid.uuid4()
    taken = json.loads(use(take, run_id=run.pk, idempotency_key=key).content)
    assert taken["body"] == {"n": 1} and taken["attempt"] == 1
    assert json.loads(use(take, run_id=run.pk, idempotency_key=key).content) == taken, "the same call, the same item"
    assert use(take).content == "The queue is empty."
    item = QueueItem.objects.get()
    assert (item.run_id, item.put_by_name) == (run.pk, "Alice")
    for wrong in ({"receipt": str(uuid.uuid4())}, {"receipt": "x"}, {"item": str(uuid.uuid4())}):
        with pytest.raises(ToolFailed):
            use(finish, {"item": taken["item"], "receipt": taken["receipt"], **wrong})
    done = {"item": taken["item"], "receipt": taken["receipt"], "result": {"sent": True}}
    assert use(finish, done).content == use(finish, done).content == "The item is done."
    item.refresh_from_db()
    assert item.state == "done" and item.result == {"sent": True}
    works = {"owner": live.alice, "owner_name": "Alice", "kind": "queue", "config": {"queue": "mail"}}
    trigger = Trigger.objects.create(agent=run.agent, name="Works", environment="sandbox", **works)
    assert use(put, {"body": {}}, environment="sandbox").content and use(take, environment="sandbox").content
    Trigger.objects.filter(pk=trigger.pk).update(environment="production")
    for tool, arguments in ((put, {"body": {}}), (take, {})):
        with pytest.raises(ToolFailed, match="starts agents in production"):
            use(tool, arguments, environment="sandbox")
    assert use(put, {"body": {}}).content, "who runs in production may"
    Agent.objects.filter(pk=run.agent_id).update(archived_at=now())
    assert use(take, environment="sandbox").content, "an archived agent takes nothing"
    queues.archive_queue(actor=SYSTEM, queue=queue)
    with pytest.raises(ToolFailed, match="no queue 'mail'"):
        use(put, {"body": {}})


def test_a_model_is_asked_as_the_runs_actor(live, use, upstream):
    provider = Provider.objects.create(slug="fake", name="Fake", kind="openai", base_url=upstream.url)
    make.make_alias("support-chat", production=make.make_model("m", provider=provider))
    make.make_prompt(live.team_a, "shop/tone", "Write as {{who}}.")
    config = {"alias": "support-chat", "prompt": "shop/tone", "variables": ["who"], "output_tokens": 50}
    tool = tool_of(live, "completion", config)
    assert tool.parameters["required"] == ["who", "message"]
    arguments = {"who": "a pirate", "message": "Say hello"}
    alice = PersonIdentity(live.alice.pk, live.team_a.pk, "production")
    helper = AnsweringAgent(uuid.uuid4(), "helper", uuid.uuid4(), 3, live.team_a.pk, None)
    run = run_of(live)
    said = use(tool, arguments, identify=alice, agent=helper, run_id=run.pk)
    assert said.content == "Hello there." and said.tokens == 28 and said.cost_micros > 0
    texts = [message["content"] for message in upstream.seen[-1].body["messages"]]
    assert texts == ["Write as a pirate.", "Say hello"]
    line = AuditEvent.objects.get(pk=said.request_id)
    assert (line.type, line.surface, line.actor, line.team) == ("agent", "agent", "Alice", "Team A")
    assert line.agent == "helper@3", "so that a quota of the agent counts it"
    assert line.client_request_id == run.public_id, "the log and the trace of the run have what its tools asked"
    with pytest.raises(ToolFailed, match="may not call models"):
        use(tool, arguments, identify=PersonIdentity(live.charlie.pk, live.team_a.pk, "production"))
    with pytest.raises(ToolFailed, match="Nobody can be charged"):
        use(tool, arguments)
    for seconds in (0.3, 3, 30):
        upstream.script.clear()
        upstream.enqueue_silence()
        with pytest.raises(ToolFailed, match="too long"):
            use(tool, arguments, identify=alice, seconds=seconds)
        if len(upstream.seen) == 2:  # on a slow machine the time may be over before the model is asked
            break
    assert len(upstream.seen) == 2
