"""Build an assistant, try it, publish it, talk to it, change it and roll back, in a real browser."""

from playwright.sync_api import expect

from agents_app.models import Agent
from tests import make
from tests.chat.conftest import Room
from tests.chat.conftest import room as room
from tests.e2e.conftest import OpenPage, Watch, check_axe, check_width, shoot, take_to_phone
from tests.upstream import completion, sse, text_chunks


def test_it_builds_publishes_talks_and_rolls_back(page_as: OpenPage, room: Room, watch: Watch) -> None:
    watch.expects("htmx:(sendAbort|afterRequest)")  # a newer look replaces the one before
    bella = make.make_member(room.team, make.make_user("bella@example.com"), "builder")
    prompt = make.make_prompt(room.team, "shop/tone", "You speak for {{shop}}.", variables=[{"name": "shop"}])
    page = page_as(bella)
    page.goto("/agents/new/")
    page.get_by_role("link", name="Log watcher").click()
    expect(page.get_by_role("region", name="What the template brings")).to_contain_text("restart_service")
    check_axe(page)
    shoot(page, "agent-template")
    page.get_by_role("link", name="From scratch").click()
    expect(page.locator("#id_name")).to_have_value("")
    page.locator("#id_name").fill("Larkfield")
    page.locator("#id_slug").fill("larkfield")
    page.get_by_role("button", name="Create agent").click()
    for field, value in (("#id_prompt_slug", prompt.slug), ("#id_which", "1")):
        # Each brings the fields of the variables anew: nobody types a value before its field is there.
        page.evaluate("document.querySelector('#variables').dataset.before = ''")
        page.locator(field).fill(value)
        page.locator(field).press("Tab")
        expect(page.locator("#variables:not([data-before])")).to_be_attached()
    page.locator("#id_var-shop").fill("Larkfield")
    page.locator("#id_alias").select_option("support-chat")
    preview = page.get_by_role("region", name="Instructions", exact=True)
    expect(preview).to_contain_text("You speak for Larkfield.")
    room.upstream.enqueue(completion("I am **Larkfield**."))
    page.get_by_label("Question to the draft").fill("Who are you?")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_role("log")).to_contain_text("I am **Larkfield**.")
    expect(page.locator("#id_var-shop")).to_have_value("Larkfield")
    check_axe(page)
    shoot(page, "agent-try")
    page.locator("#id_suggested_questions").scroll_into_view_if_needed()
    page.mouse.wheel(0, 4_000)
    expect(page.get_by_role("heading", level=1)).to_be_in_viewport()
    expect(page.get_by_role("button", name="Save draft")).to_be_in_viewport()
    page.get_by_role("button", name="Save and publish").click()
    expect(page.get_by_role("button", name="Publish v1")).to_be_visible()
    check_axe(page)
    page.locator("#id_message").fill("The first one.")
    page.get_by_role("button", name="Publish v1").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Larkfield")
    check_axe(page)
    shoot(page, "agent-published")

    room.upstream.enqueue_stream(sse(*text_chunks("Hello from Larkfield.")))
    page.goto("/chat/?agent=larkfield&text=Hello")
    page.get_by_role("button", name="Send").click()
    thread = page.get_by_role("log")
    expect(thread).to_contain_text("Hello from Larkfield.")
    expect(thread).to_contain_text("larkfield@1")

    make.publish_agent(Agent.objects.get(slug="larkfield"), opening_message="What do you need?")
    page.goto("/agents/larkfield/versions/1/roll-back/")
    check_axe(page)
    page.locator("#id_reason").fill("The greeting confuses people.")
    page.get_by_role("button", name="Make v1 live").click()
    expect(page.locator("main")).to_contain_text("v1")
    room.upstream.enqueue_stream(sse(*text_chunks("The first again.")))
    page.goto("/chat/?agent=larkfield&text=Hello")
    page.get_by_role("button", name="Send").click()
    expect(thread).to_contain_text("The first again.")
    expect(thread).to_contain_text("larkfield@1")

    take_to_phone(page, "/agents/larkfield/edit/")
    check_width(page)
    check_axe(page)
    shoot(page, "agent-draft-390-dark")

    # A tool's form asks of a body and a secret only where one is sent.
    page.goto("/tools/new/?kind=http")
    for chosen, value, asked in (
        ("#id_body_from", "shape", "#id_shape"),
        ("#id_secret_in", "basic", "#id_secret"),
        ("#id_secret_in", "header", "#id_secret_name"),
    ):
        expect(page.locator(asked)).to_be_hidden()
        page.locator(chosen).select_option(value)
        expect(page.locator(asked)).to_be_visible()
