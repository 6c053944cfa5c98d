"""A web process that dies while it writes an answer: the words are kept and marked, and the calls are settled."""

import datetime as dt
import time

import httpx2 as httpx
from django.conf import settings
from django.urls import reverse

from console.audit.models import AuditEvent
from console.chat.models import Conversation, Message
from console.core.clock import now
from tests.chat.conftest import Room
from tests.gateway.invariants import wait_until_settled
from tests.live import WebProcess
from tests.upstream import sse, text_chunks
from usage_app.models import QuotaCounter, Reservation


def test_it_keeps_and_marks_a_partial_answer_and_tries_again(room: Room) -> None:
    doomed = WebProcess(GATEWAY_LEASE_SECONDS="4").wait()
    try:
        room.upstream.enqueue_stream(sse(*text_chunks("Half of **it")[:2]), done=False, hang=30)
        cookies = {settings.SESSION_COOKIE_NAME: room.client.cookies[settings.SESSION_COOKIE_NAME].value}
        with httpx.Client(base_url=doomed.url, cookies=cookies, timeout=10) as browser:
            page = browser.get(reverse("chat:chat")).text
            token = page.partition('"X-CSRFToken": "')[2].partition('"')[0]
            typed = {"agent": "helper", "text": "Tell me all.", "csrfmiddlewaretoken": token}
            assert browser.post(reverse("chat:start"), data=typed).status_code == 302
        latest = time.monotonic() + 10
        while not Message.objects.filter(status="writing", text="Half of **it").exists():
            assert time.monotonic() < latest, "What there is was not kept."
            time.sleep(0.05)
        doomed.kill()
    finally:
        doomed.stop()
    conversation = Conversation.objects.get()
    # As if the lease's time had passed.
    Message.objects.filter(status="writing").update(lease_until=now() - dt.timedelta(seconds=1))
    page = room.client.get(reverse("chat:conversation", args=[conversation.pk])).content.decode()
    assert "Half of **it" in page and "The console stopped while this was being written" in page
    assert "Try again" in page and "data-follow" not in page

    broken = room.answer(conversation)
    room.upstream.enqueue_stream(sse(*text_chunks("All of it.")))
    assert room.post("again", broken.pk) == 302
    answer = room.ended(conversation)
    assert (answer.status, answer.text, answer.parent_id) == ("done", "All of it.", broken.parent_id)
    broken.refresh_from_db()
    assert (broken.status, broken.text) == ("interrupted", "Half of **it")

    wait_until_settled(20)
    lines = AuditEvent.objects.filter(surface="chat").order_by("id").values_list("status", flat=True)
    assert list(lines) == ["interrupted", "ok"]
    assert not Reservation.objects.exists() and not QuotaCounter.objects.exclude(reserved=0).exists()
