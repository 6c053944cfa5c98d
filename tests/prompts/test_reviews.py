"""Somebody else looks before a protected label moves."""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client
from django.urls import reverse

from console.audit.models import AuditEvent
from console.core.errors import BadInput, Conflict, NotAllowed
from console.teams.actors import SYSTEM, Actor
from console.teams.models import Membership, Role, User
from console.teams.services import people, teams
from console.teams.services.keys import hand_over_key, rotate_key
from prompts_app.errors import OwnReview, ReviewNeeded, StaleLabel
from prompts_app.models import Label, Prompt, Review
from prompts_app.services import drafts, labels, prompts, reviews, waivers
from tests import make
from tests.at_once import at_once
from tests.conftest import Cast
from tests.make import actor_for as actor
from tests.make import client_of


@dataclass
class Scene:
    cast: Cast
    prompt: Prompt
    ann: Actor  # an approver
    ben: Actor  # a builder

    def ask(self, actor: Actor | None = None, **fields: Any) -> Review:
        prompt = Prompt.objects.select_related("head").get(pk=self.prompt.pk)
        fields = {"label": "production", "reason": "kinder", "seen_revision": 1, "version": prompt.head, **fields}
        return reviews.request_review(actor=actor or self.ben, prompt=prompt, **fields)


def _scene(cast: Cast) -> Scene:
    prompt = make.make_prompt(cast.team_a, "a", "one\ntwo")
    labels.set_rule(actor=SYSTEM, team=cast.team_a, label="production", needs_review=True)
    make.save(prompt, "one\nthree")
    ann, ben = make.make_member(cast.team_a, role=Role.APPROVER), make.make_member(cast.team_a, role=Role.BUILDER)
    return Scene(cast, prompt, actor(ann), actor(ben))


@pytest.fixture
def scene(cast: Cast) -> Scene:
    return _scene(cast)


def test_it_approves_for_the_next_publish_only(scene: Scene) -> None:
    review = scene.ask()
    with pytest.raises(ReviewNeeded):
        make.publish(scene.prompt, actor=scene.ben)
    remark = reviews.comment(actor=scene.ann, review=review, text=" why? ", line=2)
    assert (remark.text, remark.line, remark.message_index) == ("why?", 2, 0)
    decided = reviews.decide(actor=scene.ann, review=review, decision="approve", note="good")
    assert (decided.status, decided.decided_by_name) == ("approved", scene.ann.name)
    assert Label.objects.get().version.number == 1, "approving does not publish"
    assert make.publish(scene.prompt, actor=scene.ben).version.number == 2
    said = set(AuditEvent.objects.filter(action__startswith="review.").values_list("action", flat=True))
    assert said == {"review.requested", "review.commented", "review.approved"}

    # It is one move, also of a label that is not there before it, nor after it was taken off.
    def protect(*, is_protected: bool) -> None:
        labels.set_rule(actor=SYSTEM, team=scene.cast.team_a, label="beta", needs_review=is_protected)

    protect(is_protected=True)
    first = scene.ask(label="beta", seen_revision=0)
    reviews.decide(actor=scene.ann, review=first, decision="approve")
    beta = make.publish(scene.prompt, label="beta", actor=scene.ben)
    protect(is_protected=False)
    removal = {"label": "beta", "reason": "x", "seen_revision": beta.revision}
    labels.remove_label(actor=scene.ben, prompt=scene.prompt, **removal)
    protect(is_protected=True)
    with pytest.raises(ReviewNeeded):
        make.publish(scene.prompt, label="beta", actor=scene.ben)


def test_nobody_decides_their_own_request(scene: Scene) -> None:
    review = scene.ask(actor(scene.cast.alice))  # an owner: may build and approve
    with pytest.raises(OwnReview, match="Somebody else"):
        reviews.decide(actor=actor(scene.cast.alice), review=review, decision="approve")
    key, _ = make.make_key(scene.cast.team_a, owner=scene.cast.alice, scopes=["prompts:write", "prompts:review"])
    with pytest.raises(OwnReview):
        reviews.decide(actor=Actor("key", key.pk, "key"), review=review, decision="approve")
    reviews.withdraw(actor=scene.ben, review=review)
    by_key = scene.ask(Actor("key", key.pk, "key"))
    with pytest.raises(OwnReview):
        reviews.decide(actor=actor(scene.cast.alice), review=by_key, decision="approve")
    # Who the key, or the one that follows it, was handed to: one program could ask, and agree with itself.
    ann = User.objects.get(pk=scene.ann.id)
    heir, _ = rotate_key(actor=SYSTEM, key=hand_over_key(actor=SYSTEM, key=key, owner=ann))
    for decides in (Actor("key", heir.pk, "key"), scene.ann, actor(scene.cast.alice)):
        with pytest.raises(OwnReview):
            reviews.decide(actor=decides, review=by_key, decision="approve")
    client = client_of(ann)
    assert "You requested it" in client.get(reverse("prompts:review", args=[scene.prompt.slug, by_key.pk])).text
    assert not Review.objects.filter(status="approved").exists()


def test_only_people_who_may_approve_now_decide(scene: Scene) -> None:
    review = scene.ask()
    nobodys, _ = make.make_key(scene.cast.team_a, scopes=["prompts:review"])
    stranger = make.make_member(scene.cast.team_b, role=Role.APPROVER)
    member = actor(scene.cast.bob)
    for who in (member, actor(stranger), SYSTEM, Actor("key", nobodys.pk, "robot")):
        with pytest.raises(NotAllowed, match="may approve in Team A"):
            reviews.decide(actor=who, review=review, decision="approve")
    for decision, said, says in (("maybe", "", "approve or changes"), ("changes", " ", "what should change")):
        with pytest.raises(BadInput, match=says):
            reviews.decide(actor=scene.ann, review=review, decision=decision, note=said)


def test_changes_asked_for_make_room_for_a_new_request(scene: Scene) -> None:
    review = scene.ask()
    with pytest.raises(Conflict, match="version 2 for production already"):
        scene.ask()
    reviews.decide(actor=scene.ann, review=review, decision="changes", note="shorter")
    make.save(scene.prompt, "one")
    again = scene.ask()
    review.refresh_from_db()
    assert (review.status, again.version.number) == ("withdrawn", 3)
    with pytest.raises(Conflict, match="over: withdrawn"):
        reviews.decide(actor=scene.ann, review=review, decision="approve")


def test_an_approval_is_of_what_was_compared(scene: Scene) -> None:
    with pytest.raises(StaleLabel):
        scene.ask(seen_revision=9)
    with pytest.raises(BadInput, match="already"):
        scene.ask(version=scene.prompt.versions.get(number=1))
    other = make.make_prompt(scene.cast.team_b, "b", "x")
    with pytest.raises(BadInput, match="not a version of a"):
        scene.ask(version=other.head)
    review = scene.ask()
    Label.objects.update(revision=5)  # it moved in between
    with pytest.raises(StaleLabel, match="out of date"):
        reviews.decide(actor=scene.ann, review=review, decision="approve")
    for fields in ({"text": ""}, {"text": "x", "line": 3}, {"text": "x", "message_index": 1}):
        with pytest.raises(BadInput):
            reviews.comment(actor=scene.ann, review=review, **fields)


def test_an_approval_is_taken_back_until_it_is_used(scene: Scene) -> None:
    review = scene.ask()
    with pytest.raises(Conflict, match="no approval to take back: open"):
        reviews.take_back(actor=scene.ann, review=review)
    reviews.decide(actor=scene.ann, review=review, decision="approve", note="good")
    for who in (scene.ben, actor(scene.cast.bob), SYSTEM):
        with pytest.raises(NotAllowed):
            reviews.take_back(actor=who, review=review)
    back = reviews.take_back(actor=scene.ann, review=review)
    assert (back.status, back.decided_by, back.decided_by_name, back.decision_note) == ("open", None, "", "")
    line = AuditEvent.objects.get(action="review.approval_taken_back")
    assert (line.actor, json.loads(line.detail)["approved_by"]) == (scene.ann.name, scene.ann.name)
    with pytest.raises(ReviewNeeded):
        make.publish(scene.prompt, actor=scene.ben)
    reviews.decide(actor=actor(scene.cast.alice), review=review, decision="approve")
    newer = scene.ask(version=make.save(scene.prompt, "one\nfour"))  # asked while the older approval stands
    assert reviews.take_back(actor=scene.ann, review=review).status == "withdrawn"
    reviews.decide(actor=scene.ann, review=newer, decision="approve")
    make.publish(scene.prompt, newer.version, actor=scene.ben)
    with pytest.raises(StaleLabel, match="no longer counts"):
        reviews.take_back(actor=scene.ann, review=newer)


def test_an_approval_counts_as_long_as_whoever_gave_it_may_approve(scene: Scene, client: Client) -> None:
    review, ann = scene.ask(), Membership.objects.get(user=scene.ann.id)
    client.force_login(User.objects.get(pk=scene.ben.id))
    page = reverse("prompts:review", args=["a", review.pk])
    reviews.decide(actor=scene.ann, review=review, decision="approve")
    assert "Publish v2 to production</a>" in client.get(page).content.decode()

    make.make_member(scene.cast.team_b, ann.user, Role.MEMBER)
    teams.change_team(actor=SYSTEM, team=scene.cast.team_b, requires_two_factor=True)
    with pytest.raises(ReviewNeeded, match="version 2, lacks the second factor that a team of theirs requires"):
        make.publish(scene.prompt, actor=scene.ben)
    shown = client.get(page).content.decode()
    assert "Publish v2 to production</a>" not in shown and "requires, so it does not count" in shown
    with pytest.raises(NotAllowed, match="Set up a second factor first"):
        reviews.decide(actor=scene.ann, review=review, decision="approve")
    Authenticator.objects.create(user=ann.user, type=Authenticator.Type.TOTP, data={})
    assert "Publish v2 to production</a>" in client.get(page).content.decode()

    teams.change_role(actor=SYSTEM, membership=ann, role=Role.BUILDER)
    with pytest.raises(ReviewNeeded, match=f"{scene.ann.name}, who approved version 2, may not approve in Team A any"):
        make.publish(scene.prompt, actor=scene.ben)
    shown = client.get(page).content.decode()
    assert "Publish v2 to production</a>" not in shown and "so it does not count" in shown
    assert "Publish it when the moment is right" not in shown
    asked = client.get(reverse("prompts:publish", args=["a"]), {"version": 2, "label": "production"})
    assert "Request publication of" in asked.content.decode()

    teams.change_role(actor=SYSTEM, membership=ann, role=Role.APPROVER)
    people.disable_person(actor=SYSTEM, user=ann.user)
    with pytest.raises(ReviewNeeded):
        make.publish(scene.prompt, actor=scene.ben)
    people.enable_person(actor=SYSTEM, user=ann.user)
    teams.remove_member(actor=SYSTEM, membership=ann)
    with pytest.raises(ReviewNeeded):
        make.publish(scene.prompt, actor=scene.ben)
    alice = actor(scene.cast.alice)
    reviews.take_back(actor=alice, review=review)
    reviews.decide(actor=alice, review=review, decision="approve")
    assert make.publish(scene.prompt, actor=scene.ben).version.number == 2


def test_reviewers_and_publishers_take_their_turn(committed_db: None) -> None:
    scene = _scene(Cast())
    other, ann = actor(scene.cast.alice), scene.ann
    asked = at_once(scene.ask, scene.ask)
    assert {type(one) for one in asked} == {Review, Conflict}, asked
    review = Review.objects.get()
    decided = at_once(
        lambda: reviews.decide(actor=ann, review=review, decision="approve"),
        lambda: reviews.decide(actor=other, review=review, decision="approve"),
    )
    assert {type(one) for one in decided} == {Review, Conflict}, decided
    published, taken = at_once(
        lambda: make.publish(scene.prompt, actor=scene.ben), lambda: reviews.take_back(actor=ann, review=review)
    )
    is_live = Label.objects.get().version.number == 2
    if is_live:
        assert isinstance(published, Label) and isinstance(taken, StaleLabel)
    else:
        assert isinstance(published, ReviewNeeded) and taken.status == "open"


def test_drafts_are_kept_as_typed_and_others_are_told(scene: Scene) -> None:
    prompt, broken = scene.prompt, [{"role": "", "text": "half a {{"}]
    draft = drafts.keep_draft(actor=scene.ben, prompt=prompt, base=prompt.head, content=broken, message="wip")
    drafts.keep_draft(actor=scene.ben, prompt=prompt, base=prompt.head, content=broken, parameters={"top_p": 9})
    ben, ann = (User.objects.get(pk=who.id) for who in (scene.ben, scene.ann))
    kept = drafts.draft_of(prompt, ben)
    assert kept is not None and kept.pk == draft.pk and (kept.content, kept.parameters) == (broken, {"top_p": 9})
    assert [other.person for other in drafts.others_drafting(prompt, ann)] == [ben]
    assert not drafts.others_drafting(prompt, ben) and drafts.draft_of(prompt, ann) is None
    for content in ([{"role": "", "text": "x" * 400_000}], [{"role": "", "text": "\x00"}]):
        with pytest.raises(BadInput):
            drafts.keep_draft(actor=scene.ben, prompt=prompt, base=None, content=content)
    drafts.drop_draft(actor=scene.ann, prompt=prompt)
    drafts.drop_draft(actor=scene.ben, prompt=prompt)
    assert drafts.draft_of(prompt, ben) is None


def test_a_waiver_lets_one_prompt_leave_out_the_style_guide(scene: Scene) -> None:
    style = make.make_prompt(scene.cast.team_a, "style", "kind", kind="partial", live=None)
    with pytest.raises(BadInput, match="not required"):
        waivers.give_waiver(actor=scene.ann, prompt=scene.prompt, partial=style, reason="x")
    prompts.change_prompt(actor=SYSTEM, prompt=style, is_required=True, covers=[scene.cast.team_a])
    waiver = waivers.give_waiver(actor=scene.ann, prompt=scene.prompt, partial=style, reason="legal text")
    with pytest.raises(Conflict, match="already"):
        waivers.give_waiver(actor=scene.ann, prompt=scene.prompt, partial=style, reason="again")
    make.save(scene.prompt, "without")
    waivers.end_waiver(actor=scene.ann, waiver=waiver)
    with pytest.raises(BadInput, match="must include"):
        make.save(scene.prompt, "still without")
    assert AuditEvent.objects.get(action="waiver.given").reason == "legal text"
