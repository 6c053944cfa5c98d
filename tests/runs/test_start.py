"""Starting and cancelling: who may, with what, and what the database refuses whoever asks."""

import datetime as dt

import pytest
from django.db import IntegrityError, transaction

from agents_app import access
from agents_app.errors import NotReady
from agents_app.grants.authority import MayNotRun, why_not_run
from agents_app.models import Agent, Approval, Run, Step
from agents_app.services.runs import Origin, cancel_run, start_run
from console.audit.models import AuditEvent
from console.core.clock import now
from console.core.errors import BadInput, Conflict
from console.teams.actors import SYSTEM, Actor
from console.teams.callers import Caller
from console.teams.models import ApiKey, Role
from console.teams.rights import rights_of
from console.teams.services import keys as key_services
from console.teams.services import people as people_services
from console.teams.services import teams as team_services
from tests import make


def caller(user):
    return Caller(actor=make.actor_for(user), user=user, rights=rights_of(user), is_operator=user.is_operator)


def test_it_is_named_by_the_first_line_of_what_it_was_given(cast, agent):
    run = make.make_run(agent, cast.bob, "\n  web:  POST /pay 502\ncheckout: worker 1 ended\n")
    assert run.title == "web: POST /pay 502"
    assert make.make_run(agent, cast.bob, "x" * 121).title == "x" * 119 + "…"


def test_it_starts_with_the_live_version_and_pins_what_it_began_with(cast, agent):
    run = make.make_run(agent, cast.bob)
    assert (run.state, run.version, run.team, run.title) == ("queued", agent.live, cast.team_a, "Where is order 17?")
    assert (run.actor_kind, run.actor_id) == ("user", cast.bob.pk)
    assert run.prompt == {"id": "clerk/instructions", "version": 1, "variables": {}}
    assert run.limits["steps"] == 20 and run.limits["tokens"] == 200_000
    line = AuditEvent.objects.get(action="run.started")
    assert (line.actor, line.team, line.target) == ("Bob", "Team A", run.public_id)
    make.publish_agent(agent, limits={"steps": 5})
    assert make.make_run(agent, cast.bob).limits["steps"] == 5
    run.refresh_from_db()
    assert run.limits["steps"] == 20 and run.version.number == 1


def test_of_a_run_of_another_team_only_its_depth_is_taken_over(cast, agent):
    above = make.make_run(agent, cast.bob, set_up_by_id=cast.alice.pk)
    below = make.make_run(agent, cast.bob, called_by=above)
    assert (below.depth, below.set_up_by_id) == (1, cast.alice.pk)
    Run.objects.filter(pk=above.pk).update(team=cast.team_b)
    below = make.make_run(agent, cast.bob, called_by=Run.objects.get(pk=above.pk))
    assert (below.depth, below.set_up_by_id) == (1, None)


def test_it_starts_one_run_per_key(cast, agent):
    first = make.make_run(agent, cast.bob, dedupe_key="tick 1")
    assert make.make_run(agent, cast.bob, dedupe_key="tick 1") == first
    assert make.make_run(agent, cast.bob, dedupe_key="tick 2") != first
    other = make.make_agent(cast.team_a, "other")
    with pytest.raises(Conflict):
        make.make_run(other, cast.bob, dedupe_key="tick 1")
    assert AuditEvent.objects.filter(action="run.started").count() == 2


def test_it_refuses_input_that_does_not_fit(cast, agent):
    for wrong in ({}, {"message": ""}, {"message": 3}, {"message": "x", "more": 1}, "text", None):
        with pytest.raises(BadInput) as refused:
            make.make_run(agent, cast.bob, input=wrong)
        assert refused.value.code == "input_does_not_fit" and refused.value.message.startswith("The input")
    schema = {"type": "object", "properties": {"order": {"type": "integer"}}, "required": ["order"]}
    make.publish_agent(agent, input_schema=schema)
    assert make.make_run(agent, cast.bob, input={"order": 17}).input == {"order": 17}
    with pytest.raises(BadInput):
        make.make_run(agent, cast.bob, input={"message": "x"})
    draft = make.make_agent(cast.team_a, "unfinished", is_live=False)
    with pytest.raises(NotReady):
        make.make_run(draft, cast.bob)
    tried = make.make_run(draft, cast.bob, definition=draft.draft, trigger="try_out")
    assert tried.version is None and tried.definition["alias"] == "support-chat"


def test_it_lets_only_those_run_it_who_may_use_it_and_their_team_pays(cast, agent):
    with pytest.raises(MayNotRun):
        make.make_run(agent, cast.charlie)
    auditor = make.make_member(cast.team_a, role=Role.AUDITOR)
    for actor in (make.actor_for(auditor), SYSTEM, Actor("visitor", cast.bob.pk, "somebody")):
        with pytest.raises(MayNotRun):
            start_run(actor=actor, agent=agent, input={"message": "x"}, environment="production", origin=Origin("api"))
    Agent.objects.filter(pk=agent.pk).update(audience="organisation")
    assert make.make_run(agent, cast.charlie).team == cast.team_b
    kim = Actor("key", cast.kim.pk, "kim")
    run = start_run(actor=kim, agent=agent, input={"message": "x"}, environment="production", origin=Origin("api"))
    assert (run.team, run.actor_kind) == (cast.team_a, "key")


def test_it_says_what_the_starter_lost(cast, agent):
    bob, kim = make.actor_for(cast.bob), Actor("key", cast.kim.pk, "kim")
    fresh = Agent.objects.select_related("team").get(pk=agent.pk)
    assert not why_not_run(bob, fresh, cast.team_a) and not why_not_run(kim, fresh, cast.team_a)
    heir, _ = key_services.rotate_key(actor=SYSTEM, key=cast.kim, overlap=dt.timedelta(hours=1))
    ApiKey.objects.filter(pk=cast.kim.pk).update(expires_at=now())
    assert not why_not_run(kim, fresh, cast.team_a), "the key that replaced it goes on"
    key_services.revoke_key(actor=SYSTEM, key=heir)
    assert "revoked" in why_not_run(kim, fresh, cast.team_a)
    ApiKey.objects.filter(pk=heir.pk).update(revoked_at=None)
    key_services.revoke_key(actor=SYSTEM, key=cast.kim)
    assert "revoked" in why_not_run(kim, fresh, cast.team_a)
    people_services.disable_person(actor=SYSTEM, user=cast.bob)
    assert "cannot sign in" in why_not_run(bob, fresh, cast.team_a)
    assert "may not use" in why_not_run(make.actor_for(cast.charlie), fresh, cast.team_b)
    team_services.archive_team(actor=SYSTEM, team=cast.team_a)
    fresh = Agent.objects.select_related("team").get(pk=agent.pk)
    assert "archived" in why_not_run(make.actor_for(cast.alice), fresh, fresh.team)


def test_it_cancels_at_once_when_nobody_works_on_it(cast, agent):
    run = make.make_run(agent, cast.bob)
    approval = make.make_approval(run)
    begun = make.make_step(run, state="intended")
    cancelled = cancel_run(actor=make.actor_for(cast.bob), run=run)
    assert (cancelled.state, cancelled.code, cancelled.trouble) == ("cancelled", "cancelled", "Bob cancelled it.")
    assert Approval.objects.get(pk=approval.pk).state == "cancelled"
    assert Step.objects.get(pk=approval.step_id).state == "cancelled"
    assert Step.objects.get(pk=begun.pk).state == "unknown", "what was begun is not said to be undone"
    assert cancel_run(actor=make.actor_for(cast.alice), run=run).trouble == "Bob cancelled it."
    actions = AuditEvent.objects.filter(action__startswith="run.").order_by("id").values_list("action", flat=True)
    assert list(actions) == ["run.started", "run.cancelled", "run.ended"]


def test_it_leaves_cancelling_to_the_worker_that_has_it(cast, agent):
    from agents_app.engine.lease import LeaseLost, change, take

    run = make.make_run(agent, cast.bob)
    held = take(run.pk)
    assert take(run.pk) is None, "one worker at a time"
    assert cancel_run(actor=make.actor_for(cast.bob), run=run).state == "cancelling"
    change(held)
    Run.objects.filter(pk=run.pk).update(lease_until=None)
    assert take(run.pk).fence == held.fence + 1
    with pytest.raises(LeaseLost):
        change(held)


def test_the_database_refuses_to_reopen_what_is_over(cast, agent):
    run = make.make_run(agent, cast.bob)
    approval = make.make_approval(run)
    cancel_run(actor=make.actor_for(cast.bob), run=run)
    for rows, fields in (
        (Run.objects.filter(pk=run.pk), {"state": "queued"}),
        (Run.objects.filter(pk=run.pk), {"output": {"a": 1}}),
        (Step.objects.filter(pk=approval.step_id), {"state": "planned"}),
        (Step.objects.filter(pk=approval.step_id), {"arguments": {}}),
        (Approval.objects.filter(pk=approval.pk), {"state": "approved"}),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            rows.update(**fields)


def test_strangers_see_no_run_and_members_their_own(cast, agent, anna):
    run = make.make_run(agent, cast.bob)
    approval = make.make_approval(run)
    colleague = make.make_member(cast.team_a)
    seen = {
        user: (run in access.runs_for(caller(user)), approval in access.approvals_for(caller(user)))
        for user in (cast.bob, cast.alice, anna, cast.operator, colleague, cast.charlie)
    }
    assert seen.pop(colleague) == seen.pop(cast.charlie) == (False, False)
    assert set(seen.values()) == {(True, True)}
    may_cancel = {user.name: run in access.runs_for(caller(user), "cancel") for user in (cast.bob, anna, cast.charlie)}
    assert may_cancel == {"Bob": True, "Anna": True, "Charlie": False}
    deciders = [
        user for user in (cast.bob, cast.alice, anna) if approval in access.approvals_for(caller(user), "decide")
    ]
    assert deciders == [cast.alice, anna]


def test_an_agent_is_not_published_with_tools_it_could_not_call(cast):
    def problem(alias="support-chat", **grant):
        with pytest.raises(NotReady) as refused:
            make.make_agent(cast.team_a, alias=alias, grants=[{"tool": "look_up", **grant}])
        return refused.value.message

    make.make_alias("support-chat", production=make.make_model(capabilities=["chat", "tools"]))
    make.make_alias("plain", production=make.make_model(capabilities=["chat"]))
    assert "There is no tool 'look_up' in Team A" in problem()
    make.make_tool(cast.team_b, "look_up")
    assert "There is no tool 'look_up' in Team A" in problem(), "another team's is none"
    tool = make.make_tool(cast.team_a, "look_up", digest="a" * 64)
    assert "an argument 'path' the tool does not have" in problem(arguments={"path": {"prefix": "/"}})
    assert "cannot call tools. Move the pin to a model that can" in problem(alias="plain")
    assert "if it can, an operator ticks that on the model's page" in problem(alias="plain")
    agent = make.make_agent(cast.team_a, "pinned", grants=[{"tool": "look_up"}])
    assert agent.live.grants == [{"tool": "look_up", "digest": "a" * 64}], "granted as it was reviewed"
    tool.digest, tool.suspended = "b" * 64, "It says something else."
    tool.save()
    assert "waits for a review" in problem()
    tool.suspended, tool.is_enabled = "", False
    tool.save()
    assert "switched off" in problem()
    tool.is_enabled = True
    tool.save()
    assert "reviewed anew" in problem(digest="a" * 64)
