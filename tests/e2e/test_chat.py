"""Ask, read along, stop, ask again, reload: the chat page in a real browser."""

from playwright.sync_api import FilePayload, Route, expect

from console.chat.models import Conversation
from tests.chat.conftest import Room
from tests.chat.conftest import room as room
from tests.e2e.conftest import OpenPage, Watch, check_axe, check_width, ends_word, shoot, take_to_phone
from tests.upstream import sse, text_chunks

_ANSWER = """Before seven, the board used to look like a **dare**.

| Plan | Before | Now | Who measured it, and with which van |
|---|--:|--:|---|
| Minutes | 52 | 6 | Ines, on two days, with the old one |

```python
for job in jobs:
    print("changed", job)  # by hand
```

See [the case study](https://evil.example/x) and <img src=x onerror=alert(1)>."""

_REPLACE_LAST_TURN_BEFORE_THE_ANSWER = """
document.addEventListener("htmx:beforeOnLoad", () => {
  const last = [...document.querySelectorAll("#thread article")].at(-1);
  last.replaceWith(last.cloneNode(true));
}, {once: true})
"""


def _file(name: str, text: str) -> FilePayload:
    return {"name": name, "mimeType": "text/plain", "buffer": text.encode()}


def test_it_works_without_scripts(page_as: OpenPage, room: Room) -> None:
    room.upstream.enqueue_stream(sse(*text_chunks("On its **way**.")))
    page = page_as(room.ada, scripts=False)
    page.goto("/chat/")
    page.get_by_label("Message", exact=True).fill("Where is my order?")
    page.get_by_label("Attach files").set_input_files(_file("order.txt", "Number 7"))
    shoot(page, "chat-plain-new")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("log")).to_contain_text("Where is my order?")  # nobody reloads a page on its way out
    room.ended(Conversation.objects.get())
    page.reload()
    expect(page.get_by_role("log")).to_contain_text("On its way.")
    expect(page.get_by_role("log")).to_contain_text("order.txt")
    check_width(page)
    page.get_by_role("button", name="More").click()
    page.get_by_role("link", name="Rename").click()
    page.get_by_role("textbox", name="Title", exact=True).fill("The order")
    shoot(page, "chat-plain-rename")
    page.get_by_role("button", name="Rename").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("The order")
    page.get_by_role("button", name="More").click()
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("New conversation")
    assert not Conversation.objects.filter(deleted_at=None).exists()


def test_it_asks_reads_stops_asks_again_and_reloads(page_as: OpenPage, room: Room, watch: Watch) -> None:
    watch.expects("status of 422")
    pieces = [_ANSWER[at : at + 9] for at in range(0, len(_ANSWER), 9)]
    room.upstream.enqueue_stream(*(sse(event) for event in text_chunks(*pieces)), pause=0.01)
    page = page_as(room.ada)
    page.goto("/chat/")
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
    ends_word(field)
    sent: list[Route] = []
    page.route("**/send/", lambda route: sent.append(route), times=1)
    field.press("Enter")
    while not sent:
        page.wait_for_timeout(10)
    field.press_sequentially("And then?")  # while it is on its way, and stands there still
    field.press("Enter")  # what is on its way is answered first
    sent[0].continue_()
    expect(thread).to_contain_text("One two")
    expect(field).to_have_value("And then?")
    other = page.context.new_page()
    other.goto(page.url)  # a second tab sees the same, and follows it
    expect(other.get_by_role("log")).to_contain_text("One two")
    shoot(page, "chat-writing")
    page.get_by_role("button", name="Stop").click()
    expect(thread).to_contain_text("You stopped the answer here.")
    expect(field).to_have_value("And then?")
    expect(field).to_be_focused()  # what was pressed is gone
    expect(page.locator("#cannot-send")).to_be_empty()
    expect(other.get_by_role("log")).to_contain_text("You stopped the answer here.")

    # What is clicked may be gone when the answer to the click comes: another tab's news, say, replaced it meanwhile.
    page.evaluate(_REPLACE_LAST_TURN_BEFORE_THE_ANSWER)
    room.upstream.enqueue_stream(sse(*text_chunks("One two three.")))
    thread.get_by_label("Answer again").last.click()
    expect(thread).to_contain_text("One two three.")
    expect(thread).to_contain_text("2 of 2")
    expect(field).to_have_value("And then?")
    page.reload()
    expect(thread).to_contain_text("One two three.")
    thread.get_by_label("Bad answer").last.click()
    expect(thread.get_by_label("Bad answer").last).to_be_focused()
    thread.get_by_label("Your comment").fill("It cannot count.")
    thread.get_by_role("button", name="Save").click()
    expect(thread.get_by_label("Bad answer").last).to_have_attribute("aria-pressed", "true")
    check_axe(page)
    shoot(page, "chat-rated")
    thread.get_by_label("The version before").last.click()
    expect(thread).to_contain_text("You stopped the answer here.")
    assert Conversation.objects.count() == 1

    page.get_by_label("Attach files").set_input_files([_file("a.txt", "Alpha"), _file("b.png", "x")])
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("alert").filter(has_text="b.png cannot be attached")).to_be_visible()
    shoot(page, "chat-refused")
    expect(field).to_have_value("And then?")
    page.get_by_role("button", name="Take out b.png").click()
    expect(page.get_by_role("button", name="Take out")).to_have_count(1)
    page.get_by_label("Attach files").set_input_files(_file("c.md", "Gamma"))
    expect(page.get_by_role("button", name="Take out")).to_have_count(2)
    check_axe(page)
    shoot(page, "chat-files")
    room.upstream.enqueue_stream(sse(*text_chunks("Then Gamma.")))
    page.get_by_role("button", name="Send").click()
    expect(thread).to_contain_text("Then Gamma.")
    expect(thread.get_by_role("list", name="Attached files")).to_contain_text("c.md")
    expect(page.get_by_role("button", name="Take out")).to_have_count(0)
    assert "File a.txt:" in room.upstream.seen[-1].body["messages"][-1]["content"]
    shoot(page, "chat-files-sent")

    take_to_phone(page)
    check_width(page)
    assert page.get_by_role("log").evaluate("(log) => log.scrollWidth <= log.clientWidth"), (
        "tables scroll, words do not"
    )
    thread.evaluate("(log) => log.scrollTo(0, 0)")
    page.get_by_role("button", name="Newest message").click()
    expect(page.get_by_role("button", name="Newest message")).to_be_hidden()
    expect(thread).to_be_focused()
    check_axe(page)
    shoot(page, "chat-390-dark")
    page.get_by_role("button", name="Conversations").click()
    expect(page.get_by_role("link", name="What did the case study say?")).to_be_visible()
    shoot(page, "chat-390-list")
