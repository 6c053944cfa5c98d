"""What visitors say, for the team of the widget: the list, one conversation, stepping in."""

import datetime as dt

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from console.chat.models import Conversation, Feedback, Message
from console.core.clock import now
from console.core.ids import request_id
from console.teams.models import Role
from tests import make
from tests.conftest import Cast
from tests.make import client_of
from tests.usage.rows import a_call, a_sum


def url(talk: Conversation, name: str = "visit") -> str:
    return reverse(f"chat:{name}", args=[talk.widget_id, talk.pk])


@pytest.fixture
def talk(cast: Cast) -> Conversation:
    """A visitor's question in Team A, answered, and found bad."""
    made = make.make_visit(make.make_widget(cast.team_a), "Where is <b>it</b>?", "Under *Billing*.")
    Feedback.objects.create(message=made.leaf, visitor=made.visitor, is_good=False, comment="There is no Billing")
    return made


@pytest.fixture
def bob(cast: Cast) -> Client:
    return client_of(cast.bob)


def test_the_list_shows_the_newest_first_and_who_waits(cast: Cast, talk: Conversation, bob: Client) -> None:
    asks = make.make_visit(talk.widget, "A person, please", person_wanted_at=now())
    asks.visitor.name = "Ines"
    asks.visitor.save()
    held = make.make_visit(talk.widget, "Still there?", taken_by=cast.alice, taken_at=now())
    Conversation.objects.filter(pk=held.pk).update(last_at=now() - dt.timedelta(days=3))
    make.make_visit(make.make_widget(cast.team_b), "Of another team")
    list_url = reverse("chat:visits", args=[talk.widget_id])
    page = bob.get(list_url)
    assert [row.conversation.pk for row in page.context["listing"].visits] == [asks.pk, talk.pk, held.pk]
    assert "Asks for a person" in page.text and "Ines" in page.text and "Of another team" not in page.text
    for state, found in (("waiting", {asks.pk, held.pk}), ("taken", {held.pk}), ("bad", {talk.pk})):
        shown = bob.get(list_url, {"state": state}).context["listing"].visits
        assert {row.conversation.pk for row in shown} == found, state
    assert bob.get(list_url, {"before": "nonsense", "state": "nonsense"}).status_code == 200
    piece = bob.get(list_url, headers={"HX-Request": "true", "HX-Target": "visits"}).text
    assert piece.lstrip().startswith("<section") and "<html" not in piece
    assert '<span class="nav-count">2<' in page.text and "2 waiting for a person" in bob.get("/widgets/").text


def test_the_overview_says_where_visitors_wait_to_those_who_may_answer(talk: Conversation, cast: Cast) -> None:
    for team in (cast.team_a, cast.team_b):
        a_sum(team, now())
    bob, charlie = client_of(cast.bob), client_of(cast.charlie)
    auditor = client_of(make.make_member(cast.team_a, role=Role.AUDITOR))
    assert "for a person" not in bob.get("/").text
    make.make_visit(talk.widget, "A person, please", person_wanted_at=now())
    page = bob.get("/").text
    assert "Needs you" in page and f"A visitor of {talk.widget} waits for a person" in page
    assert f"{reverse('chat:visits', args=[talk.widget_id])}?state=waiting" in page
    make.make_visit(talk.widget, "Still there?", taken_by=cast.alice, taken_at=now())
    assert f"2 visitors of {talk.widget} wait for a person" in bob.get("/?team=team-a").text
    for other in (auditor, charlie):
        assert "time-chart" in other.get("/").text and "for a person" not in other.get("/").text


def test_the_list_pages_and_costs_the_same_for_more(cast: Cast, bob: Client) -> None:
    widget = make.make_widget(cast.team_a)
    list_url = reverse("chat:visits", args=[widget.pk])
    make.make_visit(widget, "One")
    bob.get(list_url)
    with CaptureQueriesContext(connection) as few:
        bob.get(list_url)
    for number in range(44):
        make.make_visit(widget, f"Question {number}")
    Conversation.objects.filter(widget=widget).update(last_at=now() - dt.timedelta(minutes=5))  # all at once
    with CaptureQueriesContext(connection) as many:
        first = bob.get(list_url).context["listing"]
    assert len(many) == len(few) and len(first.visits) == 40
    rest = bob.get(list_url, {"before": first.older}).context["listing"]
    assert len({visit.conversation.pk for visit in (*first.visits, *rest.visits)}) == 45 and not rest.older
    for typed_over in ("x", first.older.partition("_")[0]):
        assert len(bob.get(list_url, {"before": typed_over}).context["listing"].visits) == 40


def test_the_team_reads_along_and_is_told_when_nothing_changed(talk: Conversation, bob: Client) -> None:
    page = bob.get(url(talk)).text
    assert "Where is &lt;b&gt;it&lt;/b&gt;?" in page and "<em>Billing</em>" in page
    assert "This did not help the visitor" in page and "There is no Billing" in page
    seen = page.split("?seen=")[1].split('"')[0]
    thread = {"HX-Request": "true", "HX-Target": "thread"}
    assert bob.get(url(talk), {"seen": seen}, headers=thread).status_code == 204
    Message.objects.filter(pk=talk.leaf_id).update(text="Under Billing, at the top.")
    changed = bob.get(url(talk), {"seen": seen}, headers=thread)
    assert "at the top" in changed.text and "<html" not in changed.text
    foot = {"HX-Request": "true", "HX-Target": "foot"}
    assert bob.get(url(talk), {"seen": ""}, headers=foot).status_code == 204


def test_a_visitors_call_in_the_log_leads_those_who_read_along_to_the_conversation(
    talk: Conversation, cast: Cast
) -> None:
    call, lost = (a_call(cast.team_a, surface="widget") for _ in range(2))
    Message.objects.filter(pk=talk.leaf_id).update(request_id=call)
    link = reverse("chat:of_record", args=[call])
    for reader in (cast.alice, make.make_member(cast.team_a, role=Role.AUDITOR)):
        client = client_of(reader)
        assert f"/chat/records/{request_id(call)}/" in client.get(f"/audit/{call}/").text
        assert client.get(link)["Location"] == url(talk)
        assert client.get(reverse("chat:of_record", args=[lost])).status_code == 404, "there is none any more"
    assert client_of(cast.charlie).get(link).status_code == 404
    own = a_call(cast.team_a, surface="chat", actor_kind="user", actor_id=cast.alice.pk)
    chat = Conversation.objects.create(team=cast.team_a, agent=make.make_agent(cast.team_a), owner=cast.alice)
    Message.objects.create(conversation=chat, role="assistant", text="Hello.", request_id=own)
    link = reverse("chat:of_record", args=[own])
    assert client_of(cast.alice).get(link)["Location"] == f"/chat/{chat.pk}/"
    olga = client_of(cast.operator)
    assert "/chat/records/" not in olga.get(f"/audit/{own}/").text and olga.get(link).status_code == 404


def test_a_member_takes_over_answers_and_gives_back_without_htmx(talk: Conversation, bob: Client, cast: Cast) -> None:
    early = bob.post(url(talk, "answer_visitor"), {"text": "kept words"})
    assert early.status_code == 409 and "Take the conversation over first" in early.text and "kept words" in early.text
    assert bob.post(url(talk, "take_over"), {"seen": ""})["Location"] == url(talk)
    assert "You answer since" in bob.get(url(talk)).text
    assert bob.post(url(talk, "answer_visitor"), {"text": "I am looking."})["Location"] == url(talk)
    empty = bob.post(url(talk, "answer_visitor"), {"text": " "})
    assert empty.status_code == 400 and "Write something first" in empty.text
    by_htmx = bob.post(url(talk, "answer_visitor"), {"text": "Found it."}, headers={"HX-Request": "true"})
    assert "Found it." in by_htmx.text and 'id="thread"' in by_htmx.text and "<html" not in by_htmx.text
    said = Message.objects.filter(role="person").order_by("pk")
    assert [(one.text, one.author, one.author_name) for one in said] == [
        ("I am looking.", cast.bob, "Bob"),
        ("Found it.", cast.bob, "Bob"),
    ]
    assert bob.post(url(talk, "give_back"))["Location"] == url(talk)
    talk.refresh_from_db()
    assert talk.taken_by is None and talk.leaf == said.last()


def test_the_second_is_told_who_has_it(talk: Conversation, bob: Client, cast: Cast) -> None:
    alice = client_of(cast.alice)
    bob.post(url(talk, "take_over"))
    late = alice.post(url(talk, "take_over"), {"seen": ""})
    assert late.status_code == 409 and "Bob answers this visitor since" in late.text
    assert "Take over from Bob" in late.text
    assert alice.post(url(talk, "take_over"), {"seen": str(cast.bob.pk)}).status_code == 302
    lost = bob.post(url(talk, "answer_visitor"), {"text": "kept words"})
    assert lost.status_code == 409 and "Alice answers" in lost.text and "kept words" in lost.text
    assert bob.post(url(talk, "give_back")).status_code == 409
    in_place = bob.post(url(talk, "answer_visitor"), {"text": "x"}, headers={"HX-Request": "true"})
    assert in_place.status_code == 422 and "Alice answers" in in_place.text
    assert in_place["HX-Retarget"] == "#cannot-send"


def test_roles_and_teams_decide_who_reads_and_who_answers(talk: Conversation, cast: Cast) -> None:
    auditor = client_of(make.make_member(cast.team_a, role=Role.AUDITOR))
    assert "You read along" in auditor.get(url(talk)).text
    assert auditor.post(url(talk, "take_over")).status_code == 403
    assert "You may not ask here" in auditor.get("/chat/").text
    charlie = client_of(cast.charlie)
    own = make.make_visit(make.make_widget(cast.team_b), "Hello")
    for name in ("take_over", "answer_visitor", "give_back"):
        assert charlie.post(url(talk, name), {"text": "x"}).status_code == 404, name
        nested = reverse(f"chat:{name}", args=[own.widget_id, talk.pk])
        assert charlie.post(nested, {"text": "x"}).status_code == 404, "of another widget than the one in the address"
    assert charlie.get(reverse("chat:visit", args=[own.widget_id, talk.pk])).status_code == 404
    assert charlie.get(reverse("chat:conversation", args=[talk.pk])).status_code == 404
    assert Conversation.objects.get(pk=talk.pk).taken_by is None and not Message.objects.filter(role="person").exists()
