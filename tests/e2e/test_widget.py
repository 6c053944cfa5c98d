"""The widget on somebody else's site, in a real browser: another origin, a strict policy, and nothing for strangers."""

import re

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page, Route, expect

from console.chat.embed import signed_identity
from console.chat.models import Conversation, Message, Visitor, Widget
from console.chat.services import handover
from console.core.crypto import encrypt
from console.teams.actors import Actor
from tests import make
from tests.chat.conftest import Room
from tests.chat.conftest import room as room
from tests.chat.embed.conftest import ended
from tests.e2e.conftest import NARROW, OpenPage, Watch, ends_word, shoot
from tests.e2e.shop import OpenSite, frame_of
from tests.e2e.shop import open_site as open_site
from tests.upstream import sse, text_chunks

pytestmark = pytest.mark.e2e

# The next body that is read comes when `release()` is called; `held` says that it is waited for.
_HOLD_NEXT_BODY = """() => {
  const read = Response.prototype.json;
  window.held = new Promise((hold) => {
    Response.prototype.json = async function () {
      Response.prototype.json = read;
      hold();
      await new Promise((go) => (window.release = go));
      return read.call(this);
    };
  });
}"""


def _check_axe(page: Page) -> None:
    """Fail on any barrier inside the frame, and on the site with the launcher."""
    for frame in page.frames:
        frame.evaluate(AXE_SCRIPT) if frame is not page.main_frame else None
        if frame is page.main_frame:
            continue
        found = frame.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
        assert not found["violations"], [(one["id"], one["nodes"][0]["html"][:200]) for one in found["violations"]]


def test_a_visitor_asks_reloads_and_goes_on_and_a_person_joins(
    page_as: OpenPage, room: Room, open_site: OpenSite, watch: Watch
) -> None:
    widget = make.make_widget(
        room.team,
        room.agent,
        public_id="shop1",
        title="Ask the shop",
        colour="#1f5a43",
        greeting="Hello. Ask about jobs, routes or billing.",
        suggested_questions=["Where is my order?"],
    )
    second = make.make_widget(room.team, room.agent, public_id="jobs1", title="Jobs", colour="#ffd21f", position="left")
    shop, stranger = open_site("shop1", "jobs1"), open_site("shop1")
    Widget.objects.update(origins=[shop.url])
    room.upstream.enqueue_stream(*(sse(one) for one in text_chunks("It is ", "**on ", "its way**.")), pause=0.2)

    page = page_as(new=True)
    page.goto(shop.url)
    launcher = page.get_by_role("button", name="Ask the shop: Open chat")
    expect(launcher).to_have_attribute("aria-expanded", "false")
    expect(page.get_by_role("button", name="Jobs: Open chat")).to_be_visible()
    assert len(page.frames) == 1 and not Visitor.objects.exists(), "nothing is loaded or kept before it is opened"
    shoot(page, "widget-launcher")
    # What comes late has nothing pressed that nobody hears.
    page.route("**/embed/frame.js?*", lambda route: (page.wait_for_timeout(400), route.continue_()), times=1)
    launcher.focus()
    page.keyboard.press("Enter")
    chat = frame_of(page)
    expect(chat.get_by_text("Hello. Ask about jobs")).to_be_visible()
    shoot(page, "widget-open")
    chat.get_by_role("button", name="Where is my order?").click()
    log = chat.get_by_role("log")
    expect(log.locator("strong")).to_have_text("on its way")
    expect(chat.get_by_role("button", name="Yes")).to_be_visible()
    chat.get_by_role("button", name="Yes").click()
    expect(chat.get_by_role("button", name="Yes")).to_have_attribute("aria-pressed", "true")
    _check_axe(page)
    shoot(page, "widget-answered")

    # An answer that is not wanted any more.
    room.upstream.enqueue_stream(*(sse(one) for one in text_chunks("One", " two")[:3]), done=False, hang=30)
    chat.get_by_label("Message", exact=True).fill("Count.")
    chat.get_by_role("button", name="Send").click()
    expect(log).to_contain_text("One two")
    expect(chat.get_by_role("button", name="Send")).to_be_hidden()
    expect(chat.get_by_label("Message", exact=True)).to_be_focused()  # what was pressed is gone
    shoot(page, "widget-writing")
    chat.get_by_role("button", name="Stop").click()
    expect(log).to_contain_text("The answer was stopped here.")
    expect(chat.get_by_role("button", name="Send")).to_be_visible()
    expect(chat.get_by_label("Message", exact=True)).to_be_focused()
    assert room.upstream.was_closed_early()

    room.upstream.enqueue_stream(sse(*text_chunks("Tomorrow.")))
    page.reload()  # it was open, so it opens again, and leaves the focus to the page
    expect(frame_of(page).get_by_role("log")).to_contain_text("on its way")
    assert page.evaluate("document.activeElement === document.body")
    expect(frame_of(page).get_by_role("button", name="Yes")).to_have_attribute("aria-pressed", "true")
    field = frame_of(page).get_by_label("Message", exact=True)
    field.focus()
    field.evaluate("(field) => field.blur()")  # as Safari opens it
    page.keyboard.type("When?")
    expect(field).to_have_value("When?")
    ends_word(field)
    field.press("Enter")
    expect(frame_of(page).get_by_role("log")).to_contain_text("Tomorrow.")
    assert Conversation.objects.count() == 1 and Conversation.objects.get().widget == widget
    assert not page.context.cookies()

    # A person joins while the visitor waits, and writes while the chat is closed.
    chat = frame_of(page)
    chat.get_by_role("button", name="Talk to a person").click()
    expect(chat.get_by_text("A person will join here")).to_be_visible()
    conversation, ada = Conversation.objects.get(), Actor("user", room.ada.pk, "Ada")
    handover.take_over(actor=ada, person=room.ada, conversation=conversation)
    expect(chat.get_by_text("answers you now")).to_be_visible()
    field.fill("Are you real?")
    field.press("Enter")
    expect(chat.get_by_role("log")).to_contain_text("Are you real?")
    handover.say(person=room.ada, conversation=conversation, text="I am. What is wrong?")
    expect(chat.get_by_role("log")).to_contain_text("I am. What is wrong?")
    shoot(page, "widget-person")
    field.press("Escape")
    expect(launcher).to_be_focused()
    handover.say(person=room.ada, conversation=conversation, text="Still there?")
    expect(page.get_by_role("button", name="Ask the shop: Open chat, New message")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="Ask the shop: New message")).to_be_attached()
    shoot(page, "widget-unread")

    # Another widget of the page is another conversation, opened by the page itself.
    page.evaluate("Facet.open('jobs1')")
    expect(frame_of(page, "Jobs").get_by_role("log")).to_be_visible()
    expect(frame_of(page, "Jobs").get_by_text("Tomorrow.")).to_have_count(0)
    _check_axe(page)
    shoot(page, "widget-yellow")
    page.evaluate("Facet.close()")
    expect(page.locator("iframe").last).to_be_hidden()

    # Switched off while somebody has it open.
    page.evaluate("Facet.open('shop1')")
    Widget.objects.filter(pk=widget.pk).update(is_enabled=False)
    expect(chat.get_by_role("status")).to_have_text("This chat is closed at the moment.")
    expect(field).to_be_hidden()

    Widget.objects.filter(pk=widget.pk).update(is_enabled=True)
    known = Visitor.objects.count()
    elsewhere = page_as(new=True)
    elsewhere.goto(stranger.url)
    expect(elsewhere.get_by_role("heading", name="A shop")).to_be_visible()
    elsewhere.wait_for_load_state("networkidle")  # the snippet comes after the page
    assert elsewhere.evaluate("document.scripts.length") == 1 and elsewhere.get_by_role("button").count() == 0
    assert len(elsewhere.frames) == 1
    # Whoever goes around the snippet meets the server, and a browser that keeps the frame shut.
    watch.expects(r"CORS policy|ERR_FAILED|403|frame-ancestors|chrome-error|ERR_BLOCKED")
    host = re.sub(r"/embed/.*", "", elsewhere.evaluate("document.scripts[0].src"))
    refused = elsewhere.evaluate(
        "(url) => fetch(url, {method: 'POST', headers: {'Content-Type': 'application/json'}, body: '{}'})"
        ".then(() => 'answered', () => 'refused')",
        f"{host}/embed/shop1/visitor/",
    )
    assert refused == "refused" and Message.objects.filter(role="user").count() == 4
    assert Visitor.objects.count() == known
    elsewhere.evaluate(
        "(url) => { const frame = document.createElement('iframe'); frame.src = url; document.body.append(frame); }",
        f"{host}/embed/shop1/",
    )
    elsewhere.wait_for_timeout(500)
    assert "Ask the shop" not in "".join(frame.content() for frame in elsewhere.frames[1:])
    assert second.conversations.count() == 0


def test_a_phone_shows_it_whole_and_a_site_says_who_its_visitor_is(
    page_as: OpenPage, room: Room, open_site: OpenSite, watch: Watch
) -> None:
    make.make_widget(
        room.team,
        room.agent,
        public_id="shop1",
        title="Ask the shop",
        colour="#1f5a43",
        language="de",
        identity_secret=encrypt("s3cret"),
        suggested_questions=["Was gibt es?"],
    )
    make.make_widget(room.team, room.agent, public_id="jobs1", title="Jobs", position="left")
    shop = open_site("shop1", "jobs1")
    Widget.objects.update(origins=[shop.url])
    page = page_as(size=NARROW, new=True)
    page.goto(shop.url)
    jobs = page.get_by_role("button", name="Jobs: Open chat")
    expect(jobs).to_be_visible()
    page.get_by_role("button", name="Ask the shop: Chat öffnen").click()
    expect(jobs).to_be_hidden()  # the one that is open has the whole screen
    box = page.locator("iframe").bounding_box()
    assert box and (box["x"], box["y"], box["width"], box["height"]) == (0, 0, *NARROW)
    chat = frame_of(page)
    field = chat.get_by_role("textbox")
    room.upstream.enqueue_stream(
        sse(*text_chunks("| Plan | Preis |\n|---|---|\n| Klein | 5 € |\n\n```\n" + "lang " * 40 + "\n```\n\nGut?"))
    )
    field.fill("Was kostet das?")
    chat.get_by_role("button", name="Senden").click()
    expect(chat.get_by_role("log")).to_contain_text("Gut?")
    assert chat.locator("html").evaluate("(html) => html.scrollWidth - innerWidth") <= 0
    _check_axe(page)
    shoot(page, "widget-phone")
    chat.get_by_role("button", name="Chat schließen").click()
    expect(page.get_by_role("button", name="Ask the shop: Chat öffnen")).to_be_focused()
    expect(jobs).to_be_visible()

    who = {"id": "ada", "signature": signed_identity.sign("s3cret", "ada"), "name": "Ada"}
    page.evaluate("(who) => Facet.identify(who, 'shop1')", who)
    page.get_by_role("button", name="Ask the shop: Chat öffnen").click()
    expect(chat.get_by_text("Was kostet das?")).to_have_count(0)
    expect(chat.get_by_role("button", name="Was gibt es?")).to_be_visible()
    field.fill("Ich bin es.")
    field.press("Enter")
    expect(chat.get_by_role("log")).to_contain_text("Ich bin es.")
    expect(chat.get_by_role("button", name="Ja")).to_be_visible()
    assert Visitor.objects.get(identity="ada").name == "Ada" and page.evaluate("localStorage.length") == 0
    field.fill("Was niemand sonst")
    Widget.objects.update(needs_identity=True)
    watch.expects("403")
    page.evaluate("Facet.identify(null, 'shop1')")
    expect(chat.get_by_role("status")).to_have_text("Melden Sie sich auf dieser Seite an, um zu chatten.")
    expect(chat.get_by_text("Ich bin es.")).to_have_count(0)
    expect(field).to_be_hidden()
    expect(chat.get_by_role("button", name="Was gibt es?")).to_be_hidden()  # nor may they press what would be refused
    page.evaluate("(who) => Facet.identify({...who, signature: 'wrong'}, 'shop1')", who)
    expect(chat.get_by_role("status")).to_contain_text("Diese Seite konnte uns nicht sagen, wer Sie sind.")
    page.evaluate(
        "(who) => { Facet.identify(null, 'shop1'); Facet.identify(who, 'shop1') }", who
    )  # the last word counts
    expect(chat.get_by_text("Ich bin es.")).to_be_visible()
    expect(field).to_be_visible()
    expect(field).to_have_value("")

    # A new secret ends what was signed with the old one: the visitor reads that, and the page may name them anew.
    Widget.objects.filter(public_id="shop1").update(identity_secret=encrypt("n3w"))
    watch.expects("401|does not fit the identity")
    field.fill("Noch da?")
    field.press("Enter")
    expect(chat.get_by_role("status")).to_contain_text("Diese Seite konnte uns nicht sagen, wer Sie sind.")
    expect(field).to_be_hidden()
    who["signature"] = signed_identity.sign("n3w", "ada")
    page.evaluate("(who) => Facet.identify(who, 'shop1')", who)
    expect(chat.get_by_text("Ich bin es.")).to_be_visible()
    expect(field).to_have_value("Noch da?")

    # Who is named again while their message is on its way has sent it.
    late: list[Route] = []
    page.route("**/messages/", lambda route: late.append(route), times=1)
    field.press("Enter")
    while not late:
        page.wait_for_timeout(10)
    with page.expect_response("**/conversation/"):
        page.evaluate("(who) => Facet.identify(who, 'shop1')", who)
    late.pop().continue_()
    expect(chat.get_by_role("log")).to_contain_text("Noch da?")
    expect(field).to_have_value("")

    # What was asked for whoever was named before is not shown to the next.
    page.route("**/conversation/", lambda route: late.append(route), times=1)
    page.evaluate("(who) => Facet.identify(who, 'shop1')", who)
    while not late:
        page.wait_for_timeout(10)
    bob = {"id": "bob", "signature": signed_identity.sign("n3w", "bob")}
    page.evaluate("(who) => Facet.identify(who, 'shop1')", bob)
    expect(chat.get_by_role("button", name="Was gibt es?")).to_be_visible()
    with page.expect_response("**/conversation/"):
        late[0].continue_()
    chat.locator("html").evaluate("() => new Promise((go) => setTimeout(go, 50))")
    assert chat.get_by_text("Ich bin es.").count() == 0
    page.evaluate("(who) => Facet.identify(who, 'shop1')", who)
    expect(chat.get_by_text("Ich bin es.")).to_be_visible()

    # Nor if they are named between the head and the body of an answer.
    html = chat.locator("html")
    html.evaluate(_HOLD_NEXT_BODY)
    field.fill("Nur für Ada.")
    field.press("Enter")
    html.evaluate("() => held")
    page.evaluate("(who) => Facet.identify(who, 'shop1')", bob)
    expect(chat.get_by_role("button", name="Was gibt es?")).to_be_visible()
    html.evaluate("() => { release(); return new Promise((go) => setTimeout(go, 50)) }")
    assert chat.get_by_text("Nur für Ada.").count() == 0
    page.evaluate("(who) => Facet.identify(who, 'shop1')", who)
    expect(chat.get_by_text("Nur für Ada.")).to_be_visible()

    # A page of one piece puts another body there, takes it away, and mounts it again.
    mount = """(isGone) => {
      isGone ? Facet.remove("shop1") : document.body.replaceWith(document.createElement("body"));
      const taken = !document.querySelector("body > div");
      const policy = (window.policy ??= trustedTypes.createPolicy("shop", {createScriptURL: (url) => url}));
      const script = document.createElement("script");
      script.src = policy.createScriptURL(window.snippet);
      document.body.append(script);
      return new Promise((go) => document.addEventListener("facet:ready", () => go(taken), {once: true}));
    }"""
    page.evaluate("window.snippet = document.scripts[0].src")
    assert page.evaluate(mount, False)
    expect(chat.get_by_text("Ich bin es.")).to_be_visible()  # it was open, and whoever it was is known still
    assert page.evaluate(mount, True)
    expect(page.get_by_role("button", name="Ask the shop: Chat öffnen")).to_be_visible()
    assert len(page.frames) == 1
    for answer in Message.objects.filter(role="assistant"):
        ended(answer)
