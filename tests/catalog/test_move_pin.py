"""Moving a pin: a reason, a seen revision, a history, one winner."""

from functools import partial

import pytest
from django.test import Client

from console.audit.models import AuditEvent, Epoch
from console.catalog.models import Alias, ModelVersion, Pin, PinMove
from console.catalog.services.pins import move_pin, roll_back_pin
from console.catalog.services.versions import retire_version
from console.core.errors import BadInput, Conflict
from console.teams.actors import SYSTEM
from tests import make
from tests.at_once import at_once
from tests.conftest import Cast


class Scene:
    """support-chat means `old` in production; `new` is there to move to."""

    def __init__(self) -> None:
        self.old: ModelVersion = make.make_model("old-1")
        self.new: ModelVersion = make.make_model("new-2")
        self.alias: Alias = make.make_alias("support-chat")
        self.move(self.old, 0)

    @property
    def pin(self) -> Pin:
        return Pin.objects.select_related("alias", "model_version__provider").get(environment="production")

    def move(self, to: ModelVersion, seen: int, reason: str = "Because") -> Pin:
        return move_pin(
            actor=SYSTEM, alias=self.alias, environment="production", to=to, reason=reason, seen_revision=seen
        )


@pytest.fixture
def scene(db: None) -> Scene:
    return Scene()


URL = "/models/aliases/support-chat/move/production/"
BACK = "/models/aliases/support-chat/roll-back/production/"


def form(to: ModelVersion, seen: int = 1, reason: str = "Cheaper") -> dict[str, object]:
    return {"to": str(to.pk), "reason": reason, "seen_revision": seen}


def test_it_moves_and_keeps_history(operator: Client, scene: Scene) -> None:
    answer = operator.post(URL, form(scene.new))
    assert answer.status_code == 302
    assert answer["Location"] == "/models/aliases/support-chat/"
    assert (scene.pin.model_version, scene.pin.revision) == (scene.new, 2)
    move = PinMove.objects.first()
    assert move is not None
    assert (move.from_version, move.to_version, move.reason) == (scene.old, scene.new, "Cheaper")
    assert (move.moved_by_name, str(move.moved_by)) == ("Olga", "Olga")
    # The log finds it as it finds the alias's calls, and the alias's page leads there.
    found = AuditEvent.objects.filter(action="pin.moved", alias="support-chat").order_by("-id")
    assert found[0].target == "support-chat@production"
    assert "/audit/?alias=support-chat&amp;type=admin" in operator.get("/models/aliases/support-chat/").text
    same = operator.post(URL.replace("/move/", "/parameters/"), {"reason": "None", "seen_revision": 2})
    note = same.text.partition('role="alert"')[2].partition("</div>")[0]
    assert same.status_code == 422 and "Nothing would change" in note


def test_it_answers_htmx_with_a_redirect_header(operator: Client, scene: Scene) -> None:
    answer = operator.post(URL, form(scene.new), headers={"HX-Request": "true"})
    assert (answer.status_code, answer["HX-Redirect"]) == (204, "/models/aliases/support-chat/")
    assert scene.pin.model_version == scene.new


def test_it_writes_one_audit_line_and_moves_the_epoch(operator: Client, scene: Scene) -> None:
    lines, epoch = AuditEvent.objects.count(), Epoch.objects.get().value
    operator.post(URL, form(scene.new))
    assert (AuditEvent.objects.count(), Epoch.objects.get().value) == (lines + 1, epoch + 1)
    line = AuditEvent.objects.first()
    assert line is not None
    assert (line.action, line.target, line.actor) == ("pin.moved", "support-chat@production", "Olga")
    assert "fake/old-1" in line.detail
    assert "fake/new-2" in line.detail


def test_it_asks_for_a_reason(operator: Client, scene: Scene) -> None:
    answer = operator.post(URL, form(scene.new, reason=" "), headers={"HX-Request": "true"})
    assert answer.status_code == 422
    assert answer.content.lstrip().startswith(b"<dialog")
    assert scene.pin.model_version == scene.old


def test_it_says_what_changed_when_somebody_was_quicker(operator: Client, scene: Scene) -> None:
    third = make.make_model("third-3")
    scene.move(third, 1, reason="Olga's colleague was here")
    answer = operator.post(URL, form(scene.new, seen=1))
    assert answer.status_code == 409
    words = answer.content.decode()
    assert "Facet moved support-chat in production to fake/third-3" in words
    assert "Olga&#x27;s colleague was here" in words
    assert 'name="seen_revision" value="2"' in words
    assert 'value="Cheaper"' in words
    assert scene.pin.model_version == third


def test_it_shows_the_same_in_the_dialog(operator: Client, scene: Scene) -> None:
    scene.move(make.make_model("third-3"), 1)
    answer = operator.post(URL, form(scene.new, seen=1), headers={"HX-Request": "true"})
    assert answer.status_code == 422
    assert b"<html" not in answer.content
    assert b"Look again before you decide" in answer.content


def test_it_can_be_opened_without_script(operator: Client, scene: Scene) -> None:
    answer = operator.get(f"{URL}?to={scene.new.pk}")
    assert answer.status_code == 200
    assert f'<option value="{scene.new.pk}" selected>' in answer.content.decode()


def test_it_refuses_a_member(cast: Cast, client: Client, scene: Scene) -> None:
    client.force_login(cast.alice)
    assert client.post(URL, form(scene.new)).status_code == 403
    assert scene.pin.model_version == scene.old


def test_it_refuses_a_retired_version(scene: Scene) -> None:
    retire_version(actor=SYSTEM, version=scene.new)
    with pytest.raises(BadInput, match="retired"):
        scene.move(scene.new, 1)


def test_it_refuses_a_disabled_provider(scene: Scene) -> None:
    scene.new.provider.is_enabled = False
    scene.new.provider.save()
    with pytest.raises(BadInput, match="disabled"):
        scene.move(scene.new, 1)


def test_it_refuses_a_move_to_where_it_is(scene: Scene) -> None:
    with pytest.raises(BadInput, match="already"):
        scene.move(scene.old, 1)


def test_it_rolls_back_in_one_step(operator: Client, scene: Scene) -> None:
    scene.move(scene.new, 1)
    answer = operator.post(BACK, {"reason": "Tables were lost", "seen_revision": 2})
    assert answer.status_code == 302
    assert (scene.pin.model_version, scene.pin.revision) == (scene.old, 3)
    line = AuditEvent.objects.first()
    assert line is not None
    assert line.action == "pin.rolled_back"


def test_it_has_nothing_to_roll_back_to_at_first(scene: Scene) -> None:
    with pytest.raises(BadInput, match="nothing to roll back to"):
        roll_back_pin(actor=SYSTEM, pin=scene.pin, reason="x", seen_revision=1)


def test_it_refuses_to_roll_back_a_pin_that_moved_meanwhile(scene: Scene) -> None:
    scene.move(scene.new, 1)
    with pytest.raises(Conflict):
        roll_back_pin(actor=SYSTEM, pin=scene.pin, reason="x", seen_revision=1)


def test_the_first_pin_of_an_environment(scene: Scene) -> None:
    pin = move_pin(actor=SYSTEM, alias=scene.alias, environment="sandbox", to=scene.new, reason="Try", seen_revision=0)
    assert (pin.revision, pin.moves.get().from_version) == (1, None)
    with pytest.raises(Conflict, match="Facet moved support-chat in sandbox"):
        move_pin(actor=SYSTEM, alias=scene.alias, environment="sandbox", to=scene.old, reason="x", seen_revision=0)


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_wins() -> None:
    scene = Scene()
    versions = [make.make_model(f"v-{n}") for n in range(6)]
    outcomes = at_once(*(partial(scene.move, version, 1) for version in versions))
    assert sorted(type(one).__name__ for one in outcomes) == ["Overtaken"] * 5 + ["Pin"]
    assert (scene.pin.revision, PinMove.objects.count()) == (2, 2)
