"""A batch from a file on somebody's disk to its answers: uploaded, watched, run again, downloaded."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from console.batches.engine.runner import advance
from console.batches.models import Batch
from console.catalog.models import Provider
from console.gateway import sync
from tests import make
from tests.batches.conftest import jsonl, line
from tests.conftest import Cast
from tests.e2e.conftest import OpenPage, check_axe, check_width, shoot, take_to_phone
from tests.upstream import Upstream

pytestmark = pytest.mark.e2e


def run(batch: Batch) -> None:
    """Take a worker's turns."""
    try:
        while advance(batch.pk):
            pass
    finally:
        sync.stop()


def test_a_file_is_uploaded_run_and_its_answers_are_downloaded(
    page_as: OpenPage, committed_db: None, upstream: Upstream, tmp_path: Path
) -> None:
    people = Cast()
    provider = Provider.objects.create(slug="house", name="House", kind="openai", base_url=upstream.url)
    make.make_alias("support-chat", production=make.make_model("house-model", provider=provider))
    tickets = tmp_path / "tickets <i>7.jsonl"
    tickets.write_bytes(jsonl(*(line(n) for n in range(3)), line(9, model="nobody")))

    page = page_as(people.bob)
    page.goto("/batches/")
    page.get_by_role("link", name="Upload a file here").click()
    check_axe(page)
    page.get_by_role("button", name="Start batch").click()
    expect(page).to_have_url("/batches/new/")  # the browser asks for the file first
    page.get_by_label("Input file").set_input_files(tickets)
    # Pressed twice it is sent once: the first of two may have been taken in whole by then.
    page.evaluate("""() => {
        window.sent = 0;
        addEventListener("submit", (event) => {
            if (!event.defaultPrevented) window.sent += 1;
            if (window.sent === 1 && !event.defaultPrevented) event.preventDefault();
        });
    }""")
    page.evaluate("for (const _ of [1, 2]) document.querySelector('form.panel').requestSubmit()")
    assert page.evaluate("window.sent") == 1
    page.evaluate("dispatchEvent(new Event('pageshow'))")  # back on the page, it can be sent again
    expect(page.get_by_role("button", name="Start batch")).not_to_have_attribute("aria-busy", "true")
    page.get_by_role("button", name="Start batch").click()
    expect(page.get_by_role("heading", name="tickets <i>7.jsonl")).to_be_visible()
    run(Batch.objects.get())
    expect(page.get_by_text("4 of 4 lines")).to_be_visible()  # the page asked again by itself
    expect(page.get_by_text("model_not_found")).to_be_visible()
    check_axe(page)
    shoot(page, "batch-over")
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Output").click()
    assert downloading.value.path().read_text().count("Hello there.") == 3

    page.get_by_role("button", name="Run failed lines again").click()
    expect(page.get_by_role("heading", name="tickets <i>7 again.jsonl")).to_be_visible()
    for path in ("/batches/", "/batches/new/", f"/batches/{Batch.objects.latest('pk').pk}/"):
        take_to_phone(page, path)
        check_width(page)
