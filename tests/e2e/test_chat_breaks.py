"""The chat page when the network breaks, in two tabs, and for somebody who has a keyboard only."""

import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from console.chat.models import Conversation
from tests.chat.conftest import Room
from tests.chat.conftest import room as room
from tests.e2e.conftest import OpenPage, Watch, check_axe
from tests.e2e.wire import Wire
from tests.live import LiveServer
from tests.upstream import sse, text_chunks

_CODE = 'for job in jobs:\n    print("changed", job)\n'


def _words(letter: str, count: int) -> list[str]:
    return [f"{letter}{number} " for number in range(1, count)] + [f"{letter} ends."]


def _pieces(letter: str, count: int) -> list[bytes]:
    return [sse(event) for event in text_chunks(*_words(letter, count))]


@pytest.fixture
def wire(server: LiveServer) -> Iterator[Wire]:
    made = Wire(server.port)
    yield made
    made.cut()


def test_it_goes_on_after_the_network_broke_and_catches_up(
    page_as: OpenPage, room: Room, wire: Wire, watch: Watch
) -> None:
    watch.expects("ERR_CONNECTION|ERR_INCOMPLETE|ERR_EMPTY_RESPONSE|htmx:")
    page = page_as(room.ada)
    page.goto(f"{wire.url}/chat/")
    pieces, is_cut = _pieces("n", 16), threading.Event()
    room.upstream.enqueue_stream(*pieces[:4], is_cut.is_set, *pieces[4:], pause=0.4)
    field = page.get_by_label("Message", exact=True)
    field.fill("Count.")
    field.press("Enter")
    answer = page.get_by_role("log").locator("[data-answer]").last
    expect(answer).to_contain_text("n2")
    # A short break: the stream begins anew while the answer is written, and what is there stands there once.
    wire.cut()
    is_cut.set()
    field.fill("And backwards?")
    page.wait_for_timeout(500)
    assert "n9" not in answer.inner_text()
    wire.mend()
    expect(page.get_by_label("Answer again")).to_be_visible()
    expect(answer).to_have_text("".join(_words("n", 16)))
    expect(field).to_have_value("And backwards?")

    # Nothing can be sent without a network; that is said at the field, which keeps what was typed.
    wire.cut()
    field.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="could not be reached")).to_be_visible()
    expect(field).to_have_value("And backwards?")
    assert page.locator(".toast-card").count() == 0
    wire.mend()
    pieces, is_away = _pieces("m", 6), threading.Event()
    room.upstream.enqueue_stream(*pieces[:3], is_away.is_set, *pieces[3:], pause=0.4)
    field.press("Enter")
    expect(answer).to_contain_text("m1")
    # A long one: the answer is whole before the network is back. No word is lost, and nobody asks twice.
    wire.cut()
    is_away.set()
    whole = room.ended(Conversation.objects.get())
    assert (whole.status, whole.text) == ("done", "".join(_words("m", 6))) and "m ends." not in answer.inner_text()
    wire.mend()
    expect(answer).to_have_text("".join(_words("m", 6)))
    expect(page.get_by_label("Answer again").last).to_be_visible()
    assert len([one for one in room.upstream.seen if one.body.get("stream")]) == 2


def _tab_to(page: Page, wanted: Locator, key: str = "Tab") -> None:
    """Walk through the page by keyboard until something has the focus."""
    for _ in range(80):
        if wanted.evaluate("(one) => one === document.activeElement"):
            return
        page.keyboard.press(key)
    raise AssertionError(f"{wanted} is not reached by {key}.")


def test_a_keyboard_is_enough_and_two_tabs_say_the_same(page_as: OpenPage, room: Room, watch: Watch) -> None:
    watch.expects("status of 422")
    page = page_as(room.ada)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/chat/")
    room.upstream.enqueue_stream(*(sse(event) for event in text_chunks("Like so:\n\n```python\n", _CODE, "```\n")))
    expect(page.get_by_label("Message", exact=True)).to_be_focused()
    page.keyboard.type("Show me a loop.")
    page.keyboard.press("Enter")
    again = page.get_by_label("Answer again")
    expect(again).to_be_visible()
    thread = page.get_by_role("log")

    copy = thread.get_by_role("button", name="Copy", exact=True)
    _tab_to(page, copy, "Shift+Tab")
    page.keyboard.press("Enter")
    expect(thread.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == _CODE
    _tab_to(page, page.get_by_label("Copy the answer"))
    page.keyboard.press("Enter")
    expect(page.get_by_text("Copied to the clipboard.")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert "Like so:" in copied and "Cop" not in copied

    other = page.context.new_page()
    other.goto(page.url)
    expect(other.get_by_role("log")).to_contain_text("Like so:")

    room.upstream.enqueue_stream(*(sse(event) for event in text_chunks("Or ", "so.")))
    _tab_to(page, again)
    page.keyboard.press("Enter")
    expect(thread).to_contain_text("Or so.")
    expect(thread).to_contain_text("2 of 2")
    expect(other.get_by_role("log")).to_contain_text("Or so.")

    # What cannot be sent is said at its turn, and what was typed is still there.
    _tab_to(page, thread.locator("summary").first, "Shift+Tab")
    page.keyboard.press("Enter")
    edited = thread.get_by_label("Your message").first
    _tab_to(page, edited)
    page.keyboard.press("Control+A")
    page.keyboard.press("Delete")
    _tab_to(page, thread.get_by_role("button", name="Send again").first)
    page.keyboard.press("Enter")
    expect(thread.get_by_role("alert").filter(has_text="Write something first.")).to_be_visible()
    assert page.locator(".toast").filter(has_text="Write something").count() == 0
    check_axe(page)
    _tab_to(page, edited, "Shift+Tab")
    page.keyboard.type("Show me another loop.")
    room.upstream.enqueue_stream(*(sse(event) for event in text_chunks("while ", "True")))
    _tab_to(page, thread.get_by_role("button", name="Send again").first)
    page.keyboard.press("Enter")
    expect(thread).to_contain_text("while True")
    expect(other.get_by_role("log")).to_contain_text("Show me another loop.")

    _tab_to(page, page.get_by_role("button", name="More"), "Shift+Tab")
    page.keyboard.press("Enter")
    rename = page.get_by_role("menuitem", name="Rename").or_(page.get_by_role("link", name="Rename"))
    _tab_to(page, rename.first)
    page.keyboard.press("Enter")
    page.keyboard.press("Control+A")
    page.keyboard.type("Loops")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Loops")
    assert Conversation.objects.get().title == "Loops"

    # The other tab says something, and this one follows.
    room.upstream.enqueue_stream(*(sse(event) for event in text_chunks("From ", "there.")))
    field = other.get_by_label("Message", exact=True)
    _tab_to(other, field)
    other.keyboard.type("Hello from the other tab.")
    other.keyboard.press("Enter")
    expect(other.get_by_role("log")).to_contain_text("From there.")
    expect(thread).to_contain_text("Hello from the other tab.")
    expect(thread).to_contain_text("From there.")
