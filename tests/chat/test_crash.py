"""A web process that dies while it writes an answer, and one started in its place: nothing is lost or stays open."""

from collections.abc import Iterator
from contextlib import ExitStack

import httpx2 as httpx
import pytest
from django.conf import settings
from django.urls import reverse

from console.audit.models import AuditEvent
from console.chat.models import Conversation, Message
from console.core.clock import now
from console.teams.actors import SYSTEM
from tests.chat.conftest import Room
from tests.gateway.invariants import let_leases_run_out, wait_until_settled
from tests.live import WebProcess
from tests.upstream import sse, text_chunks
from tests.waiting import until
from usage_app.models import QuotaCounter, Reservation
from usage_app.queries.recount import differences
from usage_app.services.quotas import set_quota


class Browser:
    """Ada's session with a web process of its own, by the forms of its pages."""

    def __init__(self, room: Room, stack: ExitStack) -> None:
        # Nobody else is there who could end what a dead process left: no worker, and no call in the test's process.
        self.process = WebProcess(GATEWAY_LEASE_SECONDS="8", CHAT_LEASE_SECONDS="8")
        stack.callback(self.process.stop)
        session = {settings.SESSION_COOKIE_NAME: room.client.cookies[settings.SESSION_COOKIE_NAME].value}
        made = httpx.Client(base_url=self.process.wait().url, cookies=session, timeout=60)
        self._client = stack.enter_context(made)
        self._token = self.read(reverse("chat:chat")).partition('"X-CSRFToken": "')[2].partition('"')[0]

    def read(self, path: str) -> str:
        return self._client.get(path).text

    def post(self, path: str, **typed: str) -> int:
        return self._client.post(path, data={"csrfmiddlewaretoken": self._token, **typed}).status_code


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def _check_settled() -> None:
    wait_until_settled()
    assert not Reservation.objects.exists() and not QuotaCounter.objects.exclude(reserved=0).exists()
    assert list(differences()) == []


def test_it_keeps_and_marks_a_partial_answer_and_tries_again(room: Room, stack: ExitStack) -> None:
    set_quota(actor=SYSTEM, team=room.team, metric="tokens", window="day", limit=100_000)
    set_quota(actor=SYSTEM, team=room.team, metric="concurrency", window="", limit=1)
    room.upstream.enqueue_stream(sse(*text_chunks("Half of **it")[:2]), done=False, hang=120)
    doomed = Browser(room, stack)
    assert doomed.post(reverse("chat:start"), agent="helper", text="Tell me all.") == 302
    until(Message.objects.filter(status="writing", text="Half of **it").exists, "what there is is kept")
    conversation = Conversation.objects.get()
    broken = room.answer(conversation)
    doomed.process.kill()
    assert Reservation.objects.count() == 1 and QuotaCounter.objects.filter(reserved__gt=0).count() == 2
    let_leases_run_out()
    Message.objects.filter(pk=broken.pk).update(lease_until=now())

    browser = Browser(room, stack)
    page = reverse("chat:conversation", args=[conversation.pk])
    until(lambda: "data-follow" not in browser.read(page), "a lost answer is not followed any more")
    shown = browser.read(page)
    assert "Half of **it" in shown and "Try again" in shown
    assert "The console stopped while this was being written" in shown
    # Settled by the new process, though no model was called since it started.
    _check_settled()
    line = AuditEvent.objects.get(surface="chat")
    assert (line.status, line.code, line.usage_note) == ("interrupted", "interrupted", "estimated")
    assert line.pk == broken.request_id, "what is left of the answer finds its line in the log"

    room.upstream.enqueue_stream(sse(*text_chunks("All of it.")))
    assert browser.post(reverse("chat:again", args=[broken.pk])) == 302
    until(lambda: room.answer(conversation).status == "done", "it is written again")
    answer = room.answer(conversation)
    assert (answer.text, answer.parent_id) == ("All of it.", broken.parent_id) and answer.pk != broken.pk
    broken.refresh_from_db()
    assert (broken.status, broken.text) == ("interrupted", "Half of **it")
    _check_settled()
    lines = AuditEvent.objects.filter(surface="chat").order_by("id").values_list("status", flat=True)
    assert list(lines) == ["interrupted", "ok"]
