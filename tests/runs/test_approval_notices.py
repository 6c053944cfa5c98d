"""Notices of approvals: to those who may decide, once, without arguments; to more people when nobody decides."""

import datetime as dt
import json

import pytest
from django.core import mail

from agents_app.engine import sweep
from agents_app.models import Approval, Run
from agents_app.services import approval_notices
from console.audit.models import AuditEvent
from console.core import signing
from console.core.clock import now
from console.notices.models import Delivery
from console.notices.services.delivery import send_due
from console.teams.models import Role
from console.teams.services.keys import hand_over_key, revoke_key, rotate_key
from console.teams.services.teams import remove_member
from tests import make
from tests.make import client_of


@pytest.fixture
def run(cast, agent):
    return make.make_run(agent, cast.bob)


def send(approval_id) -> bool:
    """Have somebody told, and what that puts on its way sent."""
    is_told = approval_notices.send(approval_id)
    send_due()
    return is_told


def told() -> list[str]:
    addresses = sorted(address for one in mail.outbox for address in one.to)
    return addresses


def test_it_mails_those_who_may_decide_once_and_keeps_arguments_in_the_console(run, anna, cast):
    approval = make.make_approval(run, arguments={"order": "secret-17"})
    assert send(approval.pk) and not send(approval.pk)
    assert told() == ["alice@example.com", "anna@example.com"]
    sent = mail.outbox[0]
    assert sent.subject == "Clerk asks about refund"
    assert run.public_id in sent.body and f"/approvals/{approval.pk}/" in sent.body
    assert "secret-17" not in sent.body and "{" not in sent.body
    decided = make.make_approval(run)
    Approval.objects.filter(pk=decided.pk).update(state="approved")
    assert not send(decided.pk)


def test_questions_reach_who_started_the_run_and_rules_keep_the_starter_out(run, anna, cast, agent):
    assert send(make.make_approval(run, kind="question").pk)
    assert told() == ["alice@example.com", "anna@example.com", "bob@example.com"]
    mail.outbox.clear()
    hers = make.make_run(agent, cast.alice)
    assert send(make.make_approval(hers, is_for_others=True).pk)
    assert told() == ["anna@example.com"]


def test_questions_of_a_keys_runs_reach_who_answers_for_it_and_they_may_look(run, anna, cast, agent):
    otto = make.make_member(cast.team_a, make.make_user("otto@example.com"), Role.MEMBER)
    key, _ = make.make_key(cast.team_a, "old", owner=cast.bob)
    Run.objects.filter(pk=run.pk).update(actor_kind="key", actor_id=key.pk)
    first = make.make_approval(run, kind="question", tool_name="ask")
    call = make.make_approval(run)
    assert send(first.pk)
    assert told() == ["alice@example.com", "anna@example.com", "bob@example.com"]
    newer, _ = rotate_key(actor=make.actor_for(cast.alice), key=key)
    hand_over_key(actor=make.actor_for(cast.alice), key=newer, owner=otto)
    mail.outbox.clear()
    second = make.make_approval(run, kind="question", tool_name="ask")
    assert send(second.pk)
    assert told() == ["alice@example.com", "anna@example.com", "otto@example.com"]
    for who, status in ((otto, 200), (cast.bob, 404)):
        client = client_of(who)
        pages = [f"/approvals/{second.pk}/", f"/runs/{run.public_id}/"]
        assert [client.get(page).status_code for page in pages] == [status, status], who
        assert client.get(f"/approvals/{call.pk}/").status_code == 404, "only what they are asked"
        assert str(call.pk) not in client.get(pages[1]).text, "nor with its arguments on the page of the run"
        assert (str(second.pk) in client.get("/approvals/").text) == (who == otto)
        if who == otto:
            assert "Answer" in client.get(pages[0]).text
    revoke_key(actor=make.actor_for(cast.alice), key=newer)
    assert client_of(otto).get(f"/approvals/{second.pk}/").status_code == 404, "nothing goes on with a revoked key"


def test_who_left_the_team_is_not_told_what_runs_of_their_key_ask(run, anna, cast):
    otto = make.make_member(cast.team_a, make.make_user("otto@example.com"), Role.MEMBER)
    key, _ = make.make_key(cast.team_a, "left behind", owner=otto)
    Run.objects.filter(pk=run.pk).update(actor_kind="key", actor_id=key.pk)
    remove_member(actor=make.actor_for(cast.alice), membership=otto.memberships.get())
    approval = make.make_approval(run, kind="question", tool_name="ask")
    assert send(approval.pk)
    assert told() == ["alice@example.com", "anna@example.com"]
    assert client_of(otto).get(f"/approvals/{approval.pk}/").status_code == 403


def test_nobody_in_time_tells_operators_too_once_and_on_record(run, anna, cast, monkeypatch):
    sent = []
    monkeypatch.setattr("console.core.tasks.current_app.send_task", lambda name, args, **more: sent.extend(args))
    monkeypatch.setattr("django.db.transaction.on_commit", lambda work, **more: work())
    late = now() - dt.timedelta(seconds=1)
    approval = make.make_approval(run, escalate_at=late, told_at=late)
    lost = make.make_approval(run, created_at=now() - dt.timedelta(minutes=5))
    make.make_approval(run), make.make_approval(run, told_at=late, escalate_at=now() + dt.timedelta(hours=1))
    assert sweep.tell() == 2 and set(sent) == {str(approval.pk), str(lost.pk)}
    assert send(approval.pk) and not send(approval.pk)
    assert told() == ["alice@example.com", "anna@example.com", "olga@example.com"]
    assert mail.outbox[0].subject.startswith("Still waiting: ")
    assert AuditEvent.objects.filter(action="approval.escalated").count() == 1


def test_it_posts_a_signed_notice_to_the_webhook(run, upstream, settings):
    settings.APPROVAL_WEBHOOK_URL, settings.APPROVAL_WEBHOOK_SECRET = f"{upstream.url}/notices", "whsec"
    approval = make.make_approval(run)
    upstream.enqueue({})
    assert send(approval.pk)
    seen = upstream.seen[0]
    assert signing.check("whsec", seen.raw, seen.headers, source="plain")
    notice = json.loads(seen.raw)
    assert (notice["type"], notice["id"], notice["tool"]) == ("approval.asked", str(approval.pk), "refund")
    assert "arguments" not in notice
    upstream.enqueue({}, status=500)
    assert send(make.make_approval(run).pk), "a webhook that fails breaks nothing"
    failed = Delivery.objects.get(way="setting", state="waiting")
    assert (failed.attempts, failed.problem[:16]) == (1, "It answered 500:")
