"""Whose conversations are whose, and what their owner can do with them."""

import datetime as dt
import json
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from agents_app.models import Agent
from console.audit.models import AuditEvent, Rating
from console.chat.models import Conversation, Feedback, Message
from console.chat.queries.listing import said_in
from console.core.clock import now
from tests import make
from tests.audit.calls import a_call
from tests.conftest import Cast
from tests.make import client_of


def talk(cast: Cast, title: str = "Autumn campaign", words: str = "Write three subject lines.") -> Conversation:
    """Alice's conversation in Team A: a question and its answer."""
    agent = cast.team_a.agents.first() or make.make_agent(cast.team_a)
    made = Conversation.objects.create(team=cast.team_a, agent=agent, owner=cast.alice, title=title)
    question = Message.objects.create(
        conversation=made, role="user", text=words, author=cast.alice, author_name="Alice"
    )
    made.leaf = Message.objects.create(conversation=made, parent=question, role="assistant", text="Here they are.")
    made.save()
    return made


def test_it_is_its_owners_until_it_is_shared_and_then_read_only(cast: Cast) -> None:
    made = talk(cast)
    url = reverse("chat:conversation", args=[made.pk])
    alice, bob, charlie = client_of(cast.alice), client_of(cast.bob), client_of(cast.charlie)
    operator = client_of(cast.operator)
    assert alice.get(url).status_code == 200
    assert [one.get(url).status_code for one in (bob, charlie, operator)] == [404, 404, 404]

    assert alice.post(reverse("chat:share", args=[made.pk])).status_code == 302
    page = bob.get(url)
    assert page.status_code == 200 and "Shared by Alice" in page.content.decode()
    assert "data-composer" not in page.content.decode()
    assert charlie.get(url).status_code == 404
    for name in ("send", "rename", "pin", "archive", "share", "delete"):
        assert bob.post(reverse(f"chat:{name}", args=[made.pk]), {"text": "x", "title": "x"}).status_code == 403
    for name in ("edit", "again", "branch", "stop"):
        assert bob.post(reverse(f"chat:{name}", args=[made.leaf_id]), {"text": "x"}).status_code == 403
    assert alice.post(reverse("chat:share", args=[made.pk])).status_code == 302
    assert bob.get(url).status_code == 404
    actions = list(AuditEvent.objects.filter(target_id=str(made.pk)).order_by("id").values_list("action", flat=True))
    assert actions == ["conversation.shared", "conversation.unshared"]


def test_it_renames_pins_archives_and_deletes(cast: Cast) -> None:
    made, other = talk(cast), talk(cast, "Release notes")
    alice = client_of(cast.alice)

    def names(query: str = "") -> list[str]:
        groups = alice.get(reverse("chat:chat") + query).context["listing"].groups
        return [f"{group.name}: {row}" for group in groups for row in group.rows]

    assert names() == ["Today: Release notes", "Today: Autumn campaign"]
    assert alice.post(reverse("chat:rename", args=[made.pk]), {"title": " Winter\n cam\u200bpaign "}).status_code == 302
    assert alice.post(reverse("chat:rename", args=[made.pk]), {"title": ""}).status_code == 422
    assert alice.post(reverse("chat:pin", args=[made.pk])).status_code == 302
    assert names() == ["Pinned: Winter cam\u200bpaign", "Today: Release notes"]
    page = alice.get(reverse("chat:conversation", args=[made.pk]) + "?rename").content.decode()
    assert 'id="new-title"' in page and page.count("<h1") == 1
    assert 'Winter cam<span class="ghost" title="zero width space">U+200B</span>paign</h1>' in page
    assert alice.post(reverse("chat:archive", args=[other.pk])).status_code == 302
    assert names() == ["Pinned: Winter cam\u200bpaign"] and names("?archived") == ["Today: Release notes"]
    assert alice.post(reverse("chat:delete", args=[made.pk])).status_code == 302
    assert names() == [] and not Message.objects.filter(conversation=made).exists()
    assert alice.get(reverse("chat:conversation", args=[made.pk])).status_code == 404
    assert AuditEvent.objects.filter(action="conversation.deleted").count() == 1


def test_it_finds_titles_and_words_of_one_s_own(cast: Cast) -> None:
    talk(cast, "Autumn campaign", "Compare 50% and 100_000.")
    talk(cast, "Glossary", "Technician or engineer? Über beide.")
    found = {}
    for who, user in (("alice", cast.alice), ("bob", cast.bob)):
        for words in ("autumn", "ENGINEER", "ÜBER", "50%", "nothing of that", "\x00"):
            groups = client_of(user).get(reverse("chat:chat"), {"q": words}).context["listing"].groups
            found[who, words] = [str(row) for group in groups for row in group.rows]
    assert found["alice", "autumn"] == found["alice", "50%"] == ["Autumn campaign"]
    assert (
        found["alice", "ENGINEER"] == found["alice", "ÜBER"] == ["Glossary"] and found["alice", "nothing of that"] == []
    )
    assert not any(found["bob", words] for words in ("autumn", "ENGINEER", "50%"))


def test_it_offers_all_assistants_a_page_at_a_time(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.chat.views.conversations._AGENTS_A_PAGE", 2)
    for slug in ("a", "b", "c"):
        make.make_agent(cast.team_a, slug)
    alice, offered = client_of(cast.alice), {}
    for query in ("", "?page=2", "?agent=c", "?page=2&agent=c", "?page=9"):
        page = alice.get(reverse("chat:chat") + query)
        links = re.findall(r'rel="(prev|next)" href="(\?page=[0-9]+)"', page.text)
        agents = [one.slug for one in page.context["agents"]]
        offered[query] = (agents, page.context["agent"].slug, links)
    first, second = [("next", "?page=2")], [("prev", "?page=1")]
    assert offered == {
        "": (["a", "b"], "a", first),
        "?page=2": (["c"], "c", second),
        "?agent=c": (["a", "b"], "c", first),
        "?page=2&agent=c": (["c"], "c", second),
        "?page=9": (["a", "b"], "a", first),
    }


def test_it_lists_many_as_it_lists_few(cast: Cast) -> None:
    alice, counts = client_of(cast.alice), []
    alice.get(reverse("chat:chat"))  # the first page of a session writes it
    for _ in range(2):
        for number in range(15):
            talk(cast, f"Number {number}")
        Conversation.objects.filter(title="Number 3").update(shared_at=now())
        Conversation.objects.filter(title="Number 4").update(pinned_at=now())
        for query in ({}, {"q": "number"}, {"archived": ""}):
            with CaptureQueriesContext(connection) as seen:
                assert alice.get(reverse("chat:chat"), query).status_code == 200
            counts.append(len(seen))
    assert counts[:3] == counts[3:] and max(counts) <= 12
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE chat_conversation, chat_message")
    _, sought = Conversation.objects.filter(said_in("istanbul")).query.sql_with_params()
    assert "%ISTANBUL%" in sought, "where the server speaks Turkish, upper('i') is no letter of ASCII"
    plan = Conversation.objects.filter(said_in("nowhere"), owner=cast.alice).explain()
    assert "SubPlan" in plan and "hashed" not in plan, "a search reads no message of other people's conversations"


def test_it_opens_a_long_conversation_at_its_end_and_pages_upwards(cast: Cast, django_assert_max_num_queries) -> None:
    made = talk(cast)
    last, rows = made.leaf, []
    for number in range(500):
        last = Message(
            conversation=made, parent=last, role=("user", "assistant")[number % 2], text=f"turn-{number:03}."
        )
        rows.append(last)
    Message.objects.bulk_create(rows)
    Conversation.objects.filter(pk=made.pk).update(leaf=last)
    alice, url = client_of(cast.alice), reverse("chat:conversation", args=[made.pk])
    with django_assert_max_num_queries(30):
        page = alice.get(url)
    text = page.content.decode()
    assert "turn-499." in text and "turn-470." in text and "turn-469." not in text
    older = alice.get(url, {"before": page.context["thread"].older}, headers={"HX-Request": "true"}).content.decode()
    assert "turn-469." in older and "turn-440." in older and "turn-470." not in older and "<html" not in older


def test_it_keeps_what_was_typed_when_it_cannot_be_sent(cast: Cast) -> None:
    made = talk(cast)
    alice, send = client_of(cast.alice), reverse("chat:send", args=[made.pk])
    assert alice.post(send, {"text": "  "}).status_code == 400
    long = "word " * 20_001
    refused = alice.post(send, {"text": long})
    assert refused.status_code == 400 and long.strip() in refused.content.decode()
    assert "a message may have 100,000" in refused.content.decode()
    assert alice.post(send, {"text": long}, headers={"HX-Request": "true"}).status_code == 422
    assert made.messages.count() == 2


def test_it_says_at_the_turn_why_it_is_not_asked_anew_and_keeps_what_was_typed(cast: Cast) -> None:
    made = talk(cast)
    alice = client_of(cast.alice)
    question, answer = made.messages.order_by("created_at", "id")
    edit, again = (reverse(f"chat:{name}", args=[one.pk]) for name, one in (("edit", question), ("again", answer)))

    def check(url: str, said: str, typed: str = "", status: int = 400) -> None:
        at = url.split("/")[3]
        page = alice.post(url, {"text": typed})
        html = page.content.decode()
        assert page.status_code == status and said in html.partition(f'id="refused-{at}"')[2].partition("</div>")[0]
        assert not typed or f">{typed}</textarea>" in html and '<details class="edit" open' in html
        piece = alice.post(url, {"text": typed}, headers={"HX-Request": "true"})
        assert piece.status_code == 422 and said in piece.content.decode() and "HX-Trigger" not in piece
        assert piece["HX-Retarget"] == f"#refused-{at}" and len(piece.content) < 1_000

    check(edit, "a message may have 100,000", typed="word " * 20_001 + "end")
    check(edit, "Write something first.")
    Agent.objects.update(archived_at=now())
    check(edit, "is not there any more", typed="Something else.")
    check(again, "is not there any more")
    Message.objects.filter(pk=answer.pk).update(status="writing", lease_until=now() + dt.timedelta(minutes=1))
    check(edit, "still writing", typed="Something else.", status=409)
    assert made.messages.count() == 2


@pytest.mark.django_db
def test_it_offers_only_assistants_the_person_may_use(cast: Cast) -> None:
    mine = make.make_agent(cast.team_a, "ours")
    theirs = make.make_agent(cast.team_b, "theirs")
    draft = make.make_agent(cast.team_a, "unfinished", is_live=False)
    assert "work in runs, not in the chat" not in client_of(cast.bob).get(reverse("chat:chat")).content.decode()
    make.make_tool(cast.team_a, "look_up")
    make.make_alias("with-tools", production=make.make_model(capabilities=["chat", "tools"]))
    running = make.make_agent(cast.team_a, "running", alias="with-tools", grants=[{"tool": "look_up"}])
    bob = client_of(cast.bob)
    page = bob.get(reverse("chat:chat"), {"agent": "ours", "text": "<b>hi</b>"})
    assert [agent.slug for agent in page.context["agents"]] == [mine.slug]
    assert "&lt;b&gt;hi&lt;/b&gt;" in page.content.decode() and not Conversation.objects.exists()
    assert "work in runs, not in the chat" in page.content.decode()
    for other in (theirs, draft, running):
        refused = bob.post(reverse("chat:start"), {"agent": other.slug, "text": "Hello"})
        assert refused.status_code == 422 and "Hello" in refused.content.decode()
    assert not Conversation.objects.exists()


def test_it_exports_the_branch_shown_and_every_branch(cast: Cast) -> None:
    made = talk(cast, words="Write **three** lines.")
    first = made.leaf
    assert first is not None
    Message.objects.create(conversation=made, parent=first.parent, role="assistant", text="Another one.")
    alice = client_of(cast.alice)
    markdown = alice.get(reverse("chat:export_markdown", args=[made.pk]))
    assert markdown["Cache-Control"] == "no-store"
    text = markdown.content.decode()
    assert text.startswith("# Autumn campaign\n") and "Write **three** lines." in text and "Another one." not in text
    assert markdown["Content-Type"] == "text/markdown; charset=utf-8"
    assert markdown["Content-Disposition"].startswith('attachment; filename="conversation-')
    data = json.loads(b"".join(alice.get(reverse("chat:export_json", args=[made.pk])).streaming_content))
    assert [one["text"] for one in data["messages"]] == ["Write **three** lines.", "Here they are.", "Another one."]
    assert data["shown_until"] == str(first.pk)
    assert client_of(cast.bob).get(reverse("chat:export_json", args=[made.pk])).status_code == 404
    lines = AuditEvent.objects.filter(action="conversation.exported", target_id=str(made.pk), actor_id=cast.alice.pk)
    assert [json.loads(line.detail)["format"] for line in lines.order_by("id")] == ["md", "json"]


def test_it_keeps_one_feedback_of_everybody_who_reads(cast: Cast) -> None:
    made = talk(cast)
    call = a_call(cast.team_a)
    made.messages.filter(pk=made.leaf_id).update(request_id=call)
    alice, url = client_of(cast.alice), reverse("chat:feedback", args=[made.leaf_id])

    def given() -> list[tuple[str, bool, str]]:
        return [(str(one.person), one.is_good, one.comment) for one in Feedback.objects.order_by("given_at")]

    assert alice.post(url, {"says": "good"}).status_code == 302
    piece = alice.post(url, {"says": "bad", "comment": "Too <long>."}, headers={"HX-Request": "true"}).content.decode()
    assert "Too &lt;long&gt;." in piece and piece.count('aria-pressed="true"') == 1
    assert given() == [("Alice", False, "Too <long>.")]
    said = Rating.objects.get()
    assert (said.event_id, said.rater, said.says, said.comment) == (call, "Alice", "bad", "Too <long>.")
    assert client_of(cast.bob).post(url, {"says": "good"}).status_code == 404
    assert alice.post(url, {"says": "good", "comment": "x" * 1001}).status_code == 400
    question = reverse("chat:feedback", args=[made.messages.get(role="user").pk])
    assert alice.post(question, {"says": "good"}).status_code == 400
    assert alice.post(url, {"says": "nothing"}).status_code == 302 and given() == []
    assert not Rating.objects.exists()
