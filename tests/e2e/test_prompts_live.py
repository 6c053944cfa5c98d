"""What an author publishes in the browser answers everywhere with the next call: API, chat, a process elsewhere."""

import json
import re

import httpx2 as httpx
import pytest
from django.urls import reverse
from playwright.sync_api import expect

from console.audit.models import AuditEvent, Status
from console.teams.models import Role
from prompts_app.models import Label
from tests import make
from tests.chat.conftest import Room
from tests.chat.conftest import room as room
from tests.e2e.conftest import OpenPage
from tests.live import LiveServer, WebProcess
from tests.upstream import completion, sse, text_chunks
from tests.waiting import until

pytestmark = pytest.mark.e2e

KIND, SHORT = "You answer kindly.", "You answer in ten words."


def test_what_is_published_answers_everywhere(page_as: OpenPage, room: Room, server: LiveServer) -> None:
    prompt = make.make_prompt(room.team, "support/answer", KIND)
    make.make_agent(room.team, "clerk", name="Clerk", prompt=prompt)
    _, key = make.make_key(room.team, "shop")
    author = make.make_member(room.team, make.make_user("bella@example.com"), Role.BUILDER)
    elsewhere = WebProcess().wait()
    headers = {"Authorization": f"Bearer {key}"}
    here = httpx.Client(base_url=server.url, headers=headers, timeout=60, verify=False)
    there = httpx.Client(base_url=elsewhere.url, headers=headers, timeout=60, verify=False)
    page, reader = page_as(author), page_as(room.ada)

    calls = 0

    def everywhere_it_is(number: int, words: str) -> None:
        """Call once each way; every one of them has the version, and the log names it."""
        nonlocal calls
        body = {"model": "support-chat", "prompt": {"id": "support/answer"}}
        for client in (here, there):
            room.upstream.enqueue(completion("Yes."))
            answered = client.post("/v1/chat/completions", json=body)
            assert answered.headers["x-facet-prompt"] == f"support/answer@{number}", answered.text
            assert room.upstream.seen[-1].body["messages"][0]["content"] == words
        room.upstream.enqueue_stream(sse(*text_chunks(f"Clerk has v{number}.")))
        reader.goto("/chat/?agent=clerk")
        reader.get_by_label("Message", exact=True).fill("Where is it?")
        reader.keyboard.press("Enter")
        expect(reader.get_by_role("log")).to_contain_text(f"Clerk has v{number}.")
        assert room.upstream.seen[-1].body["messages"][0] == {"role": "system", "content": words}
        calls += 3
        lines = AuditEvent.objects.filter(prompt__contains="support/answer", status=Status.OK).order_by("-id")
        until(lambda: lines.count() == calls, "all calls are on record")
        said = [json.loads(line.prompt)[0] for line in lines[:3]]
        assert [(one["slug"], one["number"]) for one in said] == [("support/answer", number)] * 3
        assert {line.surface for line in lines[:3]} == {"api", "chat"}

    try:
        page.goto("/prompts/support/answer/")
        page.get_by_role("link", name="Edit as v2").click()
        page.get_by_role("textbox", name="Text", exact=True).fill(SHORT)
        page.get_by_role("button", name="Save as v2").last.click()
        expect(page).to_have_url(re.compile("/-/versions/2/$"))
        everywhere_it_is(1, KIND)  # saving changes nobody's calls
        page.get_by_role("link", name="Publish v2 to production").click()
        dialog = page.get_by_role("dialog", name="Publish v2 to production")
        expect(dialog).to_contain_text("clerk")  # whom it reaches
        dialog.get_by_label("Reason").fill("Shorter")
        dialog.get_by_role("button", name="Publish v2 to production").click()
        expect(page.get_by_text("Published v2 of support/answer to production.")).to_be_visible()
        everywhere_it_is(2, SHORT)
        page.get_by_role("button", name="Roll back to v1").click()
        expect(page.get_by_text("Rolled production back to v1")).to_be_visible()
        everywhere_it_is(1, KIND)
    finally:
        here.close()
        there.close()
        elsewhere.stop()
    assert Label.objects.get(name="production", prompt=prompt).revision == 3
    assert ">clerk</a>" in page.request.get(reverse("prompts:where_used", args=["support/answer"])).text()
