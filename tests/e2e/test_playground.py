"""Two set-ups beside each other in the browser: asked, streamed, shown as text, copied."""

import re

import pytest
from playwright.sync_api import expect

from console.audit.models import AuditEvent
from console.catalog.models import Provider
from console.teams.models import Role, User
from tests import make
from tests.conftest import Cast
from tests.e2e.conftest import OpenPage, check_axe, check_width, shoot, take_to_phone
from tests.upstream import Upstream, sse, text_chunks
from tests.waiting import until

pytestmark = pytest.mark.e2e


@pytest.fixture
def bella(people: Cast, upstream: Upstream) -> User:
    """Bella builds in Team A: one prompt with a live and a newer version, one alias."""
    provider = Provider.objects.create(slug="fake", name="Fake", kind="openai", base_url=upstream.url)
    model = make.make_model("meridian-large-2026-10-28", provider=provider)
    make.make_alias("support-chat", production=model, sandbox=model)
    prompt = make.make_prompt(
        people.team_a,
        "support/answer",
        "Question: {{question}}\nArea: {{area}}\nPlan: {{plan}}",
        variables=[{"name": "plan", "default": "free"}],
    )
    make.save(prompt, "Answer in 90 words. {{question}} {{area}} {{plan}}")
    return make.make_member(people.team_a, make.make_user("bella@example.com"), Role.BUILDER)


def test_it_runs_two_set_ups_beside_each_other(page_as: OpenPage, bella: User, upstream: Upstream) -> None:
    page = page_as(bella)
    page.goto("/prompts/support/answer/")
    page.get_by_role("link", name="Try it").click()
    expect(page.get_by_role("heading", name="Playground")).to_be_visible()
    shoot(page, "playground-empty")
    check_axe(page)
    page.get_by_label("question").fill("My phone stopped syncing. What do I do?")
    page.get_by_label("area").fill("Mobile app")
    for words in (
        ("Sign", " in", " again.\n\n<b>1.</b> Settings"),
        ("Open", " <img src=x onerror=alert(1)> Settings."),
    ):
        upstream.enqueue_stream(*(sse(event) for event in text_chunks(*words)), pause=0.05)
    page.keyboard.press("Control+Enter")
    a, b = page.locator('[data-set-up="a"]'), page.locator('[data-set-up="b"]')
    for column in (a, b):
        expect(column.locator('[data-figure="first"]')).to_contain_text("first token")
        expect(column.locator('[data-figure="cost"]')).to_contain_text("$")
        expect(column.locator("[data-answer]")).to_contain_text(re.compile("Settings"))
    assert page.locator("[data-answer] *").count() == 0, "an answer is text, whatever it holds"
    sent = [seen.body["messages"][0]["content"] for seen in upstream.seen]
    assert sorted(text.partition(" ")[0] for text in sent) == ["Answer", "Question:"]
    assert {line.surface for line in AuditEvent.objects.filter(type="playground", status="ok")} == {"playground"}
    shoot(page, "playground-run")

    page.get_by_role("button", name="Set-up B as code").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text('"id": "support/answer"').first).to_be_visible()
    expect(dialog.get_by_text("My phone stopped syncing").first).to_be_visible()
    check_axe(page)
    dialog.get_by_role("button", name="Close").click()

    # A reader says what they think of an answer, and the log has it.
    b.get_by_role("button", name="Answer of B is good").click()
    expect(b.get_by_role("button", name="Answer of B is good")).to_have_attribute("aria-pressed", "true")
    assert AuditEvent.objects.filter(action="answer.rated").count() == 1
    check_axe(page)

    # Leaving a column's answer ends its call upstream.
    upstream.enqueue_stream(sse(*text_chunks("Wait")[:2]), hang=60, done=False)
    upstream.enqueue_stream(sse(*text_chunks("Wait")[:2]), hang=60, done=False)
    page.get_by_role("button", name="Run both").click()
    expect(a.locator("[data-answer]")).to_have_text("Wait")
    expect(b.locator("[data-answer]")).to_have_text("Wait")
    for _ in "ab":  # asked again meanwhile, the columns are the new answers'
        upstream.enqueue_stream(sse(*text_chunks("Again")[:2]), hang=60, done=False)
    page.keyboard.press("Control+Enter")
    for column in (a, b):
        expect(column.locator("[data-answer]")).to_have_text("Again")
        expect(column.locator("[data-answer]")).to_have_attribute("aria-busy", "true")
    assert page.get_by_text("Stopped.").count() == 0
    page.get_by_role("button", name="Stop").click()
    expect(a.get_by_text("Stopped.")).to_be_visible()
    left = AuditEvent.objects.filter(type="playground", status="client_disconnected")
    until(lambda: left.count() == 4, "all calls have ended on record")

    take_to_phone(page, "/playground/?prompt=support/answer@2")
    check_width(page)
    check_axe(page)
    shoot(page, "playground-page-dark")


def test_it_waits_for_whole_answers_without_scripts(page_as: OpenPage, bella: User, upstream: Upstream) -> None:
    page = page_as(bella, scripts=False)
    page.goto("/playground/?prompt=support/answer")
    page.get_by_label("question").fill("Where?")
    page.get_by_label("area").fill("Web")
    upstream.enqueue_stream(sse(*text_chunks("Here", " it is.")))
    upstream.enqueue_stream(sse(*text_chunks("Here", " it is.")))
    page.get_by_role("button", name="Run both").last.click()
    expect(page.locator('[data-set-up="a"] [data-answer]')).to_have_text("Here it is.")
    expect(page.locator('[data-set-up="b"] [data-figure="tokens"]')).to_have_text("25 tokens")
    expect(page.get_by_label("question")).to_have_value("Where?")
    page.get_by_role("button", name="Add set-up").click()
    expect(page.locator('[data-set-up="c"]')).to_be_visible()
    expect(page.locator('[data-set-up="a"] [data-answer]')).to_have_text("Here it is.")
