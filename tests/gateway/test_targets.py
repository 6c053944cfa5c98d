"""Who answers a call: shares of callers that are stable and true, and chains that skip what cannot serve."""

import uuid
from types import SimpleNamespace

from console.core.clock import now
from console.core.ids import uuid7
from console.gateway.asks import make_ask
from console.gateway.identity import StartedByKey
from console.gateway.plan import make_plan
from console.gateway.snapshot import load
from console.gateway.targets import is_in_share
from tests import make


def asked_by(who: str, **body: str) -> tuple[SimpleNamespace, SimpleNamespace]:
    return SimpleNamespace(actor_id=uuid.UUID(int=7)), SimpleNamespace(body={"user": who, **body})


def chosen(percent: int, callers: int = 10_000, alias: str = "support-chat") -> set[int]:
    return {n for n in range(callers) if is_in_share(percent, alias, *asked_by(f"customer {n}"))}


def test_ten_percent_of_ten_thousand_callers_within_sampling_error() -> None:
    ten = chosen(10)
    assert abs(len(ten) - 1000) < 4 * 30, "four standard deviations of a binomial with p = 0.1"
    assert chosen(10) == ten, "each caller always gets the same"
    assert ten < chosen(25) and chosen(100, 100) == set(range(100)), "a growing share keeps those it had"
    assert abs(len(ten & chosen(10, alias="sales-chat")) - 100) < 60, "another alias draws anew"


def test_ten_percent_of_ten_thousand_calls_are_planned_for_the_canary_and_each_caller_keeps_its_version(db) -> None:
    pinned, canary = make.make_model("pinned"), make.make_model("canary")
    alias = make.make_alias("support-chat", production=pinned)
    alias.pins.update(canary_version=canary, canary_percent=10)
    key, _ = make.make_key(make.make_team("Support"))
    snapshot = load()
    asker = StartedByKey(key.pk, "127.0.0.1", now())(snapshot)

    def route(customer: int) -> str:
        body = {"model": "support-chat", "messages": [{"role": "user", "content": "hi"}], "user": f"c{customer}"}
        ask = make_ask("chat", body, text="{}", id=uuid7(), at=now(), surface="api", route="", lane="")
        return make_plan(snapshot, asker, ask, input_sha256="", default_output=10).route

    routes = [route(customer) for customer in range(10_000)]
    shares = [is_in_share(10, alias.name, asker, SimpleNamespace(body={"user": f"c{n}"})) for n in range(10_000)]
    assert routes == ["canary" if is_in else "pin" for is_in in shares], "how true they are is seen above"
    assert [route(customer) for customer in range(1000)] == routes[:1000], "each caller stays with its version"


def test_an_identifier_for_safety_says_whom_a_call_is_for_before_the_user() -> None:
    both = [is_in_share(50, "a", *asked_by(str(n), safety_identifier="one and the same")) for n in range(50)]
    assert len(set(both)) == 1
