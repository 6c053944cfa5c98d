"""An owner limits each end user of the team, and looks at who has reached it."""

import pytest
from playwright.sync_api import expect

from tests.conftest import Cast
from tests.e2e.conftest import OpenPage, Watch, check_axe, check_width, shoot, take_to_phone
from usage_app.models import EndUserCounter, Quota

pytestmark = pytest.mark.e2e


def test_each_end_user_is_limited_and_looked_at(page_as: OpenPage, committed_db: None, watch: Watch) -> None:
    watch.expects("422")
    people = Cast()
    page = page_as(people.alice)
    page.goto("/quotas/")
    page.get_by_role("link", name="New quota").click()
    form = page.locator("#question")
    form.get_by_label("Applies to").select_option(label="All of Team A")
    form.get_by_label("Metric").select_option(label="Requests per day")
    form.get_by_label("Limit", exact=True).fill("50")
    form.get_by_role("button", name="Create quota").click()
    expect(form).to_contain_text("Only operators limit all of a team together")
    form.get_by_label("Each end user separately; calls without one are not limited").check()
    check_axe(page)
    shoot(page, "quota-for-each")
    form.get_by_role("button", name="Create quota").click()
    row = page.get_by_role("row", name="Requests per day for each end user")
    expect(row).to_contain_text("Nobody is at 80 % of it")

    quota = Quota.objects.get()
    assert quota.opening_period is not None
    for name, used in (("ann", 50), ("ben", 41), ("<i>cid", 1)):
        EndUserCounter.objects.create(quota=quota, period_start=quota.opening_period, end_user=name, used=used)
    page.reload()
    expect(row).to_contain_text("1 end user at the limit, 1 end user near it")
    row.get_by_role("link", name="End users").click()
    expect(page.get_by_role("row", name="<i>cid")).to_contain_text("below")
    check_axe(page)
    shoot(page, "quota-end-users")
    page.get_by_role("searchbox", name="End user").fill("ben")
    page.get_by_role("button", name="Look up").click()
    expect(page.get_by_role("row", name="ben")).to_contain_text("near the limit")
    expect(page.get_by_role("row", name="ann")).to_have_count(0)
    take_to_phone(page)
    check_width(page)
