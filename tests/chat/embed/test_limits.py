"""Which limits hold for a widget, and that the last unit of each is given once."""

import datetime as dt
import threading

import pytest
from django.db import connection, transaction
from psycopg.types.json import Jsonb

from console.chat import sql as writing
from console.chat.embed import allowances
from console.chat.embed.errors import AllowanceSpent
from console.chat.embed.limits import DEFAULTS, MOST, limits_of
from console.chat.models import Allowance, Conversation, Held, Message, Visitor, Widget
from console.core.clock import now
from console.core.ids import uuid7
from console.gateway import sync
from console.gateway.connection import Connection
from console.gateway.cost_ceiling import CostCeiling
from tests import make


def test_it_takes_a_widgets_own_limits_within_the_most_and_ignores_nonsense() -> None:
    assert DEFAULTS.keys() == MOST.keys() and all(DEFAULTS[name] <= MOST[name] for name in DEFAULTS)
    assert limits_of({}) == DEFAULTS
    own = limits_of({"visitor_minute": 0, "visitor_day": 10**9, "network_day": "many", "widget_day": -1, "model": 3})
    assert (own["visitor_minute"], own["visitor_day"]) == (0, MOST["visitor_day"])
    assert (own["network_day"], own["widget_day"]) == (DEFAULTS["network_day"], DEFAULTS["widget_day"])
    assert own.keys() == DEFAULTS.keys()


def _widget(**limits: int) -> Widget:
    team = make.make_team()
    agent = make.make_agent(team)
    return Widget.objects.create(public_id=uuid7().hex[:20], team=team, agent=agent, name="Shop", limits=limits)


_TEN = CostCeiling(10, 10)


def _take(widget: Widget, visitor: str = "v", address: str = "192.0.2.1", most: CostCeiling = _TEN) -> None:
    uses = allowances.uses_of(widget, visitor=visitor, address=address, most=most, moment=now())
    with transaction.atomic():
        allowances.take(widget, uses)


@pytest.mark.parametrize(
    ("limit", "others"),
    [("visitor_minute", True), ("network_minute", False), ("widget_day", False), ("cost_day_micros", False)],
)
@pytest.mark.usefixtures("committed_db", "same_minute")
def test_it_gives_the_last_unit_once_and_counts_nothing_of_what_it_refuses(limit: str, others: bool) -> None:
    widget = _widget(**{limit: 30 if limit == "cost_day_micros" else 3})
    begin, taken, refused = threading.Barrier(8), [], []

    def ask(number: int) -> None:
        # Another visitor each time, unless the visitor's own limit is tried: new tokens bring nothing fresh.
        begin.wait()
        try:
            _take(widget, visitor="v" if others else f"v{number}")
            taken.append(number)
        except AllowanceSpent as error:
            refused.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (len(taken), len(refused)) == (3, 5)
    assert all(limit in str(error) and error.retry_after and error.retry_after > 0 for error in refused)
    assert {error.code for error in refused} == {"minute" if limit.endswith("_minute") else "day"}
    assert Allowance.objects.get(widget=widget, name="widget_day").used == 3
    with pytest.raises(AllowanceSpent):
        allowances.refuse_spent(
            widget,
            allowances.uses_of(widget, visitor="v", address="192.0.2.1", most=CostCeiling(1, 1), moment=now()),
        )


def test_it_counts_networks_together_whatever_their_visitors_call_themselves(db: None) -> None:
    assert allowances.network_of("192.0.2.1") == "192.0.2.1"
    assert allowances.network_of("2001:db8:1:2:3::4") == allowances.network_of("2001:db8:1:2:ffff::1")
    assert allowances.network_of("2001:db8:1:2::4") != allowances.network_of("2001:db8:1:3::4")
    assert allowances.network_of("") == allowances.network_of("nonsense") == "unknown"
    widget = _widget(network_day=1)
    _take(widget, visitor="one", address="2001:db8::1")
    with pytest.raises(AllowanceSpent):
        _take(widget, visitor="two", address="2001:db8::2")
    _take(widget, visitor="two", address="2001:db8:0:1::2")
    Allowance.objects.update(period_start=now() - dt.timedelta(days=3))
    allowances.forget_old()
    assert not Allowance.objects.exists()


@pytest.mark.usefixtures("committed_db")
def test_what_was_set_aside_makes_room_for_what_the_answer_came_to_once() -> None:
    widget = _widget(cost_day_micros=100)
    visitor = Visitor.objects.create(widget=widget, origin="https://shop.example")
    conversation = Conversation.objects.create(team=widget.team, agent=widget.agent, widget=widget, visitor=visitor)
    answer = Message.objects.create(conversation=conversation, role="assistant", status="writing")
    uses = allowances.uses_of(widget, visitor="v", address="", most=CostCeiling(500, 80), moment=now())
    with transaction.atomic():
        allowances.take(widget, uses)
        allowances.hold(answer, widget, uses)
    with pytest.raises(AllowanceSpent):
        _take(widget, most=CostCeiling(500, 80))

    fields = {
        **dict.fromkeys(("request_id", "agent_version_id", "latency_us", "first_token_us")),
        **{"id": answer.pk, "status": "done", "trouble": "", "text": "Yes.", "model": "m", "sources": Jsonb([])},
        **{"prompt_tokens": 20, "completion_tokens": 5, "cost_micros": 15},
    }

    async def end() -> None:
        link = Connection("test")
        for _ in range(2):
            await link.run(lambda inside: writing.end(inside, fields))
        await link.close()

    sync.run(end())
    used = dict(Allowance.objects.values_list("name", "used"))
    assert (used["cost_day_micros"], used["tokens_day"]) == (15, 25)
    assert not Held.objects.exists() and Message.objects.get().status == "done"
    _take(widget, most=CostCeiling(500, 80))
