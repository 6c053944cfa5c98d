"""Labels move with a reason, one move at a time, and back."""

from functools import partial
from typing import Any

import pytest

from console.audit.models import AuditEvent
from console.audit.sql import epoch
from console.core.errors import BadInput
from console.teams.actors import SYSTEM, Actor
from prompts_app import gates
from prompts_app.errors import CircularInclude, MissingPartial, ReviewNeeded, StaleLabel, TestsNeeded
from prompts_app.models import Label, LabelMove, Review
from prompts_app.rendering import fill_now
from prompts_app.services import labels
from prompts_app.text.refs import Ref
from tests import make
from tests.at_once import at_once
from tests.conftest import Cast


def test_it_moves_the_label_and_keeps_who_when_why_from_and_to(cast: Cast) -> None:
    alice = Actor("user", cast.alice.pk, "Alice")
    prompt = make.make_prompt(cast.team_a, "a", "one")
    make.make_prompt(cast.team_a, "p", "x", kind="partial")
    make.save(prompt, "two {{> p}}")
    before = epoch()
    label = make.publish(prompt, actor=alice, reason="clearer")
    assert (label.version.number, label.revision, epoch()) == (2, 2, before + 1)
    move = LabelMove.objects.first()
    assert move is not None and move.from_version is not None and move.to_version is not None
    assert (move.label, move.from_version.number, move.to_version.number) == ("production", 1, 2)
    assert (move.reason, move.moved_by, move.moved_by_name) == ("clearer", cast.alice, "Alice")
    prompt.refresh_from_db()
    assert prompt.revision == epoch() and prompt.includes == ["p"]
    line = AuditEvent.objects.filter(action="prompt.published").latest("id")
    assert line.reason == "clearer" and '"before": {"production": 1}' in line.detail

    back = labels.roll_back(actor=alice, prompt=prompt, label="production", reason="it was not", seen_revision=2)
    assert (back.version.number, back.revision) == (1, 3)
    assert AuditEvent.objects.filter(action="prompt.rolled_back").count() == 1


def test_it_refuses_what_makes_no_sense(cast: Cast) -> None:
    prompt, other = make.make_prompt(cast.team_a, "a", "one"), make.make_prompt(cast.team_b, "b", "one")
    for fields, says in (
        ({"reason": " "}, "Say why"),
        ({"label": "Not A Label"}, "cannot be a label"),
        ({"version": other.head}, "b@1 is not a version of a"),
        ({}, "points at version 1 already"),
    ):
        with pytest.raises(BadInput, match=says):
            make.publish(prompt, **fields)
    for action in (labels.roll_back, labels.remove_label):
        with pytest.raises(StaleLabel):
            action(actor=SYSTEM, prompt=prompt, label="production", reason="x", seen_revision=7)
    with pytest.raises(BadInput, match="nothing to roll back to"):
        labels.roll_back(actor=SYSTEM, prompt=prompt, label="production", reason="x", seen_revision=1)


def test_it_says_who_moved_it_since(cast: Cast) -> None:
    prompt = make.make_prompt(cast.team_a, "a", "one")
    make.save(prompt, "two")
    make.publish(prompt, actor=Actor("user", cast.alice.pk, "Alice"), reason="first")
    with pytest.raises(StaleLabel, match="Alice moved production to version 2 .*first"):
        make.publish(prompt, version=prompt.head, seen_revision=1)
    labels.remove_label(actor=SYSTEM, prompt=prompt, label="production", reason="gone", seen_revision=2)
    assert not Label.objects.exists()
    with pytest.raises(StaleLabel, match="Facet took production off"):
        make.publish(prompt, seen_revision=2)
    assert make.publish(prompt).revision == 4, "a revision never comes twice"


def test_it_does_not_publish_what_could_not_answer(cast: Cast) -> None:
    make.make_prompt(cast.team_a, "style", "kind", kind="partial", live=None)
    prompt = make.make_prompt(cast.team_a, "a", "{{> style}}", live=None)
    with pytest.raises(MissingPartial, match="'style'.*published"):
        make.publish(prompt)
    make.publish(prompt.__class__.objects.get(slug="style"))
    make.publish(prompt)
    make.publish(prompt, label="staging")  # a partial that is not staged is the one in production


def test_moving_labels_makes_no_circle(cast: Cast) -> None:
    """Versions that were fine when they were saved can be made into a circle by labels alone."""
    one = make.make_prompt(cast.team_a, "one", "plain", kind="partial")
    two = make.make_prompt(cast.team_a, "two", "{{> one}}", kind="partial", live=None)
    make.publish(two, make.save(two, "plain, too"))
    make.publish(one, make.save(one, "{{> two}}"))
    first, second = two.versions.get(number=1), two.versions.get(number=2)
    with pytest.raises(CircularInclude, match="two > one > two"):
        make.publish(two, first)
    make.publish(two, second, label="canary")
    make.publish(one, make.save(one, "{{> two:canary}}"))
    with pytest.raises(CircularInclude):
        make.publish(two, first, label="canary")
    # Whatever the labels say, a call is refused by name and does not go round.
    asker = make.make_prompt(cast.team_a, "asker", "{{> two:canary}}")
    Label.objects.filter(prompt=two, name="canary").update(version=first)
    with pytest.raises(CircularInclude, match="asker > two > one > two"):
        fill_now(asker.team_id, Ref("asker"), "production", {})


def test_a_protected_label_needs_an_approval_of_this_move(cast: Cast) -> None:
    prompt = make.make_prompt(cast.team_a, "a", "one")
    labels.set_rule(actor=SYSTEM, team=cast.team_a, label="production", needs_review=True)
    version = make.save(prompt, "two")
    make.publish(prompt, label="staging")
    with pytest.raises(ReviewNeeded, match="version 2 needs the approval"):
        make.publish(prompt)
    review = Review.objects.create(
        prompt=prompt, label="production", version=version, seen_revision=1, reason="x", status="approved",
        decided_by=cast.alice,
    )  # fmt: skip
    assert make.publish(prompt).version == version
    with pytest.raises(ReviewNeeded, match="not taken off"):
        labels.remove_label(actor=SYSTEM, prompt=prompt, label="production", reason="x", seen_revision=2)
    labels.roll_back(actor=SYSTEM, prompt=prompt, label="production", reason="one click", seen_revision=2)
    with pytest.raises(ReviewNeeded):
        make.publish(prompt)  # the approval was for a move from version 1 that has been made
    assert review.seen_revision == 1


def test_a_label_can_ask_for_green_tests(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    prompt = make.make_prompt(cast.team_a, "a", "one", live=None)
    labels.set_rule(actor=SYSTEM, team=cast.team_a, label="production", needs_review=False, needs_green_tests=True)
    monkeypatch.setattr(gates, "GATES", [])
    with pytest.raises(TestsNeeded, match="Nothing in this installation"):
        make.publish(prompt)
    said = ["Case 3 is red."]
    gates.GATES.append(lambda version, label: said)
    with pytest.raises(TestsNeeded, match="Case 3 is red"):
        make.publish(prompt)
    said.clear()
    make.publish(prompt)
    assert labels.set_rule(actor=SYSTEM, team=cast.team_a, label="production", needs_review=False) is None
    assert AuditEvent.objects.filter(action="label_rule.set", team_id=cast.team_a.pk).count() == 2


def test_two_publishers_at_once_move_it_once(committed_db: None) -> None:
    team = make.make_team("Racers")
    prompt = make.make_prompt(team, "a", "one")
    versions = [make.save(prompt, text) for text in ("two", "three", "four")]
    fields: dict[str, Any] = {"label": "production", "reason": "because", "seen_revision": 1}
    publish = partial(labels.publish, actor=SYSTEM, prompt=prompt, **fields)
    outcomes = at_once(*(partial(publish, version=version) for version in versions))
    winner = next(one for one in outcomes if isinstance(one, Label))
    losers = [one for one in outcomes if isinstance(one, StaleLabel)]
    assert len(losers) == 2 and winner.revision == 2
    assert all(f"to version {winner.version.number}" in str(loser) for loser in losers)
    assert LabelMove.objects.filter(label="production").count() == 2
