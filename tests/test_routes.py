"""Every route of the console, tried by everybody: who gets in, and that a stranger's id looks like no id at all.

A new route needs two things here: its view declares what it needs (`@needs`, or `needs` on a DRF view), and if it takes
arguments, FACTORIES says how to make them in Team A. A route without either makes this file fail.
"""

import datetime as dt
import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import pytest
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.backends.django import Template as PageTemplate
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, resolve, reverse
from django.utils.safestring import mark_safe
from pytest_django.plugin import DjangoDbBlocker

from agents_app.models import Firing, QueueItem, Step, Trigger, TriggerToken
from console.audit import sql
from console.audit.models import AuditEvent
from console.batches.models import Batch
from console.batches.services.batches import create_batch
from console.batches.services.creator import Creator
from console.batches.services.files import upload_file
from console.catalog.services import aliases
from console.catalog.services.pins import ask_to_lift_rule
from console.chat.files import of_values
from console.chat.models import Conversation, Message
from console.core.clock import now
from console.core.crypto import encrypt
from console.evals.models import Dataset, DatasetItem, Incident, Replay, Schedule
from console.evals.services import cases, datasets, runs
from console.pages import context
from console.teams import callers, middleware
from console.teams.access import OPERATOR, PUBLIC, SIGNED_IN
from console.teams.actors import SYSTEM, Actor
from console.teams.callers import Caller
from console.teams.models import Role, User
from console.teams.roles import ALL_RIGHTS, RIGHTS
from console.teams.services import invitations, people
from console.teams.services.sign_in import make_sign_in_link
from console.touchpoints.services import legacy
from prompts_app.models import Prompt, Waiver
from prompts_app.services import reviews
from tests import database, make
from tests.audit.calls import a_call
from tests.conftest import Cast
from usage_app.models import Quota
from usage_app.services import quotas

pytestmark = pytest.mark.long

# Routes of packages, which cannot declare what they need. Each brings its own guard, tested elsewhere.
UNDECLARED = {
    "accounts/": "allauth: sign-in and the person's own account; tests/teams/test_sign_in.py and test_sessions.py",
    "admin/": "Django's admin: operators only, tests/teams/test_admin.py",
}


@dataclass(frozen=True, slots=True)
class Route:
    name: str
    pattern: str
    needs: str | None
    parameters: frozenset[str]

    @property
    def is_object(self) -> bool:
        return bool(self.parameters)


def routes() -> Iterator[Route]:
    def walk(patterns: Any, prefix: str, namespaces: tuple[str, ...]) -> Iterator[Route]:
        for entry in patterns:
            pattern = prefix + str(entry.pattern)
            if isinstance(entry, URLResolver):
                spaces = namespaces + ((entry.namespace,) if entry.namespace else ())
                yield from walk(entry.url_patterns, pattern, spaces)
            elif isinstance(entry, URLPattern):
                view = entry.callback
                declared = getattr(view, "needs", None) or getattr(getattr(view, "cls", None), "needs", None)
                declared = declared or getattr(getattr(view, "view_class", None), "needs", None)
                name = ":".join((*namespaces, entry.name or pattern))
                groups = getattr(entry.pattern, "regex", None)
                parameters = entry.pattern.converters or (groups.groupindex if groups is not None else ())
                yield Route(name, pattern, declared, frozenset(parameters))

    yield from walk(get_resolver().url_patterns, "", ())


def ours() -> list[Route]:
    return [route for route in routes() if not route.pattern.startswith(tuple(UNDECLARED))]


PAGES = [route for route in ours() if not route.pattern.startswith("api/")]
OBJECTS = [route for route in PAGES if route.is_object]


# How to make what a route's arguments name, in Team A -----------------------------------------------------------------

Arguments = dict[str, Any]


def _team(cast: Cast) -> Arguments:
    return {"slug": cast.team_a.slug}


def _member(cast: Cast) -> Arguments:
    return {"slug": cast.team_a.slug, "membership_id": cast.team_a.memberships.get(user=cast.bob).pk}


def _invitation(cast: Cast) -> Arguments:
    alice = Actor("user", cast.alice.pk, "Alice")
    invitation, _ = invitations.invite(actor=alice, team=cast.team_a, email="new@example.com", role=Role.MEMBER)
    return {"slug": cast.team_a.slug, "invitation_id": invitation.pk}


def _key(cast: Cast) -> Arguments:
    return {"key_id": cast.kim.pk}


def _person(cast: Cast) -> Arguments:
    return {"user_id": cast.bob.pk}


def _sign_in_link(cast: Cast) -> Arguments:
    return {"token": make_sign_in_link(actor=SYSTEM, user=cast.bob)[1]}


def _invitation_link(cast: Cast) -> Arguments:
    _, token = invitations.invite(actor=SYSTEM, team=cast.team_a, email="new@example.com", role=Role.MEMBER)
    return {"token": token}


def _version(cast: Cast) -> Arguments:
    version = make.make_model()
    alias = make.make_alias(production=version)
    alias.teams.set([cast.team_a])
    return {"version_id": version.pk}


def _provider(cast: Cast) -> Arguments:
    return {"slug": make.make_model().provider.slug}


def _alias(cast: Cast) -> Arguments:
    alias = make.make_alias(production=make.make_model(), sandbox=make.make_model())
    alias.teams.set([cast.team_a])
    return {"name": alias.name}


def _pin(cast: Cast) -> Arguments:
    return {**_alias(cast), "environment": "production"}


def _proposal(cast: Cast) -> Arguments:
    alias = make.make_alias(production=make.make_model())
    alias.teams.set([cast.team_a])
    aliases.require_second_person(actor=SYSTEM, alias=alias)
    other = make.make_user(is_superuser=True)  # whoever tries can decide on it
    proposal = ask_to_lift_rule(actor=Actor("user", other.pk, "Otto"), alias=alias, reason="too slow")
    return {"proposal_id": proposal.pk}


def _quota(cast: Cast) -> Quota:
    name = _alias(cast)["name"]
    return quotas.set_quota(
        actor=SYSTEM, team=cast.team_a, alias=name, metric="requests", window="day", limit=10, mode="hard"
    )


def _quota_id(cast: Cast) -> Arguments:
    return {"public_id": _quota(cast).public_id}


def _each_quota_id(cast: Cast) -> Arguments:
    quota = quotas.set_quota(
        actor=SYSTEM, team=cast.team_a, metric="requests", window="day", limit=10, each_end_user=True
    )
    return {"public_id": quota.public_id}


def _increase(cast: Cast) -> Arguments:
    ends_at = now() + dt.timedelta(days=1)
    increase = quotas.increase_quota(actor=SYSTEM, quota=_quota(cast), amount=5, reason="a launch", ends_at=ends_at)
    return {"increase_id": increase.pk}


def _answered(cast: Cast) -> Arguments:
    reference = _call(cast)["reference"]
    talk = make.make_visit(make.make_widget(cast.team_a), "Where is it?", "There.")
    Message.objects.filter(pk=talk.leaf_id).update(request_id=reference)
    return {"reference": reference}


def _record(cast: Cast) -> Arguments:
    return {"reference": AuditEvent.objects.filter(team_id=cast.team_a.pk).latest("id").pk}


def _picture(cast: Cast) -> Arguments:
    part = {"type": "image_url", "image_url": {"url": "data:image/gif;base64,R0lGODlhAQABAAAAACw="}}
    body = json.dumps({"messages": [{"role": "user", "content": [part]}]})
    return {"reference": a_call(cast.team_a, content=(body, "{}")), "kind": "input", "number": 0}


def _call(cast: Cast) -> Arguments:
    return {"reference": a_call(cast.team_a)}


def _prompt(cast: Cast) -> Arguments:
    prompt = make.make_prompt(cast.team_a)
    make.publish(prompt, make.save(prompt, "another text"))
    return {"slug": prompt.slug}


def _prompt_version(cast: Cast) -> Arguments:
    return {**_prompt(cast), "number": 1}


def _prompt_label(cast: Cast) -> Arguments:
    return {**_prompt(cast), "label": "production"}


def _review(cast: Cast) -> Arguments:
    prompt = make.make_prompt(cast.team_a)
    review = reviews.request_review(
        actor=SYSTEM,
        prompt=prompt,
        version=make.save(prompt, "another text"),
        label="production",
        reason="clearer",
        seen_revision=1,
    )
    return {"slug": prompt.slug, "review_id": review.pk}


def _waiver(cast: Cast) -> Arguments:
    prompt = make.make_prompt(cast.team_a)
    partial = make.make_prompt(cast.team_a, kind="partial", visibility="organisation")
    waiver = Waiver.objects.create(prompt=prompt, partial=partial, reason="only digits", given_by_name="Alice")
    return {"slug": prompt.slug, "waiver_id": waiver.pk}


def _batch(cast: Cast) -> Arguments:
    creator = Creator(SYSTEM, cast.team_a, "production")
    file = upload_file(creator=creator, filename="a.jsonl", purpose="batch", content=[b"{}"])
    batch = create_batch(creator=creator, file=file, endpoint="/v1/embeddings")
    Batch.objects.filter(pk=batch.pk).update(output_file=file)
    return {"batch_id": batch.pk}


def _batch_over(cast: Cast) -> Arguments:
    arguments = _batch(cast)
    ended = {"state": "completed", "endpoint": "/v1/chat/completions", "total": 1}
    Batch.objects.filter(pk=arguments["batch_id"]).update(**ended)
    return arguments


def _batch_name(cast: Cast) -> Arguments:
    return {"name": f"batch_{_batch(cast)['batch_id'].hex}"}


def _batch_file(cast: Cast) -> Arguments:
    return {"what": "output", **_batch(cast)}


def _test_case(cast: Cast) -> Arguments:
    prompt = make.make_prompt(cast.team_a)
    checks = [{"kind": "contains", "value": "yes"}]
    case = cases.create_case(actor=SYSTEM, prompt=prompt, name="one", variables={}, checks=checks)
    return {"slug": prompt.slug, "case_id": case.pk}


def _test_run(cast: Cast) -> Arguments:
    prompt = Prompt.objects.get(slug=_test_case(cast)["slug"])
    assert prompt.head is not None
    alice = Actor("user", cast.alice.pk, "Alice")
    run = runs.start_run(actor=alice, prompt=prompt, version=prompt.head, model="support-chat")
    return {"slug": prompt.slug, "run_id": run.pk}


def _test_schedule(cast: Cast) -> Arguments:
    prompt = Prompt.objects.get(slug=_test_case(cast)["slug"])
    made = Schedule.objects.create(
        prompt=prompt,
        label="production",
        model="support-chat",
        environment="production",
        cron="0 3 * * *",
        acts_as_kind="user",
        acts_as_id=cast.alice.pk,
        acts_as_name="Alice",
        next_at=now() + dt.timedelta(days=1),
    )
    return {"slug": prompt.slug, "schedule_id": made.pk}


def _test_incident(cast: Cast) -> Arguments:
    made = _test_schedule(cast)
    incident = Incident.objects.create(
        schedule_id=made["schedule_id"], score_before=100, score_after=50, sentence="It fell."
    )
    return {**made, "incident_id": incident.pk}


def _dataset(cast: Cast) -> Arguments:
    made = datasets.upload_dataset(
        actor=SYSTEM, team=cast.team_a, name=f"File {uuid.uuid4()}", text='{"input": "Why?"}', form="jsonl"
    )
    return {"dataset_id": made.pk}


def _dataset_answered(cast: Cast) -> Arguments:
    arguments = _dataset(cast)
    DatasetItem.objects.filter(dataset=arguments["dataset_id"]).update(expected="Because.")
    return arguments


def _dataset_item(cast: Cast) -> Arguments:
    return {**_dataset(cast), "place": 1}


def _replay(cast: Cast) -> Arguments:
    dataset = Dataset.objects.get(pk=_dataset(cast)["dataset_id"])
    made = Replay.objects.create(
        dataset=dataset,
        team=cast.team_a,
        model="support-chat",
        environment="production",
        status="done",
        started_by_kind="user",
        started_by_id=cast.alice.pk,
        started_by_name="Alice",
    )
    made.results.create(item=dataset.items.get())
    return {"replay_id": made.pk}


def _replay_item(cast: Cast) -> Arguments:
    return {**_replay(cast), "place": 1}


def _agent(cast: Cast) -> Arguments:
    agent = make.make_agent(cast.team_a)
    make.publish_agent(agent, opening_message="Hello")
    return {"slug": agent.slug}


def _agent_version(cast: Cast) -> Arguments:
    return {**_agent(cast), "number": 1}


def _grant(cast: Cast) -> Arguments:
    tool = make.make_tool(cast.team_a)
    alias = make.make_alias(
        f"with-{tool.slug.replace('_', '-')}", production=make.make_model(capabilities=["chat", "tools"])
    )
    agent = make.make_agent(cast.team_a, alias=alias.name, grants=[{"tool": tool.slug}])
    return {"slug": agent.slug, "tool": tool.slug}


def _trigger_token(cast: Cast) -> Arguments:
    found = _trigger(cast)
    Trigger.objects.update(config={"source": "plain", "auth": "token"})
    token = TriggerToken.objects.create(trigger_id=found["trigger_id"], digest=b"d" * 32, last4="7f2c")
    return {**found, "token_id": token.pk}


def _trigger(cast: Cast) -> Arguments:
    agent = make.make_agent(cast.team_a)
    made = Trigger.objects.create(
        agent=agent, kind="webhook", name="Alerts", owner=cast.alice, owner_name="Alice", secret=encrypt("x")
    )
    return {"slug": agent.slug, "trigger_id": made.pk}


def _run(cast: Cast) -> Arguments:
    return {"run_id": make.make_run(make.make_agent(cast.team_a), cast.alice).public_id}


def _run_step(cast: Cast) -> Arguments:
    run = make.make_run(make.make_agent(cast.team_a), cast.alice)
    return {"run_id": run.public_id, "number": make.make_step(run, kind=Step.Kind.MODEL).number}


def _approval(cast: Cast) -> Arguments:
    run = make.make_run(make.make_agent(cast.team_a), cast.alice)
    return {"approval_id": make.make_approval(run).pk}


def _conversation(cast: Cast) -> Arguments:
    """Of a person of Team A, who shared it with the team."""
    made = Conversation.objects.create(
        team=cast.team_a, agent=make.make_agent(cast.team_a), owner=cast.alice, title="Autumn", shared_at=now()
    )
    return {"conversation_id": made.pk}


def _file(cast: Cast) -> Arguments:
    arguments = _message(cast)
    Message.objects.filter(pk=arguments["message_id"]).update(
        attachments=of_values([{"name": "a.txt", "text": "Text."}])
    )
    return {"message_id": arguments["message_id"], "place": 0}


def _widget(cast: Cast) -> Arguments:
    return {"public_id": make.make_widget(cast.team_a).public_id}


def _visitors_message(cast: Cast) -> Arguments:
    widget = make.make_widget(cast.team_a)
    return {"public_id": widget.public_id, "message_id": make.make_visit(widget, "Hello", "Yes?").leaf_id}


def _message(cast: Cast) -> Arguments:
    made = Message.objects.create(conversation_id=_conversation(cast)["conversation_id"], role="assistant", text="Yes.")
    return {"message_id": made.pk}


def _own_widget(cast: Cast) -> Arguments:
    return {"widget_id": make.make_widget(cast.team_a).pk}


def _visit(cast: Cast) -> Arguments:
    """Of a visitor, which Olga, an operator, has taken over: whoever tries comes second."""
    made = make.make_visit(
        make.make_widget(cast.team_a), "Where is my parcel?", "On its way.", taken_by=cast.operator, taken_at=now()
    )
    return {"widget_id": made.widget_id, "conversation_id": made.pk}


def _tool(cast: Cast) -> Arguments:
    """A tool taken over from a server, which nothing is called by: nobody answers there."""
    return {"tool_id": make.make_server_tool(make.make_server(cast.team_a)).pk}


def _tool_server(cast: Cast) -> Arguments:
    return {"server_id": make.make_server(cast.team_a).pk}


def _queue(cast: Cast) -> Arguments:
    return {"queue_id": make.make_queue(cast.team_a).pk}


def _queue_item(cast: Cast) -> Arguments:
    item = make.make_item(make.make_queue(cast.team_a))
    QueueItem.objects.filter(pk=item.pk).update(state="parked")
    return {"item_id": item.pk}


def _collection(cast: Cast) -> Arguments:
    return {"collection_id": make.make_collection(cast.team_a).pk}


def _document(cast: Cast) -> Arguments:
    return {"document_id": make.make_document(make.make_collection(cast.team_a)).pk}


def _document_version(cast: Cast) -> Arguments:
    return {**_document(cast), "number": 1}


def _broker(cast: Cast) -> Arguments:
    return {"broker_id": make.make_broker(cast.team_a).pk}


def _channel(cast: Cast) -> Arguments:
    return {"channel_id": make.make_channel(cast.team_a).pk}


def _alert_rule(cast: Cast) -> Arguments:
    return {"rule_id": make.make_alert_rule(cast.team_a).pk}


def _delivery(cast: Cast) -> Arguments:
    return {"delivery_id": make.make_delivery(make.make_channel(cast.team_a)).pk}


def _parked_message(cast: Cast) -> Arguments:
    trigger = make.make_outside_trigger(make.make_agent(cast.team_a), cast.alice)
    made = Firing.objects.create(trigger=trigger, key="m-1", state="parked", body={"message": "Hello"})
    return {"slug": trigger.agent.slug, "firing_id": made.pk}


def _expectation(cast: Cast) -> Arguments:
    return {"kind": "key", "subject_id": cast.kim.pk}


def _legacy(cast: Cast) -> Arguments:
    return {"legacy_id": legacy.create_legacy(actor=SYSTEM, team=cast.team_a, name="Old bot", kind="chat").pk}


FACTORIES: dict[str, Callable[[Cast], Arguments]] = {
    "touchpoints:expectation": _expectation,
    **dict.fromkeys(("touchpoints:edit", "touchpoints:migrate", "touchpoints:remove"), _legacy),
    **dict.fromkeys(
        (
            *("agents:tool", "agents:edit_tool", "agents:try_tool", "agents:enable_tool", "agents:review_tool"),
            "agents:remove_tool",
        ),
        _tool,
    ),
    **dict.fromkeys(
        (
            *("agents:server", "agents:edit_server", "agents:look_at_server", "agents:take_tool"),
            "agents:remove_server",
        ),
        _tool_server,
    ),
    **dict.fromkeys(("knowledge:collection", "knowledge:search", "knowledge:change_collection"), _collection),
    **dict.fromkeys(("knowledge:vectors", "knowledge:delete_collection", "knowledge:new_document"), _collection),
    **dict.fromkeys(("knowledge:document", "knowledge:edit_document", "knowledge:delete_document"), _document),
    "knowledge:compare": _document,
    **dict.fromkeys(("knowledge:version", "knowledge:make_current"), _document_version),
    **dict.fromkeys(("agents:queue", "agents:edit_queue", "agents:archive_queue", "agents:renew_queue_secret"), _queue),
    "agents:move_item": _queue_item,
    **dict.fromkeys(("agents:broker", "agents:edit_broker", "agents:look_at_broker", "agents:remove_broker"), _broker),
    "agents:move_message": _parked_message,
    **dict.fromkeys(
        (
            *("agents:agent", "agents:compare", "agents:where_used", "agents:edit", "agents:publish"),
            *("agents:settings", "agents:remove", "agents:choose_tool", "agents:limits", "agents:start_run"),
            "agents:triggers",
        ),
        _agent,
    ),
    **dict.fromkeys(("agents:version", "agents:roll_back"), _agent_version),
    **dict.fromkeys(("notices:team_alerts", "notices:new_team_channel"), _team),
    **dict.fromkeys(
        ("notices:channel", "notices:test_channel", "notices:enable_channel", "notices:delete_channel"), _channel
    ),
    "notices:try_again": _delivery,
    "teams:team": _team,
    "teams:change_team": _team,
    "teams:archive_team": _team,
    "teams:invite": _team,
    "teams:change_role": _member,
    "teams:remove_member": _member,
    "teams:resend_invitation": _invitation,
    "teams:revoke_invitation": _invitation,
    "teams:key": _key,
    "teams:change_key": _key,
    "teams:rotate_key": _key,
    "teams:revoke_key": _key,
    "teams:hand_over_key": _key,
    "teams:make_link": _person,
    "teams:disable_person": _person,
    "teams:enable_person": _person,
    "teams:set_operator": _person,
    "teams:sign_in_link": _sign_in_link,
    "teams:accept_invitation": _invitation_link,
    "catalog:alias": _alias,
    "catalog:change_alias": _alias,
    "catalog:delete_alias": _alias,
    **dict.fromkeys(("catalog:second_person", "catalog:tests_rule"), _alias),
    "catalog:move_pin": _pin,
    "catalog:roll_back": _pin,
    "catalog:set_canary": _pin,
    "catalog:promote_canary": _pin,
    "catalog:end_canary": _pin,
    "catalog:set_shadow": _pin,
    "catalog:set_fallbacks": _pin,
    "catalog:set_parameters": _pin,
    "catalog:set_lane": _pin,
    "catalog:approve_proposal": _proposal,
    "catalog:reject_proposal": _proposal,
    "catalog:import_models": _provider,
    "catalog:provider": _provider,
    "catalog:test_provider": _provider,
    "catalog:enable_provider": _provider,
    "catalog:delete_provider": _provider,
    "catalog:new_version": _provider,
    "catalog:version": _version,
    "catalog:change_version": _version,
    "catalog:set_price": _version,
    "catalog:retire_version": _version,
    **dict.fromkeys(
        (
            *(
                "prompts:prompt",
                "prompts:compare",
                "prompts:where_used",
                "prompts:figures",
                "prompts:settings",
                "prompts:edit",
            ),
            *("prompts:check", "prompts:draft", "prompts:publish", "prompts:roll_back", "prompts:require"),
            *("prompts:delete", "prompts:waivers"),
        ),
        _prompt,
    ),
    "prompts:version": _prompt_version,
    "prompts:remove_label": _prompt_label,
    **dict.fromkeys(
        ("prompts:review", "prompts:comment", "prompts:decide", "prompts:take_back", "prompts:withdraw"), _review
    ),
    "prompts:end_waiver": _waiver,
    "batches:batch": _batch,
    "batches:named_batch": _batch_name,
    "batches:cancel_batch": _batch,
    "batches:delete_batch": _batch,
    "batches:rerun_batch": _batch,
    "batches:download": _batch_file,
    "batches:table": _batch_over,
    **dict.fromkeys(("evals:tests", "evals:new_case", "evals:start_run", "evals:new_schedule"), _prompt),
    **dict.fromkeys(
        (
            *("evals:schedule", "evals:change_schedule", "evals:run_schedule", "evals:pause_schedule"),
            *("evals:resume_schedule", "evals:delete_schedule", "evals:take_baseline"),
        ),
        _test_schedule,
    ),
    "evals:close_incident": _test_incident,
    **dict.fromkeys(("evals:dataset", "evals:delete_dataset"), _dataset),
    "evals:item": _dataset_item,
    "evals:export_dataset": _dataset_answered,
    **dict.fromkeys(("evals:replay", "evals:retry_replay", "evals:stop_replay", "evals:delete_replay"), _replay),
    "evals:result": _replay_item,
    **dict.fromkeys(("evals:edit_case", "evals:delete_case"), _test_case),
    **dict.fromkeys(("evals:run", "evals:stop_run"), _test_run),
    **dict.fromkeys(
        (
            *("chat:conversation", "chat:send", "chat:rename", "chat:pin", "chat:archive", "chat:share"),
            *("chat:delete", "chat:export_markdown", "chat:export_json"),
        ),
        _conversation,
    ),
    **dict.fromkeys(
        ("chat:message", "chat:stream", "chat:edit", "chat:again", "chat:branch", "chat:stop", "chat:feedback"),
        _message,
    ),
    "chat:file": _file,
    **dict.fromkeys(
        (
            "embed:snippet",
            "embed:frame",
            "embed:visitor",
            "embed:conversation",
            "embed:stream",
            "embed:say",
            "embed:person",
        ),
        _widget,
    ),
    **dict.fromkeys(("embed:again", "embed:stop", "embed:feedback"), _visitors_message),
    **dict.fromkeys(
        ("agents:run", "agents:cancel_run", "agents:run_again", "agents:ask_run", "agents:compare_runs"), _run
    ),
    **dict.fromkeys(("agents:grant", "agents:withdraw_grant"), _grant),
    **dict.fromkeys(
        ("agents:edit_trigger", "agents:switch_trigger", "agents:renew_trigger", "agents:delete_trigger"), _trigger
    ),
    "agents:run_again_from": _run_step,
    "agents:revoke_trigger_token": _trigger_token,
    "agents:new_trigger": lambda cast: {**_agent(cast), "kind": "schedule"},
    "agents:deliver": lambda cast: {"trigger_id": _trigger(cast)["trigger_id"]},
    **dict.fromkeys(("agents:approval", "agents:decide", "agents:extend"), _approval),
    **dict.fromkeys(("usage:team_alert_rules", "usage:new_team_alert_rule"), _team),
    **dict.fromkeys(("usage:change_alert_rule", "usage:remove_alert_rule"), _alert_rule),
    "usage:change_quota": _quota_id,
    "usage:remove_quota": _quota_id,
    "usage:quota_end_users": _each_quota_id,
    "usage:increase_quota": _quota_id,
    "usage:end_increase": _increase,
    **dict.fromkeys(
        (
            *("chat:widget", "chat:enable_widget", "chat:delete_widget", "chat:make_widget_secret"),
            *("chat:forget_widget_secret", "chat:visits"),
        ),
        _own_widget,
    ),
    **dict.fromkeys(("chat:visit", "chat:take_over", "chat:answer_visitor", "chat:give_back"), _visit),
    "chat:of_record": _answered,
    "usage:audit_record": _record,
    "usage:audit_content": _record,
    "usage:audit_picture": _picture,
    "usage:rate": _call,
}
# Routes open to more people than may go on: what the object, rather than the door, asks for.
ASKS_MORE = {
    "agents:cancel_run": "build or approve",
    "batches:cancel_batch": "manage_keys",
    "batches:delete_batch": "manage_keys",
    "batches:rerun_batch": "manage_keys",
    "batches:download": "read_content",
    "batches:table": "read_content",
    "teams:remove_member": "manage_members",
    "usage:set_quota": "manage_quotas",
    "usage:change_quota": "manage_quotas",
    "usage:remove_quota": "manage_quotas",
    "usage:increase_quota": "manage_quotas",
    "usage:end_increase": "manage_quotas",
    "usage:audit_content": "read_content",
    "usage:audit_picture": "read_content",
}
# Objects that members without this right do not see at all.
HIDDEN_WITHOUT = {
    **dict.fromkeys(("agents:run", "agents:cancel_run", "agents:compare_runs", "agents:approval"), "view_audit"),
    "agents:run_again_from": "read_content",
}
# Routes whose link is the permission: whoever holds it gets in, which is why no id of another team exists for them.
# A webhook's deliveries are signed; without that, one there is looks like one there is not (401, tests/runs).
BEARERS = {"teams:sign_in_link", "teams:accept_invitation", "agents:deliver"}
# Routes of visitors: the id is public, and a visitor's token opens the rest, which none of these people has.
VISITORS = {name for name in FACTORIES if name.startswith("embed:")}
ASKS_FOR_TOKEN = {"embed:conversation", "embed:stream", "telemetry:metrics"}


def missing(arguments: Arguments) -> Arguments:
    """Return arguments of the same kinds that name nothing; the parent stays, so that nesting is tested too."""

    def other(value: Any) -> Any:
        if isinstance(value, int):
            return value + 1_000
        return uuid.uuid4() if isinstance(value, uuid.UUID) else f"no-{value}"

    last = [name for name in arguments if name != "environment"][-1]
    return {**arguments, last: other(arguments[last])}


# Who tries -----------------------------------------------------------------------------------------------------------


def _nobody(cast: Cast) -> User | None:
    return None


def _with_role(role: str) -> Callable[[Cast], User]:
    return lambda cast: make.make_member(cast.team_a, role=role)


def _disabled(cast: Cast) -> User:
    user = make.make_member(cast.team_a, role=Role.OWNER)
    return people.disable_person(actor=SYSTEM, user=user)


ACTORS: dict[str, tuple[Callable[[Cast], User | None], frozenset[str]]] = {
    "anonymous": (_nobody, frozenset()),
    "disabled": (_disabled, frozenset()),
    "stranger": (lambda cast: make.make_user(), frozenset()),
    **{role: (_with_role(role), RIGHTS[role]) for role in Role.values},
    "operator": (lambda cast: cast.operator, ALL_RIGHTS),
}


def client_of(user: User | None) -> Client:
    client = Client(raise_request_exception=False)
    if user is not None:
        client.force_login(user)
        # As after a first request. One that is undone leaves none of it, and the next would write it again.
        session = client.session
        session[middleware.STARTED] = session[middleware.SEEN] = time.time()
        session.save()
    return client


class Made(dict[Callable[[Cast], Arguments], Arguments]):
    """What factories made, each once."""

    def __init__(self, cast: Cast) -> None:
        self._cast = cast

    def __missing__(self, factory: Callable[[Cast], Arguments]) -> Arguments:
        made = self[factory] = factory(self._cast)
        return made


def addresses(candidates: list[Route], made: Made) -> list[tuple[Route, str]]:
    return [
        (route, reverse(route.name, kwargs=made[FACTORIES[route.name]] if route.is_object else None))
        for route in known(candidates)
    ]


def known(candidates: list[Route]) -> list[Route]:
    """Leave out what has no factory yet; test_every_route_with_arguments_has_a_factory reports it."""
    return [route for route in candidates if not route.is_object or route.name in FACTORIES]


# The tests -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cast(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Cast]:
    """One cast for all tests here, since whatever they try changes nothing.

    Its rows are committed: a transaction this long would hold the log's horizon back, in every test's database.
    """
    with django_db_blocker.unblock():
        database.restore()
        yield Cast()
        database.restore()


@pytest.fixture(scope="module")
def made(cast: Cast) -> Made:
    return Made(cast)


@pytest.fixture(autouse=True)
def _who_tries_is_found_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Find out once whose a session or a good key is, and what waits for them; each door decides anew about them."""
    of_session, of_key, count = middleware.CallerMiddleware._caller, callers.caller_for_key, context.waiting_for
    found: dict[str, Caller] = {}
    waiting: dict[Actor, dict[str, int]] = {}

    def once(request: HttpRequest) -> Caller:
        session = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
        has_key = not {"authorization", "x-api-key"}.isdisjoint(map(str.lower, request.headers))
        if not session or has_key or request.path.startswith("/embed/"):  # where sessions count for nothing
            return of_session(request)
        if session not in found:
            found[session] = of_session(request)
        elif found[session].user is not None:
            request.user = found[session].user
        return found[session]

    def key_once(text: str, client_address: str, **more: Any) -> Caller:
        if text not in found:
            found[text] = of_key(text, client_address, **more)
        return found[text]

    def counted_once(caller: Caller) -> dict[str, int]:
        if caller.actor not in waiting:
            waiting[caller.actor] = count(caller)
        return waiting[caller.actor]

    monkeypatch.setattr(middleware.CallerMiddleware, "_caller", staticmethod(once))
    monkeypatch.setattr(callers, "caller_for_key", key_once)
    monkeypatch.setattr(context, "waiting_for", counted_once)


def test_every_route_declares_what_it_needs() -> None:
    words = {PUBLIC, SIGNED_IN, OPERATOR} | ALL_RIGHTS
    undeclared = [f"{route.name} ({route.pattern})" for route in ours() if route.needs not in words]
    assert not undeclared, f"Declare @needs(…) on: {', '.join(undeclared)}"


def test_every_route_with_arguments_has_a_factory() -> None:
    lacking = [route.name for route in OBJECTS if route.name not in FACTORIES]
    assert not lacking, f"Add to FACTORIES in tests/test_routes.py: {', '.join(lacking)}"
    stale = set(FACTORIES) - {route.name for route in OBJECTS}
    assert not stale, f"These routes are gone; remove their factories: {', '.join(stale)}"


def test_the_list_of_undeclared_routes_is_true() -> None:
    patterns = [route.pattern for route in routes()]
    assert all(any(pattern.startswith(prefix) for pattern in patterns) for prefix in UNDECLARED)


# Who sees every page drawn, too: the one who sees most, and the one who sees least. Doors are the same for all.
_LOOKS = {"operator", "member"}


@contextmanager
def undrawn() -> Iterator[None]:
    """Answer with the status and without the page, which takes most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PageTemplate, "render", lambda *_, **__: mark_safe(""))
        yield


def may_least(door: str) -> set[str]:
    """Return the roles it opens to whose rights contain those of no other such role."""
    inside = {role: rights for role, rights in RIGHTS.items() if door in {PUBLIC, SIGNED_IN} or door in rights}
    return {role for role, rights in inside.items() if not any(other < rights for other in inside.values())}


def is_enough_at(route: Route, who: str, rights: frozenset[str]) -> bool:
    """Say whether somebody who may less tries what is behind the door, and nothing there asks for more."""
    return (
        who in RIGHTS.keys() - _LOOKS
        and route.needs in rights
        and who not in may_least(route.needs)
        and route.name not in ASKS_MORE.keys() | HIDDEN_WITHOUT.keys()
    )


@contextmanager
def no_further(url: str) -> Iterator[None]:
    """Tell whoever gets in no more than that they are in."""
    door: Any = resolve(url).func
    while "right" not in door.__code__.co_freevars:
        door = door.__wrapped__
    behind = door.__closure__[door.__code__.co_freevars.index("view")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(behind, "cell_contents", lambda *_, **__: HttpResponse(status=204))
        yield


def test_it_lets_in_whom_it_should(cast: Cast, made: Made) -> None:
    """Try every page as everybody. What a page needs decides, and nothing else.

    Whoever may do all that another may, and more, is seen at the door; what is behind it is tried by the other.

    GET changes nothing, whoever asks: only lines of access are written, and no epoch moves.
    """
    pages, wrong = addresses(PAGES, made), []
    clients = {who: client_of(make_user(cast)) for who, (make_user, _) in ACTORS.items()}
    epoch, changes = sql.epoch(), AuditEvent.objects.exclude(type="access").count()
    for who, client in clients.items():
        with nullcontext() if who in _LOOKS else undrawn():
            wrong += [f"{who}: {one}" for one in _wrong_doors(pages, client, who, ACTORS[who][1])]
    assert not wrong, "\n".join(wrong)
    assert sql.epoch() == epoch
    assert AuditEvent.objects.exclude(type="access").count() == changes


def _wrong_doors(pages: list[tuple[Route, str]], client: Client, who: str, rights: frozenset[str]) -> Iterator[str]:
    for route, url in pages.copy():
        with no_further(url) if is_enough_at(route, who, rights) else nullcontext():
            response = client.get(url)
        if who == "anonymous" and response.status_code == 405:
            # Asked before the door: it is for POST only, and nobody is looked at.
            pages.remove((route, url))
        expected = _expected(route, who, rights)
        if route.name in ASKS_FOR_QUERY and 200 in expected:
            expected = expected | {400}
        if response.status_code not in expected:
            yield f"{route.name}: {response.status_code}, not {sorted(expected)}"
        elif expected == {302} and not response["Location"].startswith("/accounts/login/?next=/"):
            yield f"{route.name}: sent to {response['Location']}, not to sign in and back"


# 405: a route for POST only. The method check stands before the door or behind it; either way nothing happens.
_IN = {200, 204, 302, 405}
# Pages that say 400 when asked without the parameters their own links carry.
ASKS_FOR_QUERY = {"usage:audit_tail"}


def _expected(route: Route, who: str, rights: frozenset[str]) -> set[int]:
    if route.name in ASKS_FOR_TOKEN:
        return {401}
    if route.needs == PUBLIC:
        return {200, 503} if route.name == "pages:ready" else _IN
    if who in {"anonymous", "disabled"}:
        return {302, 405}
    if route.needs == SIGNED_IN or who == "operator":
        return _IN
    if route.needs == OPERATOR or route.needs not in rights:
        return {403, 405}
    if HIDDEN_WITHOUT.get(route.name, route.needs) not in rights:
        return {404}
    wanted = ASKS_MORE.get(route.name, route.needs).split(" or ")
    return _IN if not rights.isdisjoint(wanted) else {403, 405}


@pytest.mark.parametrize("by_htmx", [False, True], ids=["page", "htmx"])
def test_another_teams_id_looks_like_no_id(cast: Cast, made: Made, by_htmx: bool) -> None:
    """Charlie owns Team B. What he gets for Team A's objects is what he gets for objects that do not exist."""
    client, headers = client_of(cast.charlie), {"HX-Request": "true"} if by_htmx else {}
    wrong = []
    for route in known(OBJECTS):
        if route.name in BEARERS | VISITORS:
            continue
        arguments = made[FACTORIES[route.name]]
        for method in (client.get, client.post):
            theirs = method(reverse(route.name, kwargs=arguments), headers=headers)
            nothing = method(reverse(route.name, kwargs=missing(arguments)), headers=headers)
            if theirs.status_code != nothing.status_code or theirs.status_code not in {403, 404, 405}:
                wrong.append(f"{method.__name__} {route.name}: {theirs.status_code}, {nothing.status_code} for no id")
            elif _plain(theirs, arguments) != _plain(nothing, missing(arguments)):
                wrong.append(f"{method.__name__} {route.name}: another body than for no id")
            elif cast.team_a.name in theirs.content.decode():
                wrong.append(f"{method.__name__} {route.name}: names the other team")
    assert not wrong, "\n".join(wrong)


def _plain(response: Any, arguments: Arguments) -> str:
    """Return the body without what differs between any two requests: their id, the token, and what was asked for."""
    text = response.content.decode()
    for value in arguments.values():
        if not isinstance(value, int):  # a digit stands everywhere
            text = text.replace(str(value), "…")
    return "\n".join(line for line in text.splitlines() if "csrf" not in line.lower() and "req_" not in line)


def test_pages_do_not_look_at_keys(cast: Cast, made: Made) -> None:
    client = client_of(None)
    headers = {"Authorization": f"Bearer {cast.kim_text}", "X-Api-Key": cast.kim_text}
    for route, url in addresses([route for route in PAGES if route.needs != PUBLIC], made):
        response = client.get(url, headers=headers)
        assert response.status_code in {302, 405}, route.name
        if response.status_code == 302:
            assert "/accounts/login/" in response["Location"], route.name
