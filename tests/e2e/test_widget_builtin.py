"""The widget on a static page of another origin, answered by the model that `make run` brings along."""

import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from console.catalog.models import Pin
from console.catalog.services.builtin import ensure_builtin
from console.chat.models import Message
from console.embedded import model
from console.teams.actors import SYSTEM
from tests import make
from tests.chat.conftest import Room
from tests.chat.conftest import room as room
from tests.chat.embed.conftest import ended
from tests.e2e.conftest import OpenPage
from tests.e2e.shop import OpenSite, frame_of
from tests.e2e.shop import open_site as open_site
from tests.live import ROOT, free_port

pytestmark = pytest.mark.e2e

# Notes each length the newest answer had, in every frame of the page.
_WATCH_GROWTH = """
window.lengths = [];
new MutationObserver(() => {
  const length = [...document.querySelectorAll(".prose")].at(-1)?.textContent.trim().length;
  if (length && length !== window.lengths.at(-1)) window.lengths.push(length);
}).observe(document, {childList: true, subtree: true, characterData: true});
"""


@pytest.fixture(scope="module")
def builtin() -> Iterator[str]:
    """The built-in model as a process of its own; the address of its API."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "console.embedded.model", str(port)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    latest = time.monotonic() + 60
    try:
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1)
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < latest, "The built-in model did not start."
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(60)


def _ask(page: Page, text: str) -> Message:
    """Ask in the widget and return the answer once it is whole, as the visitor reads it."""
    chat = frame_of(page)
    before = Message.objects.filter(role="assistant").count()
    field = chat.get_by_label("Message", exact=True)
    field.fill(text)
    field.press("Enter")
    # A busy machine has the small model think for a while.
    expect(chat.locator(".fb, .trouble")).to_have_count(before + 1, timeout=60_000)
    answer = ended(Message.objects.filter(role="assistant").latest("created_at", "id"))
    assert (answer.status, answer.model.split("@")[0]) == ("done", f"builtin/{model.NAME}")
    assert answer.completion_tokens > 3 and answer.text.strip()
    return answer


def test_it_reads_a_streamed_answer_of_the_built_in_model_and_goes_on_after_a_reload(
    page_as: OpenPage, room: Room, open_site: OpenSite, builtin: str
) -> None:
    version = ensure_builtin(actor=SYSTEM, base_url=builtin)
    Pin.objects.update(model_version=version)
    make.publish_agent(room.agent, limits={"output_tokens": 12}, parameters={"temperature": 0})
    widget = make.make_widget(room.team, room.agent, public_id="shop1", title="Ask the shop")
    shop = open_site("shop1")
    type(widget).objects.update(origins=[shop.url])

    page = page_as(new=True)
    page.context.add_init_script(_WATCH_GROWTH)
    held: list[Route] = []
    page.route("**/embed/frame.js?*", lambda route: held.append(route), times=1)
    page.goto(shop.url)
    page.get_by_role("button", name="Ask the shop: Open chat").click()
    expect(frame_of(page).get_by_label("Message", exact=True)).not_to_be_editable()
    while not held:
        page.wait_for_timeout(10)
    held[0].continue_()
    for _ in range(5):
        page.frames[1].evaluate("window.lengths = []")
        answer = _ask(page, "Tell me a story.")
        lengths = page.frames[1].evaluate("window.lengths")
        if len(lengths) > 1:  # a browser that had no turn meanwhile finds it whole
            break
    assert len(lengths) > 1 and lengths == sorted(lengths), "It came in one piece."

    page.reload()
    log = frame_of(page).get_by_role("log")
    expect(log).to_contain_text("Tell me a story.")
    expect(log).to_contain_text(" ".join(answer.text.split()[:3]))
    second = _ask(page, "And then?")
    assert second.conversation_id == answer.conversation_id and second.prompt_tokens > answer.prompt_tokens
