"""From the playground to a green label, in the browser."""

import pytest
from playwright.sync_api import expect

from console.catalog.models import Provider
from console.evals import engine
from console.evals.case_run import TESTS
from console.evals.models import TestRun
from console.teams.models import Role, User
from tests import make
from tests.conftest import Cast
from tests.e2e.conftest import NARROW, OpenPage, check_axe, check_width, shoot, take_to_phone
from tests.upstream import Upstream, completion, sse, text_chunks

pytestmark = pytest.mark.e2e


@pytest.fixture
def bella(people: Cast, upstream: Upstream) -> User:
    """Bella builds in Team A: one prompt, live as v1, with a newer version."""
    provider = Provider.objects.create(slug="fake", name="Fake", kind="openai", base_url=upstream.url)
    model = make.make_model("meridian-large-2026-10-28", provider=provider)
    make.make_alias("support-chat", production=model, sandbox=model)
    prompt = make.make_prompt(people.team_a, "support/answer", "Answer: {{question}}")
    make.save(prompt, "Answer in 90 words: {{question}}")
    return make.make_member(people.team_a, make.make_user("bella@example.com"), Role.BUILDER)


def test_it_saves_a_test_and_compares_two_versions(page_as: OpenPage, bella: User, upstream: Upstream) -> None:
    page = page_as(bella)
    page.goto("/playground/?prompt=support/answer")
    page.get_by_label("question").fill("My phone stopped syncing.")
    for _ in range(2):
        upstream.enqueue_stream(sse(*text_chunks("Open", " Settings.")))
    page.keyboard.press("Control+Enter")
    expect(page.locator('[data-set-up="a"] [data-answer]')).to_have_text("Open Settings.")
    page.get_by_role("button", name="Save the answer of B as a test case").click()
    expect(page.get_by_text("The answer below is B’s from the playground: v2")).to_be_visible()
    page.get_by_role("button", name="Take A’s, v1").click()
    expect(page.get_by_text("The answer below is A’s")).to_be_visible()
    expect(page.get_by_label("Expected answer")).to_have_value("Open Settings.")
    expect(page.get_by_label("question")).to_have_value("My phone stopped syncing.")
    page.get_by_label("Name", exact=True).fill("Phone that stopped syncing")
    page.get_by_label("Kind of check 1").select_option("contains")
    page.get_by_label("rubric of check 1").fill("Settings")
    check_axe(page)
    shoot(page, "test-case")
    page.get_by_role("button", name="Create test").last.click()

    for version, words in (("1", "Open Settings."), ("2", "No idea.")):
        page.get_by_label("Version", exact=True).last.select_option(version)
        page.get_by_role("button", name="Run 1 test").click()
        expect(page.locator("#progress")).to_contain_text("0 of 1")
        upstream.enqueue(completion(words))
        engine.advance(TESTS, TestRun.objects.get(version__number=version).pk)
        expect(page.locator("#progress")).to_have_count(0)  # the page asks by itself
    page.goto("/prompts/support/answer/-/tests/?a=1&b=2")
    expect(page.get_by_text("Worse")).to_be_visible()
    expect(page.get_by_text("Gate closed")).to_be_visible()
    check_axe(page)
    shoot(page, "tests-matrix")
    page.get_by_role("link", name="v2", exact=True).last.click()
    expect(page.get_by_text("No idea.")).to_be_visible()
    check_axe(page)
    shoot(page, "tests-run")

    # The same checks on answers in the playground.
    page.goto("/playground/?prompt=support/answer")
    page.get_by_role("combobox", name="Test case").select_option("Phone that stopped syncing")
    page.get_by_role("button", name="Use its input").click()
    expect(page.get_by_label("question")).to_have_value("My phone stopped syncing.")
    for words in ("Open Settings.", "No idea."):
        upstream.enqueue_stream(sse(*text_chunks(words)))
    page.keyboard.press("Control+Enter")
    table = page.get_by_role("region", name="Checks by answer")
    expect(table.get_by_text("Pass", exact=True)).to_have_count(1)
    expect(table.get_by_text("Fail", exact=True)).to_have_count(1)
    check_axe(page)
    shoot(page, "playground-checks")
    page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
    check_width(page)
    check_axe(page)
    shoot(page, "playground-checks-narrow")

    take_to_phone(page, "/prompts/support/answer/-/tests/?a=1&b=2")
    check_width(page)
    check_axe(page)
    shoot(page, "tests-page-dark")
