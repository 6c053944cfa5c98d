"""From nothing to a promoted model and back: connect a provider, import, alias, canary, promote, roll back."""

import re

import pytest
from playwright.sync_api import Page, expect

from console.catalog.models import ModelVersion, Pin, Provider
from console.catalog.services import aliases
from console.catalog.services.health import note_failure
from console.core.clock import now
from console.teams.actors import SYSTEM
from tests import make
from tests.conftest import Cast
from tests.e2e.conftest import OpenPage, Watch, check_axe, check_width, look_at, shoot, take_to_phone
from tests.upstream import Upstream

pytestmark = pytest.mark.e2e
MODELS = ("gpt-4o-2024-08-06", "gpt-4.1-2025-04-14", "text-embedding-3-small", "whisper-1")


def answer(page: Page, action: str, **fields: str) -> None:
    """Fill in the dialog that is open and press its button."""
    dialog = page.get_by_role("dialog")
    for label, value in fields.items():
        field = dialog.get_by_label(re.compile(rf"^{re.escape(label)}\b"))
        if field.first.evaluate("one => one.tagName") == "SELECT":
            field.first.select_option(label=value)
        else:
            field.first.fill(value)
    dialog.get_by_role("button", name=action).click()


def wait_for_dialog(page: Page, action: str) -> None:
    """Wait until the dialog is there whose button this is: it is fetched."""
    expect(page.get_by_role("dialog").get_by_role("button", name=action)).to_be_visible()


def meant() -> str:
    return Pin.objects.get(environment="production").model_version.name


def test_it_connects_imports_promotes_and_rolls_back(
    page_as: OpenPage, people: Cast, upstream: Upstream, watch: Watch
) -> None:
    watch.expects("status of 422")  # a price that is none, and the form that saw an older pin
    page = page_as(people.operator)
    page.goto("/models/new-provider/?preset=vllm")
    page.get_by_label("Name", exact=True).fill("House machines")
    page.get_by_label("Address").fill(upstream.url)
    page.get_by_label("Secret").fill("sk-house-1")
    page.get_by_label("Concurrent calls").fill("8")
    check_axe(page)
    page.get_by_role("button", name="Connect provider").click()

    # The test really calls; what it names is ticked and imported.
    named = [*MODELS, *(f"other-{n}" for n in range(20))]
    upstream.enqueue({"object": "list", "data": [{"id": name, "object": "model"} for name in named]})
    page.get_by_role("button", name="Test connection").click()
    expect(page.get_by_text("It answered and names 24 models.")).to_be_visible()
    assert upstream.seen[-1].headers["authorization"] == "Bearer sk-house-1"
    for name in MODELS[:2]:
        page.get_by_role("checkbox", name=name).check()
    check_axe(page)
    shoot(page, "provider-offered")
    # What is ticked and typed outlives looking for a name, and a price that is none.
    search = page.get_by_role("searchbox", name="Show only models")
    search.fill("OTHER-1")
    expect(page.get_by_role("checkbox", name="other-1")).to_have_count(11)
    expect(page.get_by_role("checkbox", name=MODELS[0])).to_be_hidden()
    search.fill("")
    price = page.get_by_label(f"Input price of {MODELS[0]}, per million tokens")
    price.fill("two")
    page.get_by_role("button", name="Import ticked models").click()
    expect(page.get_by_role("alert").filter(has_text=f"The input price of {MODELS[0]}")).to_be_in_viewport()
    expect(page.get_by_role("checkbox", name=MODELS[0])).to_be_checked()
    price.fill("")
    page.get_by_role("button", name="Import ticked models").click()
    expect(page.get_by_text("Added 2 models.")).to_be_visible()
    assert Provider.objects.get(slug="vllm").max_concurrency == 8
    assert set(ModelVersion.objects.get(name=MODELS[0]).capabilities) >= {"chat", "tools", "vision"}

    page.goto("/models/new-alias/")
    page.get_by_label("Name").fill("support-chat")
    page.get_by_label("Production").select_option(label=f"vllm/{MODELS[0]}")
    page.get_by_label("Sandbox").select_option(label=f"vllm/{MODELS[1]}")
    page.get_by_role("button", name="Create alias").click()

    # Sandbox, canary, production; then the way back in one click and a reason.
    page.get_by_role("link", name="Start canary with the sandbox pin").click()
    answer(page, "Set canary", Share="10", Reason="Passes the same tests")
    expect(page.get_by_role("img", name="10 % canary")).to_be_visible()
    check_axe(page)
    page.get_by_role("link", name="Promote", exact=True).click()
    wait_for_dialog(page, "Promote canary")
    check_axe(page)
    answer(page, "Promote canary", Reason="No errors in a day")
    expect(page.get_by_text("canary promoted,")).to_be_visible()
    assert meant() == MODELS[1]
    production = page.locator(".stop[data-env=production]")
    production.get_by_role("link", name="Roll back").click()
    answer(page, "Roll back", Reason="Answers got longer")
    expect(page.get_by_text("rolled back,")).to_be_visible()
    assert meant() == MODELS[0]

    # What surrounds the pin, and a form that saw an older one.
    around = page.locator("section", has_text="Settings of the production pin")
    around.get_by_role("link", name="Change").first.click()
    answer(page, "Save chain", **{"1. Then try": f"vllm/{MODELS[1]}", "Reason": "One provider is one too few"})
    expect(around.get_by_text("after error, timeout, busy, unreachable")).to_be_visible()
    around.get_by_role("link", name="Change").nth(1).click()
    wait_for_dialog(page, "Save parameters")
    check_axe(page)
    check_width(page)
    Pin.objects.filter(environment="production").update(revision=99)
    answer(page, "Save parameters", max_tokens="500", Reason="Shorter")
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("Look again before you decide")
    answer(page, "Save parameters", max_tokens="500", Reason="Shorter")
    expect(around.get_by_text("max_tokens=500")).to_be_visible()
    for path in ("", "parameters/production/", "fallbacks/production/"):
        take_to_phone(page, f"/models/aliases/support-chat/{path}")
        check_width(page)
    # What would be said of a model is asked where one is chosen.
    expect(page.get_by_label("Tries (1)")).to_be_visible()
    expect(page.get_by_label("Tries (2)")).to_be_hidden()
    page.get_by_label("2. Then try").select_option(index=1)
    expect(page.get_by_label("Tries (2)")).to_be_visible()


def test_two_people_decide_on_any_screen(page_as: OpenPage, people: Cast) -> None:
    old, new = make.make_model("meridian-large-2026-07-30"), make.make_model("meridian-large-2026-10-28")
    alias = make.make_alias("article-writer", production=old, sandbox=new)
    Pin.objects.filter(environment="production").update(canary_version=new, canary_percent=10, canary_since=now())
    aliases.require_second_person(actor=SYSTEM, alias=alias)
    note_failure(provider_id=old.provider_id, code="upstream_timeout", sentence="The provider did not answer in time.")
    otto = make.make_user("otto@example.com", is_superuser=True)
    page = page_as(people.operator)
    page.goto("/models/aliases/article-writer/")
    page.get_by_role("link", name="Promote", exact=True).click()
    answer(page, "Propose", Reason="Better tables")
    expect(page.get_by_text("Waiting for somebody else.")).to_be_visible()
    shown = ("/models/", "/models/aliases/article-writer/", "/models/providers/fake/", f"/models/versions/{old.pk}/")
    look = page_as(otto)
    for path in shown:
        name = re.sub(r"\W+", "-", path.replace(str(old.pk), "one")).strip("-")
        look_at(look, path, name, axe=())
    plain = page_as(otto, scripts=False)
    plain.goto("/models/aliases/article-writer/")
    plain.get_by_role("link", name="Approve").click()
    plain.get_by_role("button", name="Approve").click()
    expect(plain.get_by_text("Approved. article-writer is changed.")).to_be_visible()
    expect(plain.get_by_text("with Otto")).to_be_visible()
    assert meant() == "meridian-large-2026-10-28"
