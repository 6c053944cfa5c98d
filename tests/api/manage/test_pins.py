"""Everything around pins over the management API: the JSON face of the same services as the pages."""

import pytest

from console.catalog.models import Provider
from console.catalog.services.health import note_failure
from tests import make
from tests.catalog.scene import Scene
from tests.conftest import Cast
from tests.programs import Program

PIN = "aliases/support-chat/pins/production/"


@pytest.fixture
def operator(cast: Cast):
    return Program(user=cast.operator)


@pytest.fixture
def scene(cast: Cast) -> Scene:
    return Scene(cast.operator)


def test_it_sets_everything_around_a_pin(operator, scene):
    seen = iter(range(1, 20))

    def change(method: str, path: str, **fields):
        answer = operator(method, f"{PIN}{path}", {"reason": "Steadier", "seen_revision": next(seen)} | fields)
        assert answer.status_code == 200, answer.content
        return answer.json()

    new, spare = str(scene.new.pk), str(scene.spare.pk)
    assert change("PUT", "canary/", model_version=new, percent=10)["canary_percent"] == 10
    assert change("POST", "canary/end/")["canary_version"] is None
    change("PUT", "canary/", model_version=new, percent=50)
    assert change("POST", "canary/promote/")["model"] == "fake/new-2"
    chain = [{"model_version": spare, "on": ["error"], "tries": 2}]
    assert change("PUT", "fallbacks/", fallbacks=chain)["fallbacks"] == [
        {"model": "fake/spare-3", "model_version": spare, "on": ["error"], "tries": 2}
    ]
    assert change("PUT", "shadow/", model_version=spare, percent=5)["shadow_percent"] == 5
    assert change("PUT", "shadow/", model_version=None)["shadow_version"] is None
    parameters = {"default_parameters": {"temperature": 0.5}, "max_parameters": {"max_tokens": 400}}
    assert change("PUT", "parameters/", **parameters)["max_parameters"] == {"max_tokens": 400}
    assert change("PUT", "lane/", lane="batch")["lane"] == "batch"
    told = operator("GET", f"{PIN}moves/").json()["data"]
    assert (told[0]["change"], told[0]["said"]) == ("lane", "Fastest lane: batch")
    shown = {pin["environment"]: pin for pin in operator("GET", "aliases/support-chat/").json()["pins"]}
    assert shown["production"]["fallbacks"] == [chain[0] | {"model": "fake/spare-3"}]
    assert shown["sandbox"]["fallbacks"] == []
    uses = operator("GET", f"models/{scene.spare.pk}/uses/").json()
    none = {"collection": None, "team": None}
    assert uses == [{"alias": "support-chat", "environment": "production", "roles": ["fallback"], **none}]


def test_it_says_what_is_wrong(operator, scene):
    why = {"reason": "x", "seen_revision": 1}
    for method, path, body, status, param in (
        ("PUT", "parameters/", {"default_parameters": {"temprature": 1}}, 400, "default_parameters"),
        ("PUT", "canary/", {"model_version": str(scene.old.pk), "percent": 5}, 400, "version"),
        ("PUT", "fallbacks/", {"fallbacks": [{"model_version": str(scene.new.pk), "on": ["rain"]}]}, 400, None),
        ("PUT", "lane/", {"lane": "batch", "seen_revision": 7}, 409, None),
        ("POST", "canary/end/", {"percent": 4}, 400, "percent"),
    ):
        answer = operator(method, f"{PIN}{path}", why | body)
        assert answer.status_code == status, (path, answer.content)
        assert param is None or answer.json()["error"]["param"] == param
    assert scene.pin.revision == 1


def test_two_people_decide_over_the_api(operator, scene, cast):
    other = Program(user=make.make_user("otto@example.com", is_superuser=True))
    assert operator("PUT", "aliases/support-chat/second-person/", {"is_required": True}).json()["needs_second_person"]
    waits = operator("PUT", f"{PIN}lane/", {"lane": "batch", "reason": "Night work", "seen_revision": 1})
    assert waits.status_code == 202 and waits.json()["sentence"] == "Fastest lane: batch"
    open_ones = other("GET", "proposals/?open=true").json()["data"]
    assert [one["proposed_by_name"] for one in open_ones] == ["Olga"]
    path = f"proposals/{waits.json()['id']}/"
    assert operator("POST", f"{path}approve/").status_code == 403
    assert other("POST", f"{path}approve/").json()["decision"] == "approved"
    assert scene.pin.lane == "batch"
    assert other("POST", f"{path}reject/", {"reason": "late"}).status_code == 409
    lift = operator("PUT", "aliases/support-chat/second-person/", {"is_required": False, "reason": "Slow"})
    assert lift.status_code == 202
    assert Program(user=cast.alice)("GET", "proposals/").status_code == 403


def test_it_shows_limits_incidents_and_imports_models(operator, scene):
    limits = {"max_concurrency": 4, "requests_per_minute": 60, "tokens_per_minute": 90_000}
    changed = operator("PATCH", "providers/fake/", limits | {"seen_revision": 1})
    assert {name: changed.json()[name] for name in limits} == limits and changed.json()["revision"] == 2
    late = operator("PATCH", "providers/fake/", {"name": "Late", "seen_revision": 1})
    assert late.status_code == 409 and "after you opened it" in late.json()["error"]["message"]
    assert operator("PATCH", "providers/fake/", {"max_concurrency": 0}).json()["error"]["param"] == "max_concurrency"
    note_failure(provider_id=Provider.objects.get().pk, code="upstream_timeout", sentence="No answer.", model="m")
    assert operator("GET", "providers/fake/incidents/").json()["data"][0]["code"] == "upstream_timeout"
    made = operator("POST", "providers/fake/import/", {"models": ["gpt-4o-mini", "old-1"]})
    assert made.status_code == 201 and [m["name"] for m in made.json()] == ["gpt-4o-mini"]
    pk = made.json()[0]["id"]
    price = {"input": "1", "output": "4", "reasoning": "6"}
    assert operator("POST", f"models/{pk}/prices/", price).json()["reasoning"] == "6.000000"
    assert operator("PATCH", f"models/{pk}/", {"description": "x", "seen_revision": 9}).status_code == 409
