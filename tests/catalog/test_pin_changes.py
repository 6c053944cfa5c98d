"""Everything that can be done to a pin beside moving it: canary, shadow, fallbacks, parameters, lane."""

import json
from typing import Any

import pytest
from django.test import Client

from console.audit.models import AuditEvent, Epoch
from console.catalog.models import PinMove
from console.catalog.services import pins
from console.catalog.services.versions import retire_version
from console.core.errors import BadInput, Conflict
from console.teams.actors import SYSTEM
from tests import make
from tests.catalog.scene import Scene
from tests.conftest import Cast


@pytest.fixture
def scene(cast: Cast) -> Scene:
    return Scene(cast.operator)


def url(verb: str) -> str:
    return f"/models/aliases/support-chat/{verb}/production/"


def test_a_canary_begins_grows_and_is_promoted(operator: Client, scene: Scene) -> None:
    share = {"version": str(scene.new.pk), "percent": 5, "reason": "Try it", "seen_revision": 1}
    assert operator.post(url("canary"), share).status_code == 302
    began = scene.pin.canary_since
    assert (scene.pin.canary_version, scene.pin.canary_percent, scene.pin.model_version) == (scene.new, 5, scene.old)
    assert operator.post(url("canary"), share | {"percent": 10, "seen_revision": 2}).status_code == 302
    assert scene.pin.canary_since == began
    page = operator.get("/models/aliases/support-chat/").content.decode()
    assert "10 % canary, the rest production" in page
    assert "Canary 5 % to 10 % for fake/new-2" in page
    assert operator.post(url("promote"), {"reason": "No errors", "seen_revision": 3}).status_code == 302
    assert (scene.pin.model_version, scene.pin.canary_version, scene.pin.canary_percent) == (scene.new, None, 0)
    assert scene.history() == [
        "Canary 5 % for fake/new-2",
        "Canary 5 % to 10 % for fake/new-2",
        "From fake/old-1 to fake/new-2",
    ]
    actions = AuditEvent.objects.filter(target_type="pin").order_by("id").values_list("action", flat=True)
    assert list(actions) == ["canary.set", "canary.set", "canary.promoted"]
    assert operator.post(url("roll-back"), {"reason": "Worse", "seen_revision": 4}).status_code == 302
    assert scene.pin.model_version == scene.old


def test_a_canary_ends_by_hand_and_with_a_move(operator: Client, scene: Scene) -> None:
    scene.change(pins.SetCanary(scene.new, 10))
    assert operator.post(url("end-canary"), {"reason": "Errors", "seen_revision": 2}).status_code == 302
    assert (scene.pin.canary_version, scene.pin.model_version) == (None, scene.old)
    scene.change(pins.SetCanary(scene.new, 10))
    scene.change(pins.Move(scene.spare))
    assert (scene.pin.canary_version, scene.pin.model_version) == (None, scene.spare)


def test_it_rolls_back_the_version_and_not_what_surrounds_it(scene: Scene) -> None:
    scene.change(pins.Move(scene.new))
    scene.change(pins.SetLane("batch"))
    scene.change(pins.SetParameters({"temperature": 0.2}))
    scene.change(pins.RollBack())
    assert (scene.pin.model_version, scene.pin.lane) == (scene.old, "batch")


def test_it_records_before_and_after_and_moves_the_epoch(scene: Scene) -> None:
    before = Epoch.objects.get().value
    scene.change(pins.SetFallbacks((pins.Step(scene.spare, ("busy", "error"), 2), pins.Step(scene.new, ("timeout",)))))
    assert Epoch.objects.get().value == before + 1
    line = AuditEvent.objects.get(action="pin.changed")
    detail = json.loads(line.detail)
    assert line.target == "support-chat@production"
    assert detail["before"] == {"fallbacks": []}
    assert detail["after"]["fallbacks"] == [
        {"model": "fake/spare-3", "on": ["error", "busy"], "tries": 2},
        {"model": "fake/new-2", "on": ["timeout"], "tries": 1},
    ]
    assert scene.history() == [
        "Fallbacks: fake/spare-3 after errors and busy answers (2 tries), then fake/new-2 after time-outs"
    ]
    scene.change(pins.SetFallbacks((pins.Step(scene.new),)))
    assert [step.model_version for step in scene.pin.fallbacks.all()] == [scene.new]
    scene.change(pins.SetFallbacks((pins.Step(scene.new), pins.Step(scene.spare))))
    scene.change(pins.Move(scene.new))
    assert [step.model_version for step in scene.pin.fallbacks.all()] == [scene.spare], "what fails is not asked again"


@pytest.mark.django_db
def test_it_refuses_what_makes_no_sense(scene: Scene) -> None:
    retired = make.make_model("gone")
    retire_version(actor=SYSTEM, version=retired)
    wrong: list[tuple[pins.Verb, str]] = [
        (pins.SetCanary(scene.old, 10), "means fake/old-1 in|means fake/old-1 already"),
        (pins.SetCanary(scene.new, 0), "write 1 to 100"),
        (pins.SetCanary(scene.new, 101), "write 1 to 100"),
        (pins.SetCanary(retired, 10), "is retired"),
        (pins.EndCanary(), "no canary to end"),
        (pins.PromoteCanary(), "no canary to promote"),
        (pins.RollBack(), "nothing to roll back to"),
        (pins.SetShadow(scene.old, 5), "a shadow is another version"),
        (pins.SetShadow(None), "Nothing would change"),
        (pins.SetFallbacks((pins.Step(scene.old),)), "tried twice"),
        (pins.SetFallbacks((pins.Step(scene.new), pins.Step(scene.new))), "tried twice"),
        (pins.SetFallbacks((pins.Step(scene.new, ()),)), "after which trouble"),
        (pins.SetFallbacks((pins.Step(scene.new, ("rain",)),)), "'rain' is no trouble"),
        (pins.SetFallbacks((pins.Step(scene.new, ("busy",), 9),)), "1 to 5 times, not 9"),
        (pins.SetFallbacks(tuple(pins.Step(scene.new) for _ in range(6))), "up to 5 steps"),
        (pins.SetParameters({"temprature": 1}), "'temprature' is not a parameter"),
        (pins.SetParameters({"temperature": 3}), "goes from 0 to 2"),
        (pins.SetParameters({"temperature": True}), "is a number"),
        (pins.SetParameters({"max_tokens": 1.5}), "is a whole number"),
        (pins.SetParameters({}, {"seed": 1}), "seed has no most"),
        (pins.SetParameters({"max_tokens": 500}, {"max_tokens": 100}), "above its most"),
        (pins.SetParameters({"reasoning_effort": "huge"}), "is one of"),
        (pins.SetLane("fast"), "'fast' is not a lane"),
    ]
    for verb, says in wrong:
        with pytest.raises(BadInput, match=says):
            scene.change(verb)
    assert not PinMove.objects.exists()
    assert scene.pin.revision == 1


def test_a_version_in_use_beside_a_pin_is_not_retired(scene: Scene) -> None:
    scene.change(pins.SetShadow(scene.spare, 5))
    with pytest.raises(Conflict, match=r"support-chat@production \(shadow\)"):
        retire_version(actor=SYSTEM, version=scene.spare)


def test_the_second_of_two_changes_sees_what_the_first_was(operator: Client, scene: Scene) -> None:
    scene.change(pins.SetLane("batch"), reason="Night work")
    late = {"version": str(scene.new.pk), "percent": 5, "reason": "Try it", "seen_revision": 1}
    page = operator.post(url("canary"), late)
    assert page.status_code == 409
    text = page.content.decode()
    assert "Olga changed support-chat in production (Fastest lane: batch)" in text and "Night work" in text
    assert 'name="seen_revision" value="2"' in text and 'value="5"' in text
    assert "It differs" not in text and text.count("Olga changed support-chat") == 1, "a pin's refusal says it all"
    assert operator.post(url("canary"), late, headers={"HX-Request": "true"}).status_code == 422


def test_a_shadow_ends_when_the_pin_moves_to_it(scene: Scene) -> None:
    scene.change(pins.SetShadow(scene.new, 20))
    scene.change(pins.Move(scene.spare))
    assert scene.pin.shadow_version == scene.new
    scene.change(pins.Move(scene.new))  # copies to itself would compare nothing and cost twice
    assert (scene.pin.shadow_version, scene.pin.shadow_percent) == (None, 0)


def test_the_page_says_what_callers_would_miss(operator: Client, scene: Scene) -> None:
    scene.old.capabilities, scene.old.context_tokens = ["chat", "tools", "json_schema"], 128_000
    scene.old.save()
    scene.new.prices.all().delete()
    form = operator.get("/models/aliases/support-chat/fallbacks/production/").content.decode()
    option = next(line for line in form.splitlines() if f'value="{scene.new.pk}"' in line and "fake/new-2" in line)
    assert "fake/new-2: no tools, no JSON schema, a context of 8,192 instead of 128,000 tokens, no price" in option
    scene.change(pins.SetFallbacks((pins.Step(scene.new),)))
    scene.change(pins.SetCanary(scene.spare, 10))
    page = operator.get("/models/aliases/support-chat/").content.decode()
    assert "the fallback <b" in page and "the canary <b" in page and "no tools; no JSON schema" in page
    scene.change(pins.Move(scene.spare))
    assert "the pin <b" in operator.get("/models/aliases/support-chat/").content.decode()


def test_its_forms_change_fallbacks_parameters_shadow_and_lane(operator: Client, scene: Scene) -> None:
    why = {"reason": "Steadier", "seen_revision": 1}
    chain = {"version_1": str(scene.spare.pk), "on_1": ["error", "busy"], "tries_1": 2, "version_2": "", "tries_2": 1}
    assert operator.post(url("fallbacks"), why | chain).status_code == 302
    values = {"default_temperature": "0.3", "most_max_tokens": "500", "default_reasoning_effort": "low"}
    assert operator.post(url("parameters"), why | values | {"seen_revision": 2}).status_code == 302
    shadow = {"version": str(scene.new.pk), "percent": 20, "seen_revision": 3}
    assert operator.post(url("shadow"), why | shadow).status_code == 302
    assert operator.post(url("lane"), why | {"lane": "standard", "seen_revision": 4}).status_code == 302
    pin = scene.pin
    assert [(s.model_version, s.on, s.tries) for s in pin.fallbacks.all()] == [(scene.spare, ["error", "busy"], 2)]
    assert pin.default_parameters == {"temperature": 0.3, "reasoning_effort": "low"}
    assert pin.max_parameters == {"max_tokens": 500}
    assert (pin.shadow_version, pin.shadow_percent, pin.lane) == (scene.new, 20, "standard")
    page = operator.get("/models/aliases/support-chat/").content.decode()
    for text in ("after error, busy, 2 tries", "temperature=0.3", "max_tokens≤500", "20 % to", "Standard"):
        assert text in page, text
    for verb in ("fallbacks", "parameters", "shadow", "lane", "canary"):
        asked = operator.get(url(verb))
        assert asked.status_code == 200 and b'name="seen_revision" value="5"' in asked.content, verb
    refused = operator.post(url("parameters"), why | {"default_temperature": "9", "seen_revision": 5})
    assert refused.status_code == 422 and b"less than or equal to 2" in refused.content


def test_members_look_and_touch_nothing(client: Client, cast: Cast, scene: Scene) -> None:
    scene.change(pins.SetCanary(scene.new, 10))
    client.force_login(cast.bob)
    page = client.get("/models/aliases/support-chat/")
    assert b"10 % canary" in page.content and b"Change</a>" not in page.content
    assert client.get(f"/models/versions/{scene.new.pk}/").status_code == 200
    assert client.post(url("end-canary"), {"reason": "x", "seen_revision": 2}).status_code == 403


def test_more_history_needs_no_more_queries(operator: Client, scene: Scene, django_assert_max_num_queries: Any) -> None:
    def look() -> int:
        with django_assert_max_num_queries(40) as seen:
            operator.get("/models/aliases/support-chat/")
        return len(seen)

    scene.change(pins.SetCanary(scene.new, 10))
    scene.change(pins.SetFallbacks((pins.Step(scene.spare),)))
    few = look()
    for percent in range(11, 21):
        scene.change(pins.SetCanary(scene.new, percent))
    more = [pins.Step(make.make_model(f"more-{n}")) for n in range(4)]
    scene.change(pins.SetFallbacks((pins.Step(scene.spare), *more)))
    assert look() <= few
