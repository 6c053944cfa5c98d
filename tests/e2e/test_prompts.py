"""Two people and one prompt: written, reviewed, published and rolled back in the browser."""

import json
import re

import pytest
from playwright.sync_api import expect

from console.core.ids import request_id
from console.teams.actors import Actor
from console.teams.models import Role, User
from prompts_app.models import Draft, Label, Prompt
from prompts_app.services.labels import set_rule
from tests import make
from tests.audit.calls import a_call
from tests.conftest import Cast
from tests.e2e.conftest import NARROW, OpenPage, check_axe, check_width, look_at, shoot
from tests.waiting import until

pytestmark = pytest.mark.e2e


@pytest.fixture
def bella(people: Cast) -> User:
    """Bella builds in Team A, which protects `production`; one prompt is live, and includes the house's tone."""
    make.make_prompt(people.team_a, "shared/tone", "Be kind.", kind="partial")
    text = "You answer customers.\nKeep it under 120 words.\n\n{{> shared/tone}}\n\nQuestion: {{question}}"
    make.make_prompt(people.team_a, "support/answer", text, description="Answers in the help app")
    alice = Actor("user", people.alice.pk, "Alice")
    set_rule(actor=alice, team=people.team_a, label="production", needs_review=True)
    return make.make_member(people.team_a, make.make_user("bella@example.com"), Role.BUILDER)


def live() -> int:
    return Label.objects.get(name="production", prompt__slug="support/answer").version.number


def test_it_edits_reviews_publishes_and_rolls_back(page_as: OpenPage, people: Cast, bella: User) -> None:
    page = page_as(bella)
    page.goto("/prompts/")
    usual = page.viewport_size
    page.set_viewport_size({"width": 1024, "height": 768})  # folders stand above the list, which has the whole width
    assert page.locator("#rows").evaluate("(rows) => rows.scrollWidth <= rows.clientWidth")
    expect(page.get_by_role("navigation", name="Folders below")).to_be_visible()
    assert usual is not None
    page.set_viewport_size(usual)
    page.get_by_role("searchbox").fill("custom")
    expect(page.get_by_role("status").filter(has_text="1 prompt")).to_be_visible()
    page.get_by_role("link", name="support/answer").click()
    check_axe(page)
    shoot(page, "prompt-text")

    # Writing: the variable is found, the preview follows, the draft survives a reload.
    page.get_by_role("link", name="Edit as v2").click()
    text = page.get_by_role("textbox", name="Text", exact=True)
    text.fill(text.input_value().replace("120", "90") + "\nPlan: {{plan}}")
    page.get_by_label("Default of plan").fill("free")
    expect(page.locator("#live .rendered")).to_contain_text("Plan: free")
    expect(page.locator("#live .rendered")).to_contain_text("Be kind.")
    expect(page.locator("#draft-state")).to_contain_text("Draft kept")
    until(lambda: '"free"' in json.dumps(Draft.objects.get().variables), "the draft has the newest words, too")
    check_axe(page)
    page.reload()
    expect(page.get_by_text("This is your draft")).to_be_visible()
    expect(page.get_by_label("Default of plan")).to_have_value("free")
    page.get_by_label("Partial to insert").fill("shared/tone")
    text.press("Control+Home")
    page.get_by_role("button", name="Insert partial").click()
    expect(page.get_by_role("textbox", name="Text", exact=True)).to_have_value(
        re.compile(r"^\{\{> shared/tone\}\}You answer")
    )
    page.get_by_label("What changed, and why").fill("Shorter, and by plan")
    page.get_by_role("button", name="Save as v2").last.click()
    expect(page).to_have_url(re.compile("/-/versions/2/$"))

    # Comparing, in both layouts and on a phone.
    page.get_by_role("link", name="Compare", exact=True).click()
    expect(page.get_by_role("heading", name="v1 to v2")).to_be_visible()
    check_axe(page)
    check_width(page)
    page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
    check_width(page)
    check_axe(page)
    page.set_viewport_size({"width": 1440, "height": 900})

    # Asking, because production is protected.
    page.get_by_role("link", name="Publish v2 to production").click()
    dialog = page.get_by_role("dialog", name="Request publication of v2 to production")
    dialog.get_by_label("Reason").fill("Shorter answers")
    check_axe(page)
    dialog.get_by_role("button", name="Request review").click()
    expect(
        page.get_by_text("You requested it, so somebody else decides. It waits in the reviews of owners and approvers")
    ).to_be_visible()
    assert live() == 1

    other = page_as(people.alice)
    other.goto("/")
    other.get_by_role("link", name="Bella asks to publish v2").click()
    other.get_by_role("link", name="Comment on line 2").click()
    other.get_by_label("Your comment on line 2").fill("Is 90 enough?")
    other.get_by_role("button", name="Add comment").first.click()
    expect(other.locator("#change")).to_contain_text("Is 90 enough?")
    check_axe(other)
    other.get_by_label("Note").fill("Good.")
    other.get_by_role("button", name="Approve v2").click()
    expect(other.get_by_text("Alice approved")).to_be_visible()
    assert live() == 1, "an approval is not yet a publication"

    page.reload()
    page.get_by_role("link", name="Publish v2 to production").click()
    dialog = page.get_by_role("dialog", name="Publish v2 to production")
    dialog.get_by_label("Reason").fill("Reviewed by Alice")
    dialog.get_by_role("button", name="Publish v2 to production").click()
    expect(page.get_by_text("Published v2 of support/answer to production.")).to_be_visible()
    assert live() == 2

    page.get_by_role("button", name="Roll back to v1").click()
    expect(page.get_by_text("Rolled production back to v1")).to_be_visible()
    assert live() == 1
    page.get_by_text("History of labels").click()
    check_axe(page)


def test_a_version_has_figures_and_a_call_is_rated(page_as: OpenPage, people: Cast, bella: User) -> None:
    page = page_as(bella)
    at = "/prompts/support/answer/-/figures/"
    page.goto(at)
    expect(page.get_by_text("No calls in this period")).to_be_visible()
    check_axe(page)
    took_part = '[{"slug":"support/answer","number":1}]'
    call = request_id(a_call(people.team_a, prompt=took_part))
    page.goto(f"/audit/{call}/")
    page.get_by_label("Comment").fill("It names no plan.")
    page.get_by_role("button", name="Bad answer").click()
    expect(page.get_by_role("button", name="Bad answer")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#ratings").get_by_text("Bella (user)")).to_be_visible()
    check_axe(page)
    look_at(page, at)
    page.get_by_role("link", name="1", exact=True).click()
    expect(page.get_by_text("Showing 1")).to_be_visible()


def test_every_page_is_whole_at_both_widths(page_as: OpenPage, people: Cast, bella: User) -> None:
    prompt = Prompt.objects.get(slug="support/answer")
    make.save(prompt, "Another text {{question}}\n{{> shared/tone}}")
    page = page_as(people.alice)
    at = "/prompts/support/answer/-"
    paths = ["/prompts/new/?kind=chat", "/prompts/?q=nothing-like-it", "/prompts/reviews/", "/prompts/rules/",
             f"{at}/edit/", f"{at}/where-used/", f"{at}/settings/", f"{at}/delete/", f"{at}/publish/?label=staging",
             f"{at}/labels/production/remove/", "/prompts/shared/tone/-/settings/",
             "/prompts/shared/tone/-/where-used/"]  # fmt: skip
    for path in paths:
        look_at(page, path)


def test_it_works_without_scripts(page_as: OpenPage, people: Cast, bella: User) -> None:
    page = page_as(bella, scripts=False)
    page.goto("/prompts/new/?kind=chat")
    page.get_by_label("Name").fill("plain/prompt")
    page.get_by_label("Text of message 1").fill("Answer {{name}}.")
    page.get_by_role("button", name="Add message").click()
    page.get_by_label("Text of message 2").fill("Hello")
    page.get_by_role("button", name="Remove message 3").click()
    page.get_by_label("Example of name").fill("Ada")
    page.get_by_role("button", name="Update the preview").click()
    expect(page.get_by_text("Answer Ada.")).to_be_visible()
    page.get_by_role("button", name="Create prompt").first.click()
    expect(page.get_by_role("heading", name="plain/prompt")).to_be_visible()
    page.get_by_role("link", name="Publish v1", exact=False).last.click()
    page.get_by_role("link", name="Staging").click()
    page.get_by_label("Reason").fill("To try")
    page.get_by_role("button", name="Publish v1 to staging").click()
    expect(page.get_by_text("Published v1 of plain/prompt to staging.")).to_be_visible()
