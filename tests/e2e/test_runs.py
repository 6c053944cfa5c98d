"""An agent with tools, in the browser: granted, published, run, approved, and asked why."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from agents_app.engine.runner import advance
from agents_app.models import Run
from agents_app.services.triggers import create_trigger
from agents_app.tools.registry import KINDS
from console.catalog.models import Provider
from console.gateway import sync
from console.teams.models import Role, User
from tests import make
from tests.conftest import Cast
from tests.e2e.conftest import OpenPage, check_axe, check_width, shoot, take_to_phone
from tests.runs.counting import PARAMETERS, Counting, counted
from tests.runs.scripts import wants, words
from tests.upstream import Upstream, completion

pytestmark = pytest.mark.e2e


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(KINDS, "counting", Counting())
    return tmp_path / "counted"


@pytest.fixture
def bella(committed_db: None, upstream: Upstream, file: Path) -> User:
    """Bella builds in Team A, which has a tool that restarts things and an agent without tools."""
    team = Cast().team_a
    provider = Provider.objects.create(slug="fake", name="Fake", kind="openai", base_url=upstream.url)
    make.make_alias(
        "support-chat", production=make.make_model("fake-model", provider=provider, capabilities=["chat", "tools"])
    )
    make.make_tool(team, "restart", kind="counting", config={"file": str(file)}, parameters=PARAMETERS, effect="write")
    make.make_agent(team, "watcher", name="Log watcher")
    return make.make_member(team, make.make_user("bella@example.com"), Role.BUILDER)


def go(run: Run) -> None:
    """Do what a worker does."""
    while advance(run.pk):
        pass


def test_it_restarts_once_after_a_person_said_yes_and_says_why(
    page_as: OpenPage, bella: User, upstream: Upstream, file: Path
) -> None:
    page = page_as(bella)
    page.goto("/agents/watcher/edit/")
    page.get_by_role("button", name="Grant tool").click()
    page.get_by_role("link", name="Grant restart").click()
    page.get_by_label("Limit of what").select_option("prefix")
    page.get_by_label("Value for what").fill("checkout")
    check_axe(page)
    shoot(page, "grant")
    page.get_by_role("button", name="Grant tool").click()
    expect(page.locator(".grant")).to_contain_text("what begins checkout")
    page.get_by_role("button", name="Save and publish").click()
    page.get_by_role("button", name="Publish").click()
    expect(page.locator("h1")).to_have_text("Log watcher")
    check_axe(page)
    page.get_by_role("link", name="Run", exact=True).click()
    page.get_by_label("Message").fill("The checkout queue is growing.")
    check_axe(page)
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator("h1")).to_have_text("The checkout queue is growing.")

    upstream.enqueue(wants(("restart", {"what": "checkout-worker"}), text="Six of eight workers are gone."))
    run = Run.objects.get()
    go(run)
    anna = page_as(make.make_member(run.team, make.make_user("anna@example.com"), Role.APPROVER))
    anna.goto("/approvals/")
    card = anna.locator(".approval").first
    expect(card).to_contain_text("checkout-worker")
    expect(card).to_contain_text("Six of eight workers are gone.")
    expect(card.locator("[data-countdown]")).to_have_text(re.compile(r"ends in 5\d:\d\d"))
    anna.keyboard.press("r")
    expect(card.get_by_role("button", name="Reject")).to_be_focused()
    anna.keyboard.press("a")
    expect(card.get_by_role("button", name="Approve once")).to_be_focused()
    anna.keyboard.press("j")
    expect(card.get_by_role("link", name="The checkout queue is growing.")).to_be_focused()
    check_axe(anna)
    check_width(anna)
    shoot(anna, "approvals")
    anna.goto("/approvals/several/")
    anna.get_by_role("link", name="Tick all calls").click()
    expect(anna.get_by_role("checkbox", name="restart")).to_be_checked()
    check_axe(anna)
    check_width(anna)
    shoot(anna, "approvals-several")
    anna.goto("/approvals/")
    expect(page.locator(".trace")).to_contain_text("restart")  # bella's page keeps up by itself
    check_axe(page)
    upstream.enqueue(words("Restarted checkout-worker."))
    anna.get_by_label("Message to the agent").first.fill("Go ahead.")
    anna.get_by_role("button", name="Approve once").click()
    expect(anna.get_by_text("Approved. The run continues.")).to_be_visible()
    go(run)
    assert counted(file) == {"checkout-worker": 1}

    expect(page.locator("#state")).to_contain_text("Succeeded")
    page.reload()
    page.get_by_role("link", name="restart").first.click()
    expect(page.locator("#step")).to_contain_text("checkout-worker")
    upstream.enqueue(completion("Six of eight workers were gone [1], so I restarted them [2]."))
    page.get_by_role("textbox", name="Ask about this run").fill("Why restart?")
    page.keyboard.press("Control+Enter")
    answer = page.locator(".bubble-a").first
    expect(answer).to_contain_text("Six of eight workers were gone")
    expect(answer.get_by_role("link", name="Step 2")).to_have_attribute("href", f"/runs/{run.public_id}/?step=2#step")
    assert "tools" not in upstream.seen[-1].body
    upstream.enqueue(completion("Nothing else helped [2]."))
    page.get_by_role("textbox", name="Ask about this run").fill("Was there another way?")
    page.get_by_role("button", name="Ask", exact=True).press("Enter")
    expect(page.locator(".bubble-a")).to_have_count(2)
    expect(page.get_by_role("button", name="Ask", exact=True)).to_be_focused()
    check_axe(page)
    shoot(page, "run")
    # What is long wraps in the table of triggers, so that its last button is in sight.
    bella.name = "Bella Francesca Maria Antonia von und zu Langenhausen-Hohenstein am See"
    bella.save()
    hook = {"config": {"source": "plain", "auth": "token"}, "environment": "production", "owner": bella}
    create_trigger(actor=make.actor_for(bella), agent=run.agent, kind="webhook", name="Alertmanager", **hook)
    page.goto("/agents/watcher/triggers/")
    remove = page.get_by_role("link", name="Remove")
    right = "(it) => it.getBoundingClientRect().right"
    assert remove.evaluate(right) <= page.locator(".panel", has=remove).evaluate(right)
    for path in (f"/runs/{run.public_id}/?step=2", "/agents/watcher/triggers/", "/agents/watcher/limits/"):
        take_to_phone(page, path)
        check_width(page)
        check_axe(page)
    sync.stop()
