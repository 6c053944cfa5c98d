"""An auditor without a shell verifies the chain, leaves and comes back, and holds a head that was kept against it."""

import pytest
from playwright.sync_api import expect

from console.audit.models import ChainCheck
from console.audit.services import checks, verify
from console.audit.services.seal import seal
from tests import make
from tests.audit.calls import a_call, until_finished
from tests.audit.test_seal import tamper
from tests.conftest import Cast
from tests.e2e.conftest import OpenPage, check_axe, check_width, shoot, take_to_phone

pytestmark = pytest.mark.e2e


def test_an_auditor_verifies_the_chain_and_keeps_its_head(
    page_as: OpenPage, committed_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "_SPAN_BLOCKS", 1)
    people = Cast()
    for _ in range(3):
        a_call(people.team_a)
        until_finished()
        seal()
    page = page_as(make.make_member(people.team_a, make.make_user("ada@example.com"), "auditor"))
    page.goto("/audit/")
    page.get_by_role("button", name="Filter", exact=True).click()
    page.keyboard.press("ArrowDown")  # scrolls: fields are no menu
    page.keyboard.press("Escape")
    page.get_by_role("link", name="chain").first.click()
    head = page.locator("#head").inner_text()
    check_axe(page)
    page.get_by_role("button", name="Verify now").click()
    check = ChainCheck.objects.get()
    checks.go_on(check.pk)
    expect(page.get_by_text(f"1 of {check.last} blocks")).to_be_visible()  # the page asked again by itself
    page.goto("/audit/chain/")
    while not check.is_over:
        checks.go_on(check.pk)
        check.refresh_from_db()
    expect(page.locator("#state").get_by_text("Intact")).to_be_visible()
    page.get_by_label("Saved head").fill(head)
    page.get_by_role("button", name="Check head").click()
    expect(page.get_by_text("is part of the chain")).to_be_visible()
    check_axe(page)

    tamper("DELETE FROM audit_seal WHERE number = %s", check.last)
    page.get_by_label("Saved head").fill(head)
    page.get_by_role("button", name="Check head").click()
    expect(page.get_by_text(f"There is no block {check.last}")).to_be_visible()
    again = checks.start(actor=make.actor_for(people.operator), is_operator=True)
    while not again.is_over:
        checks.go_on(again.pk)
        again.refresh_from_db()
    page.goto("/audit/chain/")
    expect(page.get_by_role("alert")).to_contain_text("The log was changed after it was sealed")
    check_axe(page)
    shoot(page, "chain-broken")
    take_to_phone(page)
    check_width(page)
