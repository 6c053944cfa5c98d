"""An answer from the question to its last word: streamed, kept, stopped, refused, written again."""

import asyncio
import json
import re

import httpx2 as httpx
from django.conf import settings
from django.urls import reverse

from console.audit.models import AuditEvent
from console.chat.models import Message
from console.chat.services.titles import make_title
from console.gateway import sync
from console.teams.actors import SYSTEM
from console.teams.models import Membership
from console.teams.services import teams
from tests.chat.conftest import Room
from tests.live import LiveServer
from tests.upstream import completion, sse, text_chunks
from tests.waiting import until
from usage_app.services import quotas


async def going_on() -> list[str]:
    """Return what the gateway's thread still does."""
    return [task.get_coro().__qualname__ for task in asyncio.all_tasks()]  # type: ignore[union-attr]


def _call(answer: Message) -> AuditEvent:
    return AuditEvent.objects.get(id=answer.request_id)


def test_it_answers_and_keeps_the_answer_with_what_it_cost(room: Room) -> None:
    room.upstream.enqueue_stream(sse(*text_chunks("It is", " **on its way**.")))
    conversation = room.start()
    answer = room.ended(conversation)
    assert (answer.status, answer.text) == ("done", "It is **on its way**.")
    assert conversation.title == "Where is my order?"
    assert answer.model == "fake/fake-model" and str(answer.agent_version) == "helper@1"
    assert "_keep" not in sync.run(going_on()), "what keeps answers being written ends with the last one"
    assert answer.prompt_tokens == 23 and answer.cost_micros > 0 and answer.latency_us and answer.lease_until is None

    call = _call(answer)
    assert (call.type, call.surface, call.actor_kind, call.actor) == ("chat", "chat", "user", str(room.ada))
    assert (call.status, call.agent, call.cost_micros) == ("ok", "helper@1", answer.cost_micros)
    page = room.client.get(reverse("chat:conversation", args=[conversation.pk])).content.decode()
    assert "<strong>on its way</strong>" in page and "helper@1" in page

    room.upstream.enqueue_stream(sse(*text_chunks("Tomorrow.")))
    assert room.post("send", conversation.pk, text="When?") == 302
    assert room.ended(conversation).text == "Tomorrow."
    said = [(one["role"], one["content"]) for one in room.upstream.seen[-1].body["messages"]]
    assert said[-3:] == [("user", "Where is my order?"), ("assistant", "It is **on its way**."), ("user", "When?")]


def test_it_asks_again_beside_what_there_was_and_switches_between_branches(room: Room) -> None:
    conversation = room.start("Name a colour.")
    first = room.ended(conversation)
    room.upstream.enqueue_stream(sse(*text_chunks("Green.")))
    assert room.post("again", first.pk) == 302
    second = room.ended(conversation)
    assert second.parent_id == first.parent_id and second.text == "Green."
    assert first.parent is not None
    assert room.post("edit", first.parent.pk, text="Name an animal.") == 302
    third = room.ended(conversation)
    assert third.parent is not None and third.parent.text == "Name an animal." and third.parent.parent is None
    assert [one["content"] for one in room.upstream.seen[-1].body["messages"]][-1] == "Name an animal."

    def shown() -> tuple[list[str], str]:
        page = room.client.get(reverse("chat:conversation", args=[conversation.pk]))
        return [turn.message.text for turn in page.context["thread"].turns], page.content.decode()

    turns, page = shown()
    assert "2 of 2" in page and turns[0] == "Name an animal."
    assert room.post("branch", first.parent.pk) == 302
    assert room.answer(conversation) == second
    turns, page = shown()
    assert turns == ["Name a colour.", "Green."] and "1 of 2" in page and "2 of 2" in page


def test_it_streams_to_whoever_may_read_and_stops_where_it_is(room: Room, server: LiveServer) -> None:
    room.upstream.enqueue_stream(sse(*text_chunks("One, ", "two")[:3]), done=False, hang=120)
    conversation = room.start("Count.")
    answer = room.answer(conversation)
    cookies = {settings.SESSION_COOKIE_NAME: room.client.cookies[settings.SESSION_COOKIE_NAME].value}
    url = server.url + reverse("chat:stream", args=[answer.pk])
    with httpx.Client(cookies=cookies, timeout=60) as browser, browser.stream("GET", url) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.iter_lines()
        shown = ""
        for line in lines:
            if line.startswith("data: "):
                event = json.loads(line.removeprefix("data: "))
                shown = event["last"]
                if "two" in shown:
                    break
        assert shown == "<p>One, two</p>\n"
        # One answer at a time; what was typed is still in its field.
        busy = room.client.post(reverse("chat:send", args=[conversation.pk]), {"text": "and <three>?"})
        assert busy.status_code == 409 and "and &lt;three&gt;?" in busy.content.decode()
        assert room.post("stop", answer.pk) == 302
        assert any(line == "event: end" for line in lines)
    answer = room.ended(conversation)
    assert (answer.status, answer.text) == ("stopped", "One, two")
    assert _call(answer).status == "client_disconnected"
    assert room.upstream.was_closed_early()


def test_it_says_in_human_words_why_there_is_no_answer(room: Room) -> None:
    quota = quotas.set_quota(actor=SYSTEM, team=room.team, metric="requests", window="day", limit=1, mode="hard")
    conversation = room.start()
    assert room.ended(conversation).status == "done"
    assert room.post("send", conversation.pk, text="And now?") == 302
    answer = room.ended(conversation)
    said = r"The limit of 1 request per day for your team is reached\. It resets on \d+ [A-Z][a-z]+ at 00:00 UTC\. "
    said += r"Your question is kept\. An owner of the team can raise the limit\."
    assert answer.status == "refused" and re.fullmatch(said, answer.trouble)
    assert answer.parent is not None and answer.parent.text == "And now?"
    page = room.client.get(reverse("chat:conversation", args=[conversation.pk])).content.decode()
    assert "It resets on" in page and "Try again" in page

    quotas.remove_quota(actor=SYSTEM, quota=quota)
    quota = quotas.set_quota(actor=SYSTEM, team=room.team, metric="tokens", window="hour", limit=200, mode="hard")
    assert room.post("again", answer.pk) == 302
    said = "Too little is left of the limit of 200 tokens per hour for your team to answer this. It resets at "
    assert room.ended(conversation).trouble.startswith(said)
    quotas.remove_quota(actor=SYSTEM, quota=quota)
    room.upstream.enqueue_cut(
        b"HTTP/1.1 200 X\r\nContent-Type: text/event-stream\r\n\r\n" + sse(*text_chunks("Half")[:2])
    )
    assert room.post("again", answer.pk) == 302
    broken = room.ended(conversation)
    assert (broken.status, broken.text) == ("failed", "Half") and "Your question is kept" in broken.trouble


def test_it_ends_soon_after_the_right_to_ask_does(room: Room) -> None:
    room.upstream.enqueue_stream(sse(*text_chunks("Secret")[:2]), done=False, hang=120)
    conversation = room.start()
    until(lambda: room.answer(conversation).text, "its first words are there")
    membership = Membership.objects.get(team=room.team, user=room.ada)
    teams.remove_member(actor=SYSTEM, membership=membership)
    answer = room.ended(conversation)
    assert answer.status == "refused" and "may not use this assistant" in answer.trouble
    assert _call(answer).code == "access_ended"
    assert room.client.get(reverse("chat:conversation", args=[conversation.pk])).status_code in {403, 404}


def test_it_is_named_by_the_model_in_the_batch_lane_unless_somebody_did(room: Room) -> None:
    conversation = room.start()
    answer = room.ended(conversation)
    room.upstream.enqueue(completion('"**Where an order is**"\n'))
    assert make_title(answer.pk) == "Where an order is"
    conversation.refresh_from_db()
    assert conversation.title == "Where an order is"
    line = AuditEvent.objects.filter(surface="chat").latest("id")
    assert (line.lane, line.actor, line.status) == ("batch", str(room.ada), "ok")
    assert make_title(answer.pk) == "", "once is enough"

    for other, reply in (("Who?", completion("A title that goes on " * 10)), ("Why?", {"error": {"message": "no"}})):
        conversation = room.start(other)
        answer = room.ended(conversation)
        room.upstream.enqueue(reply, status=200 if "choices" in reply else 400)
        assert make_title(answer.pk) == ""
        conversation.refresh_from_db()
        assert conversation.title == other
    assert room.post("rename", conversation.pk, title="Mine") == 302
    assert make_title(answer.pk) == ""
