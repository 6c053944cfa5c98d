"""Words that would do harm if a page believed them, in a real browser: nothing runs, nothing is fetched."""

from urllib.parse import urlsplit

from playwright.sync_api import Request, expect

from console.chat.embed import signed_identity
from console.chat.models import Conversation, Visitor, Widget
from console.core.crypto import encrypt
from tests import make
from tests.chat.conftest import Room
from tests.chat.conftest import room as room
from tests.chat.corpus import ATTACKS
from tests.e2e.conftest import OpenPage, Watch, shoot
from tests.e2e.shop import OpenSite, frame_of
from tests.e2e.shop import open_site as open_site
from tests.upstream import sse, text_chunks


def test_nothing_runs_and_nothing_is_fetched(page_as: OpenPage, room: Room, watch: Watch) -> None:
    harm = "<img src=https://evil.example/pixel.png onerror=alert(1)><div hx-get=/evil/ hx-trigger=load>x</div>"
    room.agent.name = room.ada.name = harm[:80]
    room.agent.save()
    room.ada.save()
    answer = "\n\n".join(attack.replace("\x00", "") for attack in ATTACKS) + "\n\nThe end."
    pieces = [answer[at : at + 5] for at in range(0, len(answer), 5)]
    room.upstream.enqueue_stream(*(sse(event) for event in text_chunks(*pieces)), pause=0.003)

    asked: list[Request] = []
    dialogs: list[str] = []
    page = page_as(room.ada, new=True)
    page.on("request", lambda request: asked.append(request))
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.goto("/chat/")
    page.get_by_label("Message", exact=True).fill(harm)
    file = {"name": "<img src=x onerror=alert(1)>.md", "mimeType": "text/markdown", "buffer": harm.encode()}
    page.get_by_label("Attach files").set_input_files(file)  # type: ignore[arg-type]
    page.get_by_role("button", name="Send").click()
    thread = page.get_by_role("log")
    expect(thread).to_contain_text("The end.")
    expect(thread.get_by_label("Answer again")).to_be_visible()
    page.reload()
    expect(thread).to_contain_text("The end.")
    page.get_by_role("button", name="More").click()
    page.get_by_role("link", name="Rename").click()
    page.get_by_label("Title", exact=True).fill(harm)
    page.get_by_role("button", name="Rename").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("<img src=https://evil.example/pixel.png")
    expect(thread.get_by_role("list", name="Attached files")).to_contain_text("onerror=alert(1)>.md")
    shoot(page, "chat-untrusted")

    assert not dialogs
    here = urlsplit(page.url).netloc
    away = {one.url for one in asked if urlsplit(one.url).netloc != here and not one.url.startswith(("data:", "blob:"))}
    assert not away
    known = ("/chat/", "/static/", "/favicon")
    assert not [one.url for one in asked if not urlsplit(one.url).path.startswith(known) and one.url[:5] == "http:"]
    # Links are all there is to follow, and say where they lead.
    links = thread.locator(".prose a")
    assert links.count() > 0
    for link in links.all():
        assert (link.get_attribute("href") or "").startswith(("https://", "http://", "mailto:"))
        assert link.get_attribute("rel") == "noopener noreferrer nofollow" and link.get_attribute("target") == "_blank"
    strange = (
        "[hx-get], [hx-post], [hx-on\\:click], [onerror], [onload], [style], img, form, iframe, svg, video, object"
    )
    assert thread.locator(".prose").locator(strange).count() == 0
    assert Conversation.objects.get().title.startswith("<img src=https://evil.example")


def test_nothing_runs_in_the_widget_either_or_for_the_team_that_reads_along(
    page_as: OpenPage, room: Room, open_site: OpenSite, watch: Watch
) -> None:
    harm = "<img src=https://evil.example/pixel.png onerror=alert(1)><div hx-get=/evil/ hx-trigger=load>x</div>"
    widget = make.make_widget(
        room.team,
        room.agent,
        public_id="shop1",
        name=harm[:60],
        title="Ask the shop",
        greeting=harm,
        suggested_questions=[harm],
        identity_secret=encrypt("s3cret"),
    )
    shop = open_site("shop1")
    Widget.objects.update(origins=[shop.url])
    answer = "\n\n".join(attack.replace("\x00", "") for attack in ATTACKS) + "\n\nThe end."
    pieces = [answer[at : at + 5] for at in range(0, len(answer), 5)]
    room.upstream.enqueue_stream(*(sse(event) for event in text_chunks(*pieces)), pause=0.003)

    asked: list[str] = []
    dialogs: list[str] = []
    page, team = page_as(new=True), page_as(room.ada, new=True)
    for one in (page, team):
        one.on("request", lambda request: asked.append(request.url))
        one.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.goto(shop.url)
    page.get_by_role("button", name="Ask the shop: Open chat").wait_for()
    who = {"id": harm, "signature": signed_identity.sign("s3cret", harm), "name": harm}
    page.evaluate("(who) => Facet.identify(who)", who)
    page.get_by_role("button", name="Ask the shop: Open chat").click()
    chat = frame_of(page)
    chat.get_by_role("button", name=harm).click()
    log = chat.get_by_role("log")
    expect(log).to_contain_text("The end.")
    expect(chat.locator(".fb")).to_be_visible()
    assert log.locator("img, form, iframe, video, object, [onerror], [hx-get]").count() == 0

    team.goto(f"/widgets/{widget.pk}/conversations/")
    expect(team.get_by_role("main")).to_contain_text("<img src=https://evil.example/pixel.png")
    team.goto(f"/widgets/{widget.pk}/conversations/{Conversation.objects.get().pk}/")
    expect(team.get_by_role("main")).to_contain_text("The end.")
    assert Visitor.objects.get().identity == harm and not dialogs
    assert not [url for url in asked if "evil" in url.partition("://")[2].partition("/")[0] or "/evil/" in url]
