"""What is switched with one click is a change like any other: who decided before it is told, and undoes nothing."""

from collections.abc import Callable
from typing import Any

import pytest

from agents_app.services import servers, tools, triggers
from console.catalog.services import providers, versions
from console.chat.services import widgets
from console.core.errors import Refusal
from console.notices.services import channels
from console.teams.actors import SYSTEM
from tests import make

pytestmark = pytest.mark.django_db
Change = Callable[..., Any]


def _provider() -> tuple[Any, Change, Change]:
    row = make.make_model("m").provider
    return (
        row,
        lambda: providers.enable_provider(actor=SYSTEM, provider=row, enabled=False),
        lambda **seen: providers.change_provider(actor=SYSTEM, provider=row, name="Other", **seen),
    )


def _version() -> tuple[Any, Change, Change]:
    row = make.make_model("m")
    return (
        row,
        lambda: versions.retire_version(actor=SYSTEM, version=row),
        lambda **seen: versions.change_version(actor=SYSTEM, version=row, description="Other", **seen),
    )


def _channel() -> tuple[Any, Change, Change]:
    row = make.make_channel(None)
    return (
        row,
        lambda: channels.enable_channel(actor=SYSTEM, channel=row, enabled=False),
        lambda **seen: channels.change_channel(actor=SYSTEM, channel=row, name="Other", **seen),
    )


def _tool() -> tuple[Any, Change, Change]:
    row = make.make_server_tool(make.make_server(make.make_team("Support")))
    return (
        row,
        lambda: tools.enable_tool(actor=SYSTEM, tool=row, enabled=False),
        lambda **seen: tools.change_tool(actor=SYSTEM, tool=row, timeout_seconds=7, **seen),
    )


def _server() -> tuple[Any, Change, Change]:
    row = make.make_server(make.make_team("Support"))
    return (
        row,
        lambda: servers.change_server(actor=SYSTEM, server=row, is_enabled=False),
        lambda **seen: servers.change_server(actor=SYSTEM, server=row, name="Other", **seen),
    )


def _trigger() -> tuple[Any, Change, Change]:
    team = make.make_team("Support")
    owner = make.make_user("ada@example.com")
    make.make_member(team, owner, "builder")
    agent = make.make_agent(team, "helper")
    row, _ = triggers.create_trigger(
        actor=SYSTEM,
        agent=agent,
        owner=owner,
        kind="webhook",
        name="Hook",
        config={"source": "grafana"},
        environment="production",
    )
    return (
        row,
        lambda: triggers.change_trigger(actor=SYSTEM, trigger=row, is_enabled=False),
        lambda **seen: triggers.change_trigger(actor=SYSTEM, trigger=row, name="Other", **seen),
    )


def _widget() -> tuple[Any, Change, Change]:
    row = make.make_widget(make.make_team("Support"))
    return (
        row,
        lambda: widgets.enable_widget(actor=SYSTEM, widget=row, is_enabled=False),
        lambda **seen: widgets.change_widget(actor=SYSTEM, widget=row, name="Other", **seen),
    )


@pytest.mark.parametrize(
    "made", [_provider, _version, _channel, _tool, _server, _trigger, _widget], ids=lambda made: made.__name__[1:]
)
def test_a_change_decided_before_a_switch_is_refused(made: Callable[[], tuple[Any, Change, Change]]) -> None:
    row, switch, change = made()
    row.refresh_from_db()
    seen = row.revision
    switch()
    switch()  # what is off already is no change
    row.refresh_from_db()
    assert row.revision == seen + 1
    with pytest.raises(Refusal) as caught:
        change(seen_revision=seen)
    assert caught.value.status == 409
    change(seen_revision=seen + 1)
