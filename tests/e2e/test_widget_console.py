"""From a new widget to a person who answers its visitor, in a real browser: the console here, a shop's site there."""

import pytest
from playwright.sync_api import Page, expect

from console.chat.models import Conversation, Widget
from console.teams.models import Role
from tests import make
from tests.chat.conftest import Room
from tests.chat.conftest import room as room
from tests.e2e.conftest import OpenPage, Watch, check_axe, check_width, shoot, take_to_phone
from tests.e2e.test_widget import OpenSite
from tests.e2e.test_widget import open_site as open_site
from tests.upstream import sse, text_chunks
from tests.waiting import until

pytestmark = pytest.mark.e2e


def _look(page: Page, name: str) -> None:
    check_axe(page)
    check_width(page)
    shoot(page, name)


def test_a_widget_is_made_and_a_person_answers_its_visitor(
    page_as: OpenPage, room: Room, open_site: OpenSite, watch: Watch
) -> None:
    watch.expects("422")  # the site that is refused
    bella = make.make_member(room.team, make.make_user("bella@example.com"), Role.BUILDER)
    page = page_as(bella)
    page.goto("/widgets/")
    _look(page, "widgets-empty")
    page.get_by_role("link", name="New widget").click()
    page.get_by_label("Name").fill("Shop")
    _look(page, "widgets-new")
    page.get_by_role("button", name="Create widget").click()
    expect(page.get_by_text("No site may show it yet")).to_be_visible()
    widget = Widget.objects.get()
    expect(page.locator("#snippet")).to_contain_text(f"/embed/{widget.public_id}.js")

    frame = page.frame_locator('iframe[title="Preview of the widget"]')
    page.get_by_label("Title").fill("Ask the shop")
    page.get_by_label("Greeting").fill("Ask about your parcel.")
    expect(frame.get_by_text("Ask about your parcel.")).to_be_visible()
    expect(page.get_by_label("Greeting")).to_be_focused()
    page.get_by_label("Colour").fill("#ffd21f")
    expect(page.get_by_text("too pale to read on white")).to_be_visible()
    page.get_by_label("Language").select_option("de")
    expect(frame.get_by_text("Mit einem Menschen sprechen")).to_be_attached()
    page.get_by_label("Language").select_option("en")
    shop = open_site(widget.public_id)
    page.get_by_label("Sites that may show it").fill(shop.url.replace("localhost", "shop.example"))
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_text("is not encrypted")).to_be_visible()
    expect(page.get_by_label("Greeting")).to_have_value("Ask about your parcel.")
    page.get_by_label("Sites that may show it").fill(shop.url)
    page.get_by_role("button", name="Save changes").click()
    expect(page.locator(".page-head .badge")).to_have_text("Live")
    _look(page, "widgets-page")

    room.upstream.enqueue_stream(sse(*text_chunks("It left **yesterday**.")))
    visitor = page_as(new=True)
    visitor.goto(shop.url)
    visitor.get_by_role("button", name="Ask the shop: Open chat").click()
    chat = visitor.frame_locator('iframe[title="Ask the shop"]')
    field = chat.get_by_label("Message", exact=True)
    field.fill("Where is my parcel?")
    field.press("Enter")
    expect(chat.get_by_role("log")).to_contain_text("It left yesterday.")
    expect(chat.get_by_role("button", name="No", exact=True)).to_be_visible()
    chat.get_by_role("button", name="No", exact=True).click()

    member = page_as(room.ada)
    member.goto(f"/widgets/{widget.pk}/conversations/")
    _look(member, "widgets-conversations")
    member.get_by_role("link", name="Visitor").first.click()
    log = member.get_by_role("log")
    expect(log).to_contain_text("This did not help the visitor")
    member.get_by_role("button", name="Take over").click()
    expect(log).to_contain_text("You answer since")
    expect(chat.get_by_text("answers you now")).to_be_visible()
    field.fill("It is not here yet.")
    field.press("Enter")
    expect(log).to_contain_text("It is not here yet.")
    answer = member.get_by_label("Message", exact=True)
    answer.fill("I am calling the driver.")
    answer.press("Enter")
    expect(log).to_contain_text("I am calling the driver.")
    expect(answer).to_have_value("")
    expect(chat.get_by_role("log")).to_contain_text("I am calling the driver.")
    _look(member, "widgets-answering")

    take_to_phone(page, member.url)  # Bella is the second to look at it
    expect(page.get_by_role("button", name="Take over from")).to_be_visible()
    _look(page, "widgets-second-390")
    page.goto(f"/widgets/{widget.pk}/")
    _look(page, "widgets-page-390")

    room.upstream.enqueue_stream(sse(*text_chunks("Gladly.")))
    member.get_by_role("button", name="Give back").click()
    expect(log).to_contain_text("Helper answers.")
    field.fill("Thank you")
    field.press("Enter")
    expect(log).to_contain_text("Gladly.")
    assert Conversation.objects.get().taken_by is None


def test_it_all_works_without_scripts(page_as: OpenPage, room: Room) -> None:
    widget = make.make_widget(room.team, room.agent, name="Shop")
    talk = make.make_visit(widget, "Where is my parcel?", "It left yesterday.")
    bella = make.make_member(room.team, make.make_user("bella@example.com"), Role.BUILDER)
    page = page_as(bella, scripts=False)
    page.goto(f"/widgets/{widget.pk}/")
    page.get_by_label("Greeting").fill("Ask away.")
    page.get_by_role("button", name="Show it in the preview").click()
    expect(page.frame_locator('iframe[title="Preview of the widget"]').get_by_text("Ask away.")).to_be_visible()
    page.get_by_role("button", name="Save changes").click()
    until(Widget.objects.filter(pk=widget.pk, greeting="Ask away.").exists, "the greeting is saved")
    page.goto(f"/widgets/{widget.pk}/conversations/{talk.pk}/")
    page.get_by_role("button", name="Take over").click()
    page.get_by_label("Message", exact=True).fill("Here I am.")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("log")).to_contain_text("Here I am.")
    page.get_by_role("button", name="Give back").click()
    expect(page.get_by_role("button", name="Take over")).to_be_visible()
