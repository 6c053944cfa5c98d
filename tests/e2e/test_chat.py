"""Ask, read along, stop, ask again, reload: the chat page in a real browser."""

from playwright.sync_api import expect

from console.chat.models import Conversation
from tests.chat.conftest import Room
from tests.chat.conftest import room as room
from tests.e2e.conftest import NARROW, OpenPage, check_axe, check_width, shoot
from tests.upstream import sse, text_chunks

_ANSWER = """Before seven, the board used to look like a **dare**.

| Plan | Before | Now |
|---|---|---|
| Minutes | 52 | 6 |

```python
for job in jobs:
    print("changed", job)  # by hand
```

See [the case study](https://evil.example/x) and <img src=x onerror=alert(1)>."""


def test_it_asks_reads_stops_asks_again_and_reloads(page_as: OpenPage, room: Room) -> None:
    pieces = [_ANSWER[at : at + 9] for at in range(0, len(_ANSWER), 9)]
    room.upstream.enqueue_stream(*(sse(event) for event in text_chunks(*pieces)), pause=0.01)
    page = page_as(room.ada)
    page.goto("/chat/")
    check_axe(page)
    shoot(page, "chat-new")
    page.get_by_label("Message", exact=True).fill("What did the case study say?")
    page.keyboard.press("Enter")
    thread = page.get_by_role("log")
    expect(thread.locator("table")).to_contain_text("Minutes")
    expect(thread.get_by_label("Answer again")).to_be_visible()
    assert thread.locator(".prose img").count() == 0 and thread.locator(".caret").count() == 0
    expect(thread).to_contain_text("fake/fake-model")
    check_axe(page)
    shoot(page, "chat-answer")

    room.upstream.enqueue_stream(*(sse(event) for event in text_chunks("One", " two")[:3]), done=False, hang=30)
    field = page.get_by_label("Message", exact=True)
    field.fill("Count.\n")
    field.press("Enter")
    expect(thread).to_contain_text("One two")
    expect(field).to_have_value("")
    field.fill("And then?")
    other = page.context.new_page()
    other.goto(page.url)  # a second tab sees the same, and follows it
    expect(other.get_by_role("log")).to_contain_text("One two")
    shoot(page, "chat-writing")
    page.get_by_role("button", name="Stop").click()
    expect(thread).to_contain_text("You stopped it here.")
    expect(field).to_have_value("And then?")
    expect(other.get_by_role("log")).to_contain_text("You stopped it here.")

    room.upstream.enqueue_stream(sse(*text_chunks("One two three.")))
    thread.get_by_label("Answer again").last.click()
    expect(thread).to_contain_text("One two three.")
    expect(thread).to_contain_text("2 of 2")
    expect(field).to_have_value("And then?")
    page.reload()
    expect(thread).to_contain_text("One two three.")
    thread.get_by_label("Bad answer").last.click()
    thread.get_by_label("Your comment").fill("It cannot count.")
    thread.get_by_role("button", name="Save").click()
    expect(thread.get_by_label("Bad answer").last).to_have_attribute("aria-pressed", "true")
    check_axe(page)
    shoot(page, "chat-rated")
    thread.get_by_label("The version before").last.click()
    expect(thread).to_contain_text("You stopped it here.")
    assert Conversation.objects.count() == 1

    small = page_as(room.ada, size=NARROW, theme="dark")
    small.goto(page.url)
    check_width(small)
    check_axe(small)
    shoot(small, "chat-390-dark")
    small.get_by_role("button", name="Conversations").click()
    expect(small.get_by_role("link", name="What did the case study say?")).to_be_visible()
    shoot(small, "chat-390-list")
