"""An operator connects a repository in the browser, exchanges with it, and settles a conflict."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from prompts_app.git import sync
from tests import make
from tests.conftest import Cast
from tests.e2e.conftest import OpenPage, Watch, check_axe, check_width, shoot, take_to_phone
from tests.prompts.git.git import git, head, save

pytestmark = pytest.mark.e2e


def test_it_connects_syncs_and_settles(
    page_as: OpenPage, watch: Watch, committed_db: None, tmp_path: Path, settings: Any
) -> None:
    watch.expects("422")
    people = Cast()
    settings.PROMPTS_GIT_FOLDERS = [str(tmp_path)]
    make.make_prompt(people.team_a, "support/answer", "Answer.")
    make.make_prompt(people.team_a, "support/style", "Be brief.", kind="partial")
    page = page_as(people.operator)
    page.goto("/prompts/")
    page.get_by_role("button", name="More actions").click()
    page.get_by_role("link", name="Git", exact=True).click()
    check_axe(page)
    page.get_by_label("Address").fill("/etc/prompts")
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.get_by_text("are not allowed here")).to_be_visible()
    page.get_by_label("Address").fill(str(tmp_path / "repo"))
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.get_by_text("No sync yet")).to_be_visible()
    page.get_by_role("button", name="Test", exact=True).click()
    expect(page.get_by_text("not there yet")).to_be_visible()
    page.get_by_role("button", name="Sync now").click()
    expect(page.get_by_text("Waits for a worker")).to_be_visible()
    sync.tick()
    expect(page.get_by_text("Waits for a worker")).to_have_count(0)  # the page asks by itself
    page.reload()
    expect(page.get_by_role("row").filter(has_text="Done").first).to_be_visible()
    check_axe(page)
    shoot(page, "git-synced")

    # Edited in git and in the console: nothing is lost, and a person decides.
    file = tmp_path / "repo/support/answer.md"
    file.write_text(file.read_text().replace("Answer.", "Answer from git \u202e."))
    git(tmp_path / "repo", "commit", "-qam", "Say where it is from")
    save("support/answer", "Answer from the console.")
    sync.sync()
    page.reload()
    expect(page.get_by_role("heading", name="Conflicts")).to_be_visible()
    check_axe(page)
    check_width(page)
    shoot(page, "git-conflict")
    take_to_phone(page)
    check_width(page)
    check_axe(page)
    shoot(page, "git-conflict-narrow-dark")
    page.get_by_role("button", name="Use git's text").click()
    expect(page.get_by_role("heading", name="Conflicts")).to_have_count(0)
    newest = head("support/answer").head
    assert newest is not None
    assert (newest.number, newest.author_name, newest.message) == (3, "Ann Author", "Say where it is from")
    text = page.request.get("/prompts/support/answer/").text()
    assert "Ann Author" in text and re.search(r'<span class="ghost"[^>]*>U\+202E</span>', text)

    page.goto("/prompts/git/")
    page.get_by_role("link", name="Disconnect").click()
    page.get_by_role("dialog").get_by_role("button", name="Disconnect repository").click()
    expect(page.get_by_role("heading", name="Connect a repository")).to_be_visible()
    assert file.exists()
