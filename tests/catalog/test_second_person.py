"""Two people: a change waits, somebody else decides, nobody agrees with themselves."""

import json

import pytest

from console.audit.models import AuditEvent
from console.catalog.models import Alias, PinMove, PinProposal
from console.catalog.services import aliases, pins
from console.core.errors import BadInput, Conflict, NotAllowed
from console.teams.actors import SYSTEM
from console.teams.models import User
from tests import make
from tests.catalog.scene import Scene
from tests.conftest import Cast
from tests.make import actor_for as person
from tests.make import client_of


class Two(Scene):
    def __init__(self, cast: Cast) -> None:
        super().__init__(cast.operator)
        self.other = make.make_user("otto@example.com", is_superuser=True)
        aliases.require_second_person(actor=self.actor, alias=self.alias)

    def propose(self, verb: pins.Verb | None = None) -> PinProposal:
        proposal = self.ask(verb or pins.Move(self.new), reason="Better answers")
        assert isinstance(proposal, PinProposal)
        return proposal


@pytest.fixture
def two(cast: Cast) -> Two:
    return Two(cast)


def test_a_change_waits_and_somebody_else_approves_it(two: Two, cast: Cast) -> None:
    olga, otto = client_of(cast.operator), client_of(two.other)
    move = {"to": str(two.new.pk), "reason": "Better answers", "seen_revision": 1}
    assert olga.post("/models/aliases/support-chat/move/production/", move).status_code == 302
    assert two.pin.model_version == two.old
    proposal = PinProposal.objects.get()
    assert proposal.sentence == "From fake/old-1 to fake/new-2"
    mine, theirs = (c.get("/models/aliases/support-chat/").content.decode() for c in (olga, otto))
    assert "Waiting for somebody else" in mine and ">Approve</a>" not in mine and ">Withdraw</a>" in mine
    assert "Olga proposes a change in production" in theirs and ">Approve</a>" in theirs
    assert "Your change to support-chat waits for somebody else" in olga.get("/").content.decode()
    assert "Olga proposes a change to support-chat" in otto.get("/").content.decode()
    address = f"/models/proposals/{proposal.pk}/approve/"
    refused = olga.post(address, {"reason": ""})
    assert refused.status_code == 422 and b"Somebody else has to agree" in refused.content
    assert otto.get(address).status_code == 200
    assert otto.post(address, {"reason": "Agreed"}).status_code == 302
    assert two.pin.model_version == two.new
    move_made = PinMove.objects.get()
    assert (move_made.moved_by_name, move_made.agreed_by_name, move_made.reason) == ("Olga", "Otto", "Better answers")
    line = AuditEvent.objects.get(action="pin.moved")
    assert line.actor == "Otto" and json.loads(line.detail)["proposed_by"] == "Olga"
    late = otto.post(address, {"reason": ""})
    assert late.status_code == 422 and b"Otto has approved this proposal already" in late.content


def test_a_rejection_says_why_and_changes_nothing(two: Two, cast: Cast) -> None:
    proposal = two.propose()
    address = f"/models/proposals/{proposal.pk}/reject/"
    assert client_of(two.other).post(address, {"reason": ""}).status_code == 422
    assert client_of(two.other).post(address, {"reason": "Not yet measured"}).status_code == 302
    proposal.refresh_from_db()
    assert (proposal.decision, proposal.decided_by_name, proposal.decision_reason) == (
        "rejected",
        "Otto",
        "Not yet measured",
    )
    assert two.pin.model_version == two.old
    assert AuditEvent.objects.get(action="proposal.rejected").reason == "Not yet measured"


def test_whoever_proposed_it_takes_it_back(two: Two, cast: Cast) -> None:
    proposal = two.propose()
    assert client_of(cast.operator).post(f"/models/proposals/{proposal.pk}/reject/", {"reason": ""}).status_code == 302
    proposal.refresh_from_db()
    assert proposal.decision == "withdrawn"


def test_only_one_proposal_waits_for_a_pin(two: Two) -> None:
    two.propose()
    with pytest.raises(Conflict, match="A proposal of Olga waits already"):
        two.propose(pins.SetLane("batch"))


def test_a_pin_that_changed_since_is_not_changed_again(two: Two) -> None:
    two.change(pins.Move(two.spare), actor=SYSTEM)
    two.propose()
    two.change(pins.RollBack())
    proposal = PinProposal.objects.get()
    with pytest.raises(Conflict, match="Olga moved support-chat"):
        pins.approve_proposal(actor=person(two.other), proposal=proposal)
    proposal.refresh_from_db()
    assert proposal.decision == ""


def test_the_way_back_and_sandbox_do_not_wait(two: Two) -> None:
    two.change(pins.Move(two.new), actor=SYSTEM)
    two.change(pins.SetCanary(two.spare, 5), actor=SYSTEM)
    two.change(pins.EndCanary())
    two.change(pins.RollBack())
    assert two.pin.model_version == two.old
    pins.move_pin(actor=two.actor, alias=two.alias, environment="sandbox", to=two.spare, reason="Try", seen_revision=1)
    with pytest.raises(pins.SecondPersonNeeded):
        two.change(pins.Move(two.new))


def test_what_cannot_be_done_is_refused_when_it_is_proposed(two: Two) -> None:
    for verb in (pins.Move(two.old), pins.SetLane("fast"), pins.SetLane("")):
        with pytest.raises(BadInput):
            two.ask(verb)
    assert not PinProposal.objects.exists()


def test_every_verb_survives_waiting(two: Two) -> None:
    verbs: list[pins.Verb] = [
        pins.SetCanary(two.new, 10),
        pins.PromoteCanary(),
        pins.SetShadow(two.old, 5),
        pins.SetShadow(None),
        pins.SetFallbacks((pins.Step(two.spare, ("busy",), 3),)),
        pins.SetParameters({"temperature": 0.1}, {"max_tokens": 50}),
        pins.SetLane("standard"),
        pins.Move(two.old),
    ]
    for verb in verbs:
        pins.approve_proposal(actor=person(two.other), proposal=two.propose(verb))
    pin = two.pin
    step = pin.fallbacks.get()
    assert (step.model_version, step.on, step.tries) == (two.spare, ["busy"], 3)
    assert (pin.default_parameters, pin.max_parameters) == ({"temperature": 0.1}, {"max_tokens": 50})
    assert (pin.lane, pin.model_version, pin.shadow_version) == ("standard", two.old, None)
    assert PinMove.objects.filter(agreed_by_name="Otto").count() == len(verbs)


def test_one_person_begins_the_rule_and_two_end_it(cast: Cast) -> None:
    scene = Scene(cast.operator)
    olga = client_of(cast.operator)
    address = "/models/aliases/support-chat/second-person/"
    assert b"One person cannot lift the rule alone" in olga.get(address).content
    assert olga.post(address, {}).status_code == 302
    assert Alias.objects.get().needs_second_person
    assert olga.post(address, {"reason": "Too slow"}).status_code == 302
    assert Alias.objects.get().needs_second_person
    with pytest.raises(Conflict, match="lift that rule first"):  # or one person deletes it and makes it anew
        aliases.delete_alias(actor=scene.actor, alias=scene.alias)
    proposal = PinProposal.objects.get()
    with pytest.raises(NotAllowed):
        pins.approve_proposal(actor=scene.actor, proposal=proposal)
    other = make.make_user("otto@example.com", is_superuser=True)
    aliases.change_alias(actor=scene.actor, alias=scene.alias, description="Meant for refunds now")
    with pytest.raises(Conflict, match="was changed since"):
        pins.approve_proposal(actor=person(other), proposal=proposal)
    pins.reject_proposal(actor=scene.actor, proposal=proposal, reason="")
    assert olga.post(address, {"reason": "Too slow"}).status_code == 302
    pins.approve_proposal(actor=person(other), proposal=PinProposal.objects.get(decision=""))
    assert not Alias.objects.get().needs_second_person


def test_both_are_operators_when_it_is_carried_out(two: Two, cast: Cast) -> None:
    proposal = two.propose()
    for who, refusal in ((cast.operator, Conflict), (two.other, NotAllowed)):
        for field in ("is_active", "is_superuser"):
            User.objects.filter(pk=who.pk).update(**{field: False})
            with pytest.raises(refusal):
                pins.approve_proposal(actor=person(two.other), proposal=proposal)
            User.objects.filter(pk=who.pk).update(**{field: True})
    assert two.pin.model_version == two.old
    pins.approve_proposal(actor=person(two.other), proposal=proposal)
    assert two.pin.model_version == two.new


def test_nobody_but_operators_sees_proposals(two: Two, cast: Cast) -> None:
    proposal = two.propose()
    bob = client_of(cast.bob)
    assert b"proposes a change" not in bob.get("/models/aliases/support-chat/").content
    assert bob.post(f"/models/proposals/{proposal.pk}/approve/", {"reason": ""}).status_code == 403
