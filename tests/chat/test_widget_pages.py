"""The pages of widgets: make one, make it yours, and who may."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from console.audit.models import AuditEvent
from console.chat.models import Allowance, Widget
from console.chat.services import widgets as services
from console.core.clock import now, period_start
from console.teams.actors import SYSTEM
from console.teams.models import Role
from tests import make
from tests.conftest import Cast
from tests.make import client_of


@pytest.fixture
def bella(cast: Cast) -> Client:
    """Bella builds in Team A."""
    return client_of(make.make_member(cast.team_a, make.make_user("bella@example.com"), Role.BUILDER))


def form_of(widget: Widget, **typed: Any) -> dict[str, Any]:
    """Return what the form of a widget sends, with these fields typed."""
    widget = Widget.objects.select_related("agent").get(pk=widget.pk)
    return {
        "name": widget.name,
        "title": widget.title,
        "colour": widget.colour,
        "position": widget.position,
        "greeting": widget.greeting,
        "suggested_questions": "\n".join(widget.suggested_questions),
        "language": widget.language,
        "agent": widget.agent.slug,
        "origins": "\n".join(widget.origins),
        "seen_revision": widget.revision,
        "do": "save",
        **typed,
    }


def url(widget: Widget, name: str = "widget") -> str:
    return reverse(f"chat:{name}", args=[widget.pk])


def test_it_makes_a_widget_from_nothing_without_htmx(cast: Cast, bella: Client) -> None:
    assert "It needs an assistant that answers" in bella.get("/widgets/").text
    make.make_agent(cast.team_a, "helper", name="Helper")
    assert "No widget yet" in bella.get("/widgets/").text
    made = bella.post("/widgets/new/", {"name": "Help centre", "team": "team-a", "agent": "helper", "origins": ""})
    widget = Widget.objects.get()
    assert made["Location"] == url(widget)
    page = bella.get(url(widget)).text
    assert "No site may show it yet" in page
    assert f"/embed/{widget.public_id}.js&quot; async&gt;&lt;/script&gt;" in page
    typed = form_of(
        widget,
        title="Ask us",
        colour="#1F5A43",
        position="left",
        greeting="Hello.\r\nAsk away.",
        suggested_questions="Where is it?\n\nWho are you?",
        language="de",
        origins="https://shop.example/\nhttp://localhost:3000",
        limit_visitor_day="5",
        limit_cost_day_micros="1.5",
    )
    assert bella.post(url(widget), typed)["Location"] == url(widget)
    widget.refresh_from_db()
    assert (widget.title, widget.colour, widget.position, widget.language) == ("Ask us", "#1f5a43", "left", "de")
    assert widget.origins == ["https://shop.example", "http://localhost:3000"]
    assert widget.suggested_questions == ["Where is it?", "Who are you?"]
    assert widget.limits == {"visitor_day": 5, "cost_day_micros": 1_500_000}
    assert widget.greeting == "Hello.\nAsk away."
    page = bella.get(url(widget)).text
    assert 'value="1.5"' in page and "No site may show it" not in page
    line = AuditEvent.objects.filter(action="widget.changed").get()
    assert (line.target, line.team) == ("Help centre", "Team A")


def test_it_says_what_is_wrong_at_the_field_and_keeps_what_was_typed(cast: Cast, bella: Client) -> None:
    widget = make.make_widget(cast.team_a)
    for typed, says in (
        ({"origins": "shop.example"}, "lacks its scheme"),
        ({"origins": "http://shop.example"}, "is not encrypted"),
        ({"origins": "https://shop.example/help"}, "is not an origin"),
        ({"colour": "blue"}, "six hexadecimal digits"),
        ({"language": "xx"}, "Select a valid choice"),
        ({"agent": "nobody"}, "Select a valid choice"),
        ({"suggested_questions": "\n".join("abcdefg")}, "at most 6 questions"),
        ({"limit_visitor_day": "0"}, "greater than or equal to 1"),
        ({"limit_cost_day_micros": "-1"}, "greater than or equal to 0"),
        ({"needs_identity": "on"}, "Make the secret first"),
    ):
        response = bella.post(url(widget), form_of(widget, greeting="typed words", **typed))
        assert response.status_code == 422 and says in response.text, typed
        assert "typed words" in response.text and "Nothing was saved" in response.text
    refused = bella.post("/widgets/new/", {"name": "N", "team": "team-a", "agent": widget.agent.slug, "origins": "x"})
    assert refused.status_code == 422 and "lacks its scheme" in refused.text
    assert Widget.objects.get().revision == 1


def test_a_new_widget_is_offered_the_assistants_of_its_team(cast: Cast) -> None:
    olga = client_of(cast.operator)
    make.make_agent(cast.team_b, "theirs", name="Theirs")
    every = make.make_agent(cast.team_b, "everybodys", name="Everybody's", audience="organisation")
    make.make_team("Team C")

    def offered(page: Any) -> list[str]:
        return re.findall(r'<option value="([a-z]+)"', page.text.partition('id="agent-field"')[2])

    assert offered(olga.get("/widgets/new/")) == ["everybodys", "theirs"], "the first team that has assistants"
    assert offered(olga.get("/widgets/new/?team=team-a")) == ["everybodys"]
    htmx = {"HX-Request": "true", "HX-Target": "agent-field"}
    piece = olga.get("/widgets/new/?team=team-a&agent=everybodys", headers=htmx)
    assert offered(piece) == ["everybodys"] and "<html" not in piece.text and "HX-Target" in piece["Vary"]
    typed = {"name": "Shop", "team": "team-a", "agent": "theirs", "origins": ""}
    refused = olga.post("/widgets/new/", typed)
    assert refused.status_code == 422 and offered(refused) == ["everybodys"] and 'value="Shop"' in refused.text
    assert "Theirs does not answer Team A. Choose one of its assistants." in refused.text
    every.audience = "team"
    every.save(update_fields=["audience"])
    refused = olga.post("/widgets/new/", typed | {"team": "team-c"})
    assert refused.status_code == 422 and offered(refused) == [] and "No assistant answers Team C yet." in refused.text
    (select,) = re.findall(r'<select name="agent"[^>]*>', refused.text)
    assert "required" not in select, "a browser lets another team be sent"
    refused = olga.post("/widgets/new/", typed | {"team": "team-c", "agent": ""})
    assert refused.status_code == 422 and "No assistant answers Team C yet." in refused.text
    assert not Widget.objects.exists()
    assert olga.post("/widgets/new/", typed | {"team": "team-b"})["Location"] == url(Widget.objects.get())


def test_two_people_do_not_overwrite_each_other(cast: Cast, bella: Client) -> None:
    widget = make.make_widget(cast.team_a)
    bella.post(url(widget), form_of(widget, limit_cost_day_micros="0.50"))
    widget.refresh_from_db()
    mine = form_of(widget, greeting="mine", limit_visitor_day="7", limit_cost_day_micros="0.5")
    bella.post(url(widget), form_of(widget, greeting="theirs", limit_cost_day_micros="0.5"))
    stale = bella.post(url(widget), mine)
    assert stale.status_code == 409 and "Somebody changed" in stale.text
    assert "theirs" in stale.text and ">mine</textarea>" in stale.text.replace("\n", "") and 'value="7"' in stale.text
    assert "in “Greeting”, “Messages a day, each visitor”; saving again" in stale.text
    seen = re.search(r'name="seen_revision" value="(\d+)"', stale.text)
    assert seen and bella.post(url(widget), mine | {"seen_revision": seen[1]}).status_code == 302
    assert Widget.objects.get().greeting == "mine"


def test_the_preview_shows_what_is_typed_and_only_inside_the_console(cast: Cast, bella: Client) -> None:
    widget = make.make_widget(cast.team_a, title="Saved title")
    page = bella.get(url(widget))
    assert "frame-src 'self'" in page["Content-Security-Policy"]
    looked = bella.post(
        url(widget), form_of(widget, title="Typed & <b>", colour="#f5c518", do="look"), headers={"HX-Request": "true"}
    )
    assert looked.status_code == 200 and "too pale" in looked.text and "<html" not in looked.text
    assert Widget.objects.get().revision == 1, "looking saves nothing"
    whole = bella.post(url(widget), form_of(widget, title="Typed", do="look"))
    assert "title=Typed" in whole.text and 'value="Typed"' in whole.text
    source = re.search(r'<iframe src="([^"]+)"', looked.text)
    assert source
    framed = bella.get(source[1].replace("&amp;", "&"))
    assert (
        "Typed &amp; &lt;b&gt;" in framed.text
        and "#f5c518" in framed.text
        and "<script" not in framed.text
        and "<body inert>" in framed.text
    )
    policy = framed["Content-Security-Policy"]
    assert "frame-ancestors 'self'" in policy and "'unsafe-inline'" not in policy and "'nonce-" in policy
    assert framed["X-Frame-Options"] == "SAMEORIGIN"
    hostile = bella.get(
        "/widgets/preview/", {"colour": "red;}</style><script>", "language": "xx", "question": ["q"] * 9}
    )
    assert hostile.text.count(">q</button>") == 6 and "red;" not in hostile.text
    assert client_of(cast.bob).get("/widgets/preview/").status_code == 403


def test_the_secret_is_in_one_answer_only(cast: Cast, bella: Client) -> None:
    widget = make.make_widget(cast.team_a)
    secret = url(widget, "make_widget_secret")
    assert "Make the secret" in bella.get(secret).text
    made = bella.post(secret)
    assert "expires: expires" in made.text  # what it teaches is the form whose signatures end
    text = re.search(r"fws_[\w-]{43}", made.text)
    assert text and made["Cache-Control"] == "no-store"
    page = bella.get(url(widget)).text
    assert text[0] not in page and "Replace it" in page
    assert bella.post(url(widget), form_of(widget, needs_identity="on")).status_code == 302
    assert "must be vouched for" in bella.post(url(widget, "forget_widget_secret"), follow=True).text
    assert bella.post(url(widget), form_of(widget)).status_code == 302
    bella.post(url(widget, "forget_widget_secret"))
    assert Widget.objects.get().identity_secret == ""


def test_it_switches_off_and_on_and_deletes(cast: Cast, bella: Client) -> None:
    widget = make.make_widget(cast.team_a)
    bella.post(url(widget, "enable_widget"), {"to": "off"})
    assert "It is switched off" in bella.get(url(widget)).text
    bella.post(url(widget, "enable_widget"), {"to": "on"})
    assert "It is switched off" not in bella.get(url(widget)).text
    assert "erased" in bella.get(url(widget, "delete_widget")).text
    assert bella.post(url(widget, "delete_widget"))["Location"] == "/widgets/"
    assert bella.get(url(widget)).status_code == 404


def test_members_read_strangers_see_nothing_and_agents_know_their_widgets(cast: Cast, bella: Client) -> None:
    widget = make.make_widget(cast.team_a, make.make_agent(cast.team_a, "helper"), name="Help centre")
    bob, charlie = client_of(cast.bob), client_of(cast.charlie)
    page = bob.get(url(widget)).text
    assert "disabled" in page and "Save changes" not in page and "Delete widget" not in page
    assert bob.post(url(widget), form_of(widget, title="x")).status_code == 403
    assert "1 widget<" in bob.get("/widgets/").text
    assert "Help centre" in bob.get("/widgets/").text and "Help centre" not in charlie.get("/widgets/").text
    for name in ("widget", "enable_widget", "delete_widget", "make_widget_secret", "visits"):
        assert charlie.get(url(widget, name)).status_code in {404, 405}, name
        assert charlie.post(url(widget, name), {"to": "off"}).status_code in {404, 405}, name
    used = bella.get("/agents/helper/where-used/").text
    assert url(widget) in used and "Help centre" in used
    assert bella.post("/agents/helper/remove/").status_code == 409
    assert "Help centre" in bella.get("/palette/?q=help").text and "New widget" in bella.get("/palette/?q=make").text


def test_the_list_counts_today_in_as_many_queries_for_ten_more(cast: Cast, bella: Client) -> None:
    widget = make.make_widget(cast.team_a)
    make.make_visit(widget, "Hello?", "Hi.")
    today = period_start("day", now())
    for name, used in (("widget_day", 1234), ("cost_day_micros", 4_500_000)):
        Allowance.objects.create(widget=widget, name=name, subject="", period_start=today, used=used)
    page = bella.get("/widgets/").text
    assert "1,234" in page and ">$4.50<" in page and ">of $5.00<" in page
    Allowance.objects.filter(used=4_500_000).update(used=450)
    make.make_widget(cast.team_a, widget.agent, name="Quiet")
    page = bella.get("/widgets/").text
    assert ">$0.00045<" in page and ">$0.00<" in page, "nothing is as much in each row"
    with CaptureQueriesContext(
        connection,
    ) as few:
        bella.get("/widgets/")
    for _ in range(10):
        make.make_widget(cast.team_a, widget.agent)
    with CaptureQueriesContext(connection) as many:
        bella.get("/widgets/")
    assert len(many) == len(few)


def test_it_says_why_a_widget_answers_nobody(cast: Cast, bella: Client) -> None:
    theirs = make.make_agent(cast.team_b, "theirs", audience="organisation")
    widget = services.create_widget(
        actor=SYSTEM, team=cast.team_a, agent=theirs, name="W", origins=["https://shop.example"]
    )
    assert "Live" in bella.get(url(widget)).text
    type(theirs).objects.filter(pk=theirs.pk).update(audience="team")
    assert "does not answer Team A any more" in bella.get(url(widget)).text
    make.make_alias("with-tools", production=make.make_model(capabilities=["chat", "tools"]))
    make.make_tool(cast.team_a, "refund")
    doer = make.make_agent(cast.team_a, "doer", name="Doer", alias="with-tools", grants=[{"tool": "refund"}])
    assert "Doer" not in bella.get(url(widget)).text, "what works in runs is not offered"
    type(widget).objects.filter(pk=widget.pk).update(agent=doer)
    assert "Doer has tools, and works in runs" in bella.get(url(widget)).text
    assert "Answers nobody" in bella.get("/widgets/").text
