"""Decisions: for exactly what was seen, once, by whoever may at that moment."""

import datetime as dt

import pytest
from django.core.exceptions import PermissionDenied

from agents_app.errors import AlreadyDecided
from agents_app.models import Approval, QueueItem, Run, Step
from agents_app.queries.run_state import requesters_of
from agents_app.services.approvals import decide_approval, extend_approval, why_not_decide
from agents_app.services.queues import create_queue, put
from agents_app.services.runs import Origin, cancel_run, start_run
from console.audit.models import AuditEvent
from console.core.clock import now
from console.core.errors import BadInput
from console.teams.actors import SYSTEM, Actor
from console.teams.models import ApiKey, Role
from console.teams.services.keys import hand_over_key, revoke_key, rotate_key
from tests import make


@pytest.fixture
def run(cast, agent):
    return make.make_run(agent, cast.bob)


def decide(approval, user, is_approved=True, **more):
    more.setdefault("seen_sha256", approval.sha256)
    return decide_approval(actor=make.actor_for(user), approval=approval, is_approved=is_approved, **more)


def test_an_approver_decides_once_and_the_run_goes_on(run, anna, cast):
    approval = make.make_approval(run)
    done = decide(approval, anna, message=" Fine. ")
    assert (done.state, done.message, done.decided_by, done.decided_by_name) == ("approved", "Fine.", anna, "Anna")
    run.refresh_from_db()
    assert run.state == "waiting" and run.wake_at <= now() + dt.timedelta(seconds=1)
    for again in (True, False):
        with pytest.raises(AlreadyDecided, match="Anna approved this"):
            decide(approval, cast.alice, again)
    line = AuditEvent.objects.get(action="approval.decided")
    assert (line.actor, line.reason) == ("Anna", "Fine.") and approval.sha256 in line.detail


def test_it_refuses_who_may_not_decide(run, anna, cast):
    approval = make.make_approval(run)
    for user in (cast.bob, cast.charlie, make.make_member(cast.team_a, role=Role.BUILDER)):
        with pytest.raises(PermissionDenied):
            decide(approval, user)
    key = Actor("key", cast.kim.pk, "kim")
    with pytest.raises(PermissionDenied, match="people"):
        decide_approval(actor=key, approval=approval, is_approved=True, seen_sha256=approval.sha256)
    anna.is_active = False
    anna.save()
    with pytest.raises(PermissionDenied):
        decide(approval, anna)
    assert Approval.objects.get(pk=approval.pk).state == "waiting"


def test_the_requester_does_not_decide_where_the_grant_says_so(agent, cast):
    run = make.make_run(agent, cast.alice)
    assert decide(make.make_approval(run), cast.alice).state == "approved"
    other = make.make_approval(run, is_for_others=True)
    with pytest.raises(PermissionDenied, match="somebody else"):
        decide(other, cast.alice)
    key, _ = make.make_key(cast.team_a, "hers", owner=cast.alice)
    Run.objects.filter(pk=run.pk).update(actor_kind="key", actor_id=key.pk)
    with pytest.raises(PermissionDenied, match="somebody else"):
        decide(other, cast.alice)


def test_nor_does_who_asked_for_it_in_a_roundabout_way(agent, cast, anna):
    otto = make.make_member(cast.team_a, make.make_user("otto@example.com"), Role.OWNER)
    hers, _ = make.make_key(cast.team_a, "hers", owner=cast.alice)
    work = {"message": "Refund 17."}
    by_key = start_run(
        actor=Actor("key", hers.pk, "hers"), agent=agent, input=work, environment="production", origin=Origin("api")
    )
    queue = create_queue(actor=SYSTEM, team=cast.team_a, slug="refunds", name="Refunds")
    item, _ = put(queue=queue, body=work, put_by_name="hers", put_by_id=hers.pk)
    hand_over_key(actor=make.actor_for(cast.alice), key=hers, owner=otto)
    called = make.make_run(agent, cast.bob, called_by=make.make_run(agent, cast.alice))
    from_queue = make.make_run(agent, cast.bob)
    QueueItem.objects.filter(pk=item.pk).update(run=from_queue)
    asked = ((by_key, cast.alice), (by_key, otto), (called, cast.alice), (from_queue, otto), (from_queue, cast.alice))
    for run, who in asked:
        with pytest.raises(PermissionDenied, match="somebody else"):
            decide(make.make_approval(run, is_for_others=True), who)
        assert decide(Approval.objects.get(run=run, state="waiting"), anna).state == "approved"


def test_who_answers_for_a_rotated_key_asked_for_its_runs(agent, cast, anna):
    bob, otto = cast.bob, make.make_member(cast.team_a, make.make_user("otto@example.com"), Role.MEMBER)
    alice, (old, _) = make.actor_for(cast.alice), make.make_key(cast.team_a, "old", owner=bob)
    run = make.make_run(agent, cast.alice)
    Run.objects.filter(pk=run.pk).update(actor_kind="key", actor_id=old.pk)
    asked = make.make_approval(Run.objects.get(pk=run.pk), kind="question", tool_name="ask")

    def may_decide():
        return {who for who in (bob, otto) if not why_not_decide(make.actor_for(who), asked)}

    new, _ = rotate_key(actor=alice, key=old, overlap=dt.timedelta(hours=1))
    newest, _ = rotate_key(actor=alice, key=new)
    hand_over_key(actor=alice, key=newest, owner=otto)
    assert may_decide() == {bob, otto}, "the old key is good still, and the newest goes on with its runs"
    ApiKey.objects.filter(pk=old.pk).update(expires_at=now())
    assert may_decide() == {otto} and requesters_of(asked.run) == {otto.pk}
    revoke_key(actor=alice, key=newest)
    assert may_decide() == {otto}, "somebody answers for what it did"


def test_it_refuses_what_was_not_seen_is_late_or_over(run, anna, cast):
    approval = make.make_approval(run)
    with pytest.raises(AlreadyDecided, match="not what you saw"):
        decide(approval, anna, seen_sha256="0" * 64)
    Approval.objects.filter(pk=approval.pk).update(expires_at=now() - dt.timedelta(seconds=1))
    with pytest.raises(AlreadyDecided, match="time to decide ended"):
        decide(approval, anna)
    later = make.make_approval(run)
    extended = extend_approval(actor=make.actor_for(anna), approval=later, seconds=7200)
    assert extended.expires_at > later.expires_at
    with pytest.raises(BadInput, match=f"until {extended.expires_at:%Y-%m-%d %H:%M} UTC already"):
        extend_approval(actor=make.actor_for(anna), approval=later, seconds=3600)
    assert Approval.objects.get(pk=later.pk).expires_at == extended.expires_at, "more time is never less"
    Approval.objects.filter(pk=later.pk).update(created_at=now() - dt.timedelta(days=29))
    with pytest.raises(BadInput, match="30 days in all"):
        extend_approval(actor=make.actor_for(anna), approval=later, seconds=2 * 86_400)
    assert extend_approval(actor=make.actor_for(anna), approval=later, seconds=7300)
    cancel_run(actor=make.actor_for(cast.bob), run=run)
    with pytest.raises(AlreadyDecided, match="run ended"):
        decide(later, anna)


def test_it_changes_only_arguments_that_may_be_edited_and_decides_about_the_whole_anew(run, anna):
    arguments = {"order": "17", "amount": 90}
    step = make.make_step(run, arguments=arguments)
    approval = make.make_approval(run, step, arguments=arguments, editable=["amount"])
    for edited, why in (
        ({"order": "18", "amount": 90}, "order may not be changed"),
        ({"order": "17", "amount": 90, "more": 1}, "more may not be changed"),
        ({"amount": 90}, "order may not be changed"),
        ({"order": "17", "amount": -5}, "may not be called"),
        ({"order": "17", "amount": "x"}, "may not be called"),
    ):
        with pytest.raises(BadInput, match=why):
            decide(approval, anna, edited_arguments=edited)
    done = decide(approval, anna, edited_arguments={"order": "17", "amount": 20})
    step = Step.objects.get(pk=step.pk)
    assert step.arguments == done.arguments == {"order": "17", "amount": 20}
    assert done.sha256 != approval.sha256 and step.decisions[-1]["edited"] is True
    line = AuditEvent.objects.get(action="approval.decided")
    assert '"amount": 90' in line.detail and '"amount": 20' in line.detail


def test_a_fixed_argument_stays_what_it_is_as_json(run, anna):
    loose = make.make_approval(run, arguments={"count": 1, "note": None}, editable=["amount"])
    for edited, why in (({"count": True, "note": None}, "count may not"), ({"count": 1}, "note may not")):
        with pytest.raises(BadInput, match=why):
            decide(loose, anna, edited_arguments=edited)
    assert decide(loose, anna, edited_arguments={"note": None, "count": 1}).sha256 == loose.sha256


def test_questions_are_answered_by_their_form_and_by_who_started_the_run(run, cast):
    form = {"type": "object", "properties": {"size": {"enum": ["s", "m"]}}, "required": ["size"]}
    question = make.make_approval(run, kind="question", form=form)
    for answer in (None, {}, {"size": "xl"}, {"size": "m", "more": 1}):
        with pytest.raises(BadInput):
            decide(question, cast.bob, answer=answer)
    assert decide(question, cast.bob, answer={"size": "m"}).answer == {"size": "m"}


def test_what_became_of_a_call_is_said_in_words(run, anna, cast):
    outcome = make.make_approval(run, make.make_step(run, state="unknown", arguments={}), kind="outcome", arguments={})
    for answer in (None, {"outcome": "maybe"}, {"outcome": "done", "result": 3}):
        with pytest.raises(BadInput):
            decide(outcome, anna, answer=answer)
    with pytest.raises(PermissionDenied):
        decide(outcome, cast.bob, answer={"outcome": "done"})
    assert decide(outcome, anna, answer={"outcome": "done", "result": "Refunded."}).state == "approved"
