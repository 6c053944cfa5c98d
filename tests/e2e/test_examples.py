"""The stories of examples/, told to a real server and worker; a browser where a person acts."""

import json
import re
from typing import Any
from urllib.request import urlopen

import pytest
from playwright.sync_api import expect

from agents_app.models import Approval, QueueItem, Run
from console.audit.models import AuditEvent
from console.gateway import sync
from console.teams.models import User
from tests.e2e.conftest import OpenPage, check_axe, check_width, shoot
from tests.e2e.stories import told, working
from tests.valkey import Valkey, valkey_server  # noqa: F401
from tests.waiting import until
from usage_app.models import QuotaCounter

pytestmark = pytest.mark.e2e


def test_operations(page_as: OpenPage, site: str, valkey_server: Valkey) -> None:  # noqa: F811
    with working(valkey_server):
        with told("operations", site, valkey_server, is_known=True) as story:
            story.until("it asks:")
            quiet = QueueItem.objects.get(state="done")
            assert quiet.result["value"]["action"] == "none"
            operator = User.objects.get(is_superuser=True)
            page = page_as(operator)
            until(Approval.objects.filter(state="waiting").exists, "the run asks a person")
            page.goto("/approvals/")
            card = page.locator(".approval").first
            expect(card).to_contain_text("3 OutOfMemory kills, and checkout says it is degraded.")
            shoot(page, "example-operations-approval")
            page.get_by_role("button", name="Approve once").click()
            story.until("restarts of checkout: 1")
            run = Run.objects.get(queue_items__state="done", steps__tool_name="restart_service")
            assert f"/runs/{run.public_id}/" in story.until("ask why")
            loud = QueueItem.objects.get(run=run)
            assert loud.result["value"] == {
                "action": "restarted",
                "service": "checkout",
                "reason": "checkout was restarted after 3 OutOfMemory kills.",
            }
            # The engineer on call asks why, and the answer leads to the steps.
            page.goto(f"/runs/{run.public_id}/")
            page.get_by_role("textbox", name="Ask about this run").fill("Why did you restart it?")
            page.get_by_role("button", name="Ask", exact=True).click()
            answer = page.locator(".bubble-a")
            expect(answer).to_contain_text("two of its eight workers were left")
            number = run.steps.get(tool_name="restart_service").number
            expect(answer.get_by_role("link", name=f"Step {number}")).to_be_visible()
            check_width(page)
            shoot(page, "example-operations-run")
            actions = set(AuditEvent.objects.values_list("type", flat=True))
            assert {"agent", "question"} <= actions
        assert QueueItem.objects.count() == 2
    assert Approval.objects.filter(state="approved").count() == 1
    sync.stop()


def test_marketing(page_as: OpenPage, site: str, valkey_server: Valkey) -> None:  # noqa: F811
    with working(valkey_server), told("marketing", site, valkey_server, is_known=True) as story:
        said = story.until("One bill").partition("Write: ")[2]
        run = Run.objects.get()
        names = [(step.kind, step.tool_name) for step in run.steps.all()]
        assert names.count(("tool", "write_section")) == names.count(("tool", "store_piece")) == 3
        # Three calls of one turn run at once: which of them the content system hears first is not said.
        assert {piece["id"] for piece in run.output["value"]["pieces"]} == {1, 2, 3}
        # The drafts are in the content system, on another site.
        with urlopen(f"http://127.0.0.1:{story.port}/") as answer:
            drafts = re.findall("<h2>(.*?)</h2>", answer.read().decode())
        assert sorted(drafts) == ["Landing page", "Mail", "Social post"]
        # The copywriter asks for a tweak.
        page = page_as(User.objects.get(is_superuser=True))
        page.goto("/chat/?agent=copywriter")
        page.get_by_label("Message", exact=True).fill(said.partition("\n")[0])
        page.get_by_role("button", name="Send").click()
        thread = page.get_by_role("log")
        expect(thread).to_contain_text("Here it is, a sentence shorter:")
        expect(thread.get_by_label("Answer again")).to_be_visible()
        shoot(page, "example-marketing-chat")
        # One trace.
        page.goto(f"/runs/{run.public_id}/")
        expect(page.locator(".trace")).to_contain_text("write_section")
        check_axe(page)
        shoot(page, "example-marketing-run")
        # One audit trail, and one bill that comes to what is in it.
        lines = AuditEvent.objects.filter(alias="marketing").exclude(type="admin")
        assert {line.surface for line in lines} == {"agent", "chat"}
        assert lines.filter(type="agent").count() == 6
        assert QuotaCounter.objects.get(quota__alias="marketing").used == sum(line.cost_micros for line in lines)
    sync.stop()


def test_support(
    page_as: OpenPage,
    site: str,
    valkey_server: Valkey,  # noqa: F811
    settings: Any,
) -> None:
    settings.BASE_URL = site  # which the line for the site names
    with told("support", site, valkey_server) as story:
        assert story.until("Ask it what a return costs").count("A return costs 4.90 within 30 days.") == 2
        visitor = page_as(new=True)
        visitor.goto(f"http://localhost:{story.port}/")
        visitor.get_by_role("button", name="Ask the shop: Open chat").click()
        chat = visitor.frame_locator('iframe[title="Ask the shop"]')
        chat.get_by_role("button", name="What does a return cost?").click()
        expect(chat.get_by_role("log")).to_contain_text("A return costs 4.90 within 30 days.")
        said = story.until("one log:")
        assert said.count("Write to us and we send a label. Returns are free within 60 days.") == 2
        field = chat.get_by_label("Message", exact=True)
        field.fill("And what does a return cost now?")
        field.press("Enter")
        expect(chat.get_by_role("log")).to_contain_text("Returns are free within 60 days.")
        shoot(visitor, "example-support-site")
        lines = AuditEvent.objects.filter(alias="shop-chat").exclude(type="admin").order_by("id")
        assert [line.surface for line in lines] == ["api", "api", "widget", "api", "api", "widget"]
        sources = [json.loads(line.detail)["knowledge"]["sources"][0] for line in lines]
        assert [(one["document"], one["version"]) for one in sources] == [
            ("Price policy", n) for n in (1, 1, 1, 2, 2, 2)
        ]
    sync.stop()
