"""What holds of widgets whoever changes them: by the services, beneath the pages and the API."""

import json
from typing import Any

import pytest
from django.db import transaction

from agents_app.services import agents
from console.audit.models import AuditEvent, Epoch
from console.chat.errors import StaleWidget, UnknownWidget
from console.chat.models import Conversation, Message, Visitor, Widget
from console.chat.services import widgets
from console.chat.services.erasure import erase_deleted
from console.chat.widget_fields import check_origin, checked
from console.core.crypto import decrypt
from console.core.errors import BadInput
from console.teams.actors import SYSTEM
from tests import make
from tests.conftest import Cast


def test_it_is_made_changed_switched_and_deleted_each_on_record(cast: Cast) -> None:
    agent = make.make_agent(cast.team_a, "helper")
    widget = widgets.create_widget(actor=SYSTEM, team=cast.team_a, agent=agent, name=" Help  centre ")
    assert (widget.name, widget.origins, widget.is_enabled) == ("Help centre", [], True)
    assert len(widget.public_id) == 20 and widget.public_id.isalnum()
    changed = widgets.change_widget(
        actor=SYSTEM, widget=widget, seen_revision=1, origins=["HTTPS://Shop.Example:443/"], limits={"visitor_day": 3}
    )
    assert (changed.origins, changed.revision) == (["https://shop.example"], 2)
    same = widgets.change_widget(actor=SYSTEM, widget=widget, seen_revision=2, limits={"visitor_day": 3})
    assert same.revision == 2, "nothing changed, nothing is noted"
    with pytest.raises(StaleWidget, match="Somebody changed Help centre"):
        widgets.change_widget(actor=SYSTEM, widget=widget, seen_revision=1, name="Mine")
    before = Epoch.objects.get().value
    widgets.enable_widget(actor=SYSTEM, widget=widget, is_enabled=False)
    assert Epoch.objects.get().value > before, "whoever plans calls must notice"
    widgets.enable_widget(actor=SYSTEM, widget=widget, is_enabled=True)
    widgets.delete_widget(actor=SYSTEM, widget=widget)
    with pytest.raises(UnknownWidget):
        widgets.change_widget(actor=SYSTEM, widget=widget, name="Mine")
    lines = AuditEvent.objects.filter(target_id=str(widget.pk)).order_by("id")
    assert [line.action for line in lines] == [
        "widget.created", "widget.changed", "widget.disabled", "widget.enabled", "widget.deleted",
    ]  # fmt: skip
    detail = json.loads(lines[1].detail)
    assert detail["before"] == {"origins": [], "limits": {}}
    assert detail["after"] == {"origins": ["https://shop.example"], "limits": {"visitor_day": 3}}


def test_the_secret_is_kept_encrypted_and_shown_once(cast: Cast) -> None:
    widget = make.make_widget(cast.team_a)
    with pytest.raises(BadInput, match="Make the secret first"):
        widgets.change_widget(actor=SYSTEM, widget=widget, needs_identity=True)
    _, text = widgets.make_identity_secret(actor=SYSTEM, widget=widget)
    widget.refresh_from_db()
    assert text not in widget.identity_secret and decrypt(widget.identity_secret) == text
    widgets.change_widget(actor=SYSTEM, widget=widget, needs_identity=True)
    with pytest.raises(BadInput, match="must be vouched for"):
        widgets.forget_identity_secret(actor=SYSTEM, widget=widget)
    _, other = widgets.make_identity_secret(actor=SYSTEM, widget=widget)
    widget.refresh_from_db()
    assert other != text and decrypt(widget.identity_secret) == other
    widgets.change_widget(actor=SYSTEM, widget=widget, needs_identity=False)
    assert widgets.forget_identity_secret(actor=SYSTEM, widget=widget).identity_secret == ""
    written = " ".join(AuditEvent.objects.values_list("detail", flat=True))
    assert text not in written and other not in written


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("https://shop.example", "https://shop.example"),
        ("HTTPS://Shop.Example:443/", "https://shop.example"),
        ("https://shop.example:8443", "https://shop.example:8443"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://127.0.0.1", "http://127.0.0.1"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("shop.example", "lacks its scheme; write https"),
        ("localhost:3000", "lacks its scheme; write http:"),
        ("https://*.shop.example", "placeholder"),
        ("*.shop.example", "placeholder"),
        ("https://shop.example/help", "is not an origin"),
        ("https://shop.example?a", "is not an origin"),
        ("https://me@shop.example", "is not an origin"),
        ("ftp://shop.example", "is not an origin"),
        ("https://shop.example:99999", "is not an origin"),
        ("https://", "is not an origin"),
        ("null", "lacks its scheme"),
        ("http://shop.example", "not encrypted"),
        ("http://localhost.evil.example", "not encrypted"),
    ],
)
def test_an_origin_is_exact_or_refused_with_what_is_wrong(text: str, kept: str) -> None:
    if kept.startswith("http"):
        assert check_origin(text) == kept
    else:
        with pytest.raises(BadInput, match=kept):
            check_origin(text)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"name": "  "}, "name"),
        ({"name": "a\u202eb"}, "name"),
        ({"title": "x" * 81}, "title"),
        ({"greeting": "a\x00b"}, "greeting"),
        ({"greeting": "x" * 501}, "greeting"),
        ({"colour": "red"}, "colour"),
        ({"colour": "#12345"}, "colour"),
        ({"position": "top"}, "position"),
        ({"language": "xx"}, "language"),
        ({"suggested_questions": [f"q{n}" for n in range(7)]}, "suggested_questions"),
        ({"origins": "https://shop.example"}, "origins"),
        ({"origins": [f"https://s{n}.example" for n in range(51)]}, "origins"),
        ({"limits": {"visitor_day": 0}}, "limits.visitor_day"),
        ({"limits": {"visitor_day": 10**9}}, "limits.visitor_day"),
        ({"limits": {"visitor_day": True}}, "limits.visitor_day"),
        ({"limits": {"steps": 1}}, "limits.steps"),
        ({"limits": [1]}, "limits"),
        ({"needs_identity": "yes"}, "needs_identity"),
        ({"public_id": "x"}, "public_id"),
        ({"team": "x"}, "team"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(BadInput) as refused:
        checked(fields)
    assert refused.value.param == param


def test_limits_say_only_what_is_not_usual() -> None:
    kept = checked({"limits": {"visitor_day": 5, "network_day": None, "cost_day_micros": 0}})
    assert kept == {"limits": {"visitor_day": 5, "cost_day_micros": 0}}


def test_it_speaks_only_with_an_agent_that_answers_its_team(cast: Cast) -> None:
    theirs = make.make_agent(cast.team_b, "theirs")
    draft = make.make_agent(cast.team_a, "draft", is_live=False)
    make.make_alias("with-tools", production=make.make_model(capabilities=["chat", "tools"]))
    make.make_tool(cast.team_a, "refund")
    doer = make.make_agent(cast.team_a, "doer", alias="with-tools", grants=[{"tool": "refund"}])
    for agent, says in ((theirs, "is not shared with Team A"), (draft, "does not answer"), (doer, "has tools")):
        with pytest.raises(BadInput, match=says):
            widgets.create_widget(actor=SYSTEM, team=cast.team_a, agent=agent, name="W")
    agents.change_agent(actor=SYSTEM, agent=theirs, audience="teams", shared_with=[cast.team_a])
    widget = widgets.create_widget(actor=SYSTEM, team=cast.team_a, agent=theirs, name="W")
    with pytest.raises(Exception, match="in use: 1 of other teams"), transaction.atomic():
        agents.archive_agent(actor=SYSTEM, agent=theirs)
    ours = make.make_agent(cast.team_a, "ours")
    widgets.change_widget(actor=SYSTEM, widget=widget, agent=ours)
    agents.archive_agent(actor=SYSTEM, agent=theirs)
    with pytest.raises(BadInput, match="does not answer"):
        widgets.change_widget(actor=SYSTEM, widget=widget, agent=theirs)


def test_switching_off_ends_answers_and_deleting_erases_what_was_said(cast: Cast) -> None:
    widget, other = make.make_widget(cast.team_a), make.make_widget(cast.team_a)
    talk, kept = make.make_visit(widget, "Hello?"), make.make_visit(other, "Hello?", "Hi.")
    writing = Message.objects.create(conversation=talk, parent=talk.leaf, role="assistant", status="writing")
    widgets.enable_widget(actor=SYSTEM, widget=widget, is_enabled=False)
    writing.refresh_from_db()
    assert writing.status == "stopped"
    assert erase_deleted() == 0
    widgets.delete_widget(actor=SYSTEM, widget=widget)
    assert erase_deleted() == 1 and erase_deleted() == 0
    assert list(Conversation.objects.all()) == [kept] and Message.objects.count() == 2
    assert Visitor.objects.get().widget == other and Widget.objects.count() == 2
