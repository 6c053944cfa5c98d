"""Every route and method of the management API, tried by everybody: sessions of each role, and keys of each kind.

A new route with arguments needs a line in FACTORIES, which says how to make what it names in Team A. What a view
declares (`needs`, `needs_to`) decides who gets in, and nothing else; another team's id looks like no id at all.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.db import transaction
from django.test import Client
from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from console.audit.models import AuditEvent
from console.core.clock import now
from console.teams.access import PUBLIC, SIGNED_IN
from console.teams.actors import SYSTEM
from console.teams.models import ApiKey, Role
from console.teams.roles import ALL_RIGHTS, INSTALLATION, RIGHTS, SCOPES, rights_of_key
from console.teams.services import keys
from tests import make, test_routes
from tests.conftest import Cast
from tests.test_routes import (
    ACTORS,
    Arguments,
    Made,
    Route,
    _agent,
    _agent_version,
    _alert_rule,
    _alias,
    _approval,
    _batch,
    _batch_file,
    _broker,
    _call,
    _channel,
    _collection,
    _conversation,
    _dataset,
    _delivery,
    _document,
    _each_quota_id,
    _file,
    _increase,
    _invitation,
    _legacy,
    _member,
    _message,
    _own_widget,
    _parked_message,
    _pin,
    _prompt,
    _prompt_label,
    _prompt_version,
    _proposal,
    _provider,
    _queue,
    _queue_item,
    _quota_id,
    _record,
    _replay,
    _review,
    _run,
    _team,
    _test_case,
    _test_run,
    _test_schedule,
    _tool,
    _tool_server,
    _trigger,
    _trigger_token,
    _version,
    _visit,
    _waiver,
    client_of,
    may_least,
    missing,
    ours,
)

pytestmark = pytest.mark.long

# One cast and one of everything for all tests here, too.
cast, made = test_routes.cast, test_routes.made
_who_tries_is_found_once = test_routes._who_tries_is_found_once

ROUTES = [route for route in ours() if route.pattern.startswith("api/")]
OBJECTS = [route for route in ROUTES if route.is_object]
# What even an operator does only after signing in again, and no key at all; tests/api/manage/test_installation_keys.py.
ASKS_AGAIN = {("api:sign_in_link", "POST")}
# What an operator's key needs a scope of its own for: content, and what only `prompts:review` allows.
CONTENT = {
    "api:audit_event_content",
    "api:decide_review",
    "api:take_back_review",
    "api:prompt_waivers",
    "api:prompt_waiver",
    "api:dataset_items",
    "api:replay_results",
    "api:retry_replay",
    "api:rerun_batch",
    "api:download_batch_file",
}
# Runs of tests are calls, and those of a key count and are recorded in its own team: even a key that manages the
# installation begins them there alone, as it does replays.
OF_ITS_OWN_TEAM = {("api:run_test_schedule", "POST")}
# Inside, and yet: what is asked for is not there (nobody has a draft, no repository is connected, `x/render` is the
# name of no prompt), or a rule asks for more than the door (a remark is for those who build or approve).
FURTHER_IN: dict[tuple[str, str], int | tuple[int, ...]] = {
    ("api:prompt_draft", "GET"): 404,
    ("api:prompts_git", "GET"): 404,
    ("api:prompts_git", "DELETE"): 404,
    **{("api:render_by_path", method): 404 for method in ("GET", "PATCH", "DELETE")},
    ("api:review_comments", "POST"): 403,
    ("api:member", "DELETE"): 403,  # everybody takes themselves out, and this is somebody else
    # Conversations are their owner's: no key comes in, and who reads a shared one cannot change it.
    **{
        (f"api:{name}", method): 403
        for name in (
            *("conversations", "conversation", "messages", "export_conversation", "message", "stop_answer"),
            *("regenerate_answer", "edit_message", "show_branch", "feedback", "file_of_message"),
        )
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
    },
    # Sessions are a person's: everybody else's look like none, and a key has none.
    **dict.fromkeys([("api:sessions", "GET"), ("api:end_other_sessions", "POST")], 403),
    ("api:session", "DELETE"): (403, 404),
    **dict.fromkeys([("api:visits", "GET"), ("api:visit", "GET"), ("api:visit_messages", "GET")], 403),
    ("api:visit_messages", "POST"): 403,
    ("api:take_over", "POST"): 403,
    ("api:give_back", "POST"): 403,
    # Batches are seen by who made them and who sees the usage, and stopped, read and sent again by fewer.
    ("api:batch", "GET"): 404,
    ("api:batch", "DELETE"): (403, 404),
    **dict.fromkeys(
        [("api:cancel_batch", "POST"), ("api:rerun_batch", "POST"), ("api:download_batch_file", "GET")], (403, 404)
    ),
    # Answers of the playground are rated by whoever asked, and a profile is a person's.
    **dict.fromkeys([("api:rate_answer", "PUT"), ("api:rate_answer", "DELETE")], 404),
    # Other people's calls are rated by those who see the log.
    **dict.fromkeys([("api:call_rating", method) for method in ("GET", "PUT", "DELETE")], 403),
    ("api:me", "PATCH"): 403,
    # Members see their own runs only, what a run said is for who may read content, and people decide, if they may.
    **{(f"api:{name}", "GET"): 404 for name in ("run", "compare_runs", "approval")},
    **{(f"api:{name}", "GET"): (403, 404) for name in ("run_questions",)},
    **{
        (f"api:{name}", "POST"): (403, 404)
        for name in ("cancel_run", "run_again", "run_questions", "decide_approval", "extend_approval")
    },
}
WRONG_KEY = "fk_live_0000000000000000000000000000000000000000"


def _pk(arguments: Arguments) -> Arguments:
    """Return the arguments with the one that is an id under the name the API gives it."""
    return {("pk" if isinstance(value, uuid.UUID) else name): value for name, value in arguments.items()}


def _of_trigger_token(cast: Cast) -> Arguments:
    found = _trigger_token(cast)
    return {"slug": found["slug"], "pk": found["trigger_id"], "token_id": found["token_id"]}


def _of_quota(cast: Cast) -> Arguments:
    increase_id = _increase(cast)["increase_id"]
    from usage_app.models import QuotaIncrease

    return {"public_id": QuotaIncrease.objects.get(pk=increase_id).quota.public_id, "pk": increase_id}


def _session(cast: Cast) -> Arguments:
    made = UserSession.objects.create(user=cast.alice, ip="203.0.113.9", session_key="of another browser")
    return {"session_id": made.pk}


def _visit_pk(cast: Cast) -> Arguments:
    made = _visit(cast)
    return {"widget_id": made["widget_id"], "pk": made["conversation_id"]}


FACTORIES: dict[str, Any] = {
    "api:expectation": lambda cast: {"kind": "key", "pk": cast.kim.pk},
    "api:legacy_touchpoint": lambda cast: _pk(_legacy(cast)),
    **dict.fromkeys(("api:tool", "api:try_tool", "api:review_tool"), lambda cast: _pk(_tool(cast))),
    **dict.fromkeys(
        ("api:tool_server", "api:look_at_tool_server", "api:take_tool"), lambda cast: _pk(_tool_server(cast))
    ),
    **dict.fromkeys(("api:queue", "api:queue_items", "api:renew_queue_secret"), lambda cast: _pk(_queue(cast))),
    **dict.fromkeys(("api:park_queue_item", "api:requeue_queue_item"), lambda cast: _pk(_queue_item(cast))),
    **dict.fromkeys(("api:collection", "api:collection_vectors", "api:documents"), lambda cast: _pk(_collection(cast))),
    **dict.fromkeys(
        ("api:document", "api:document_versions", "api:current_version"), lambda cast: _pk(_document(cast))
    ),
    "api:document_version": lambda cast: {**_pk(_document(cast)), "number": 1},
    **dict.fromkeys(("api:broker", "api:look_at_broker"), lambda cast: _pk(_broker(cast))),
    **dict.fromkeys(
        ("api:try_parked_message", "api:drop_parked_message"),
        lambda cast: {"pk": _parked_message(cast)["firing_id"]},
    ),
    **dict.fromkeys(("api:team", "api:members", "api:invitations"), _team),
    "api:member": lambda cast: _pk(_member(cast)),
    "api:session": _session,
    "api:invitation": lambda cast: _pk(_invitation(cast)),
    **dict.fromkeys(("api:person", "api:sign_in_link"), lambda cast: {"pk": cast.bob.pk}),
    **dict.fromkeys(("api:key", "api:rotate_key", "api:hand_over_key"), lambda cast: {"pk": cast.kim.pk}),
    **dict.fromkeys(("api:provider", "api:test_provider", "api:provider_models"), _provider),
    **dict.fromkeys(("api:import_models", "api:incidents", "api:published_prices"), _provider),
    **dict.fromkeys(
        ("api:model", "api:retire_model", "api:prices", "api:model_uses"), lambda cast: _pk(_version(cast))
    ),
    **dict.fromkeys(("api:alias", "api:second_person", "api:tests_rule"), _alias),
    **dict.fromkeys(("api:pin", "api:roll_back", "api:pin_moves"), _pin),
    **dict.fromkeys(("api:set_canary", "api:promote_canary", "api:end_canary"), _pin),
    **dict.fromkeys(("api:set_shadow", "api:set_fallbacks", "api:set_parameters", "api:set_lane"), _pin),
    **dict.fromkeys(("api:approve_proposal", "api:reject_proposal"), lambda cast: _pk(_proposal(cast))),
    **dict.fromkeys(("api:batch", "api:cancel_batch", "api:rerun_batch"), _batch),
    "api:download_batch_file": _batch_file,
    **dict.fromkeys(("api:quota", "api:increases"), _quota_id),
    "api:quota_end_users": _each_quota_id,
    "api:increase": _of_quota,
    **dict.fromkeys(("api:channel", "api:test_channel"), lambda cast: _pk(_channel(cast))),
    "api:alert_rule": lambda cast: {"pk": _alert_rule(cast)["rule_id"]},
    "api:try_delivery_again": lambda cast: _pk(_delivery(cast)),
    **dict.fromkeys(("api:agent", "api:agent_draft", "api:agent_versions", "api:publish_agent"), _agent),
    **dict.fromkeys(("api:roll_back_agent", "api:agent_where_used", "api:try_agent_draft"), _agent),
    "api:agent_version": _agent_version,
    **dict.fromkeys(("api:triggers", "api:compare_agent_versions", "api:agent_moves"), _agent),
    "api:trigger_token": _of_trigger_token,
    **dict.fromkeys(("api:trigger", "api:renew_trigger_secret", "api:firings"), lambda cast: _pk(_trigger(cast))),
    **dict.fromkeys(("api:run", "api:cancel_run", "api:run_again", "api:compare_runs", "api:run_questions"), _run),
    **dict.fromkeys(("api:approval", "api:decide_approval", "api:extend_approval"), lambda cast: _pk(_approval(cast))),
    **dict.fromkeys(("api:widget", "api:switch_widget", "api:widget_secret"), lambda cast: _pk(_own_widget(cast))),
    "api:visits": _own_widget,
    **dict.fromkeys(("api:visit", "api:visit_messages", "api:take_over", "api:give_back"), _visit_pk),
    **dict.fromkeys(("api:prompt", "api:prompt_versions", "api:compare_prompt_versions", "api:prompt_draft"), _prompt),
    **dict.fromkeys(("api:prompt_labels", "api:prompt_moves", "api:prompt_reviews", "api:prompt_waivers"), _prompt),
    **dict.fromkeys(
        ("api:prompt_where_used", "api:render_prompt", "api:render_by_path", "api:test_cases", "api:test_runs"), _prompt
    ),
    **dict.fromkeys(("api:test_schedules", "api:prompt_figures"), _prompt),
    **dict.fromkeys(
        (
            *("api:test_schedule", "api:run_test_schedule", "api:pause_test_schedule", "api:resume_test_schedule"),
            *("api:test_rounds", "api:test_baselines", "api:drift_incidents", "api:close_drift_incident"),
        ),
        lambda cast: _pk(_test_schedule(cast)),
    ),
    **dict.fromkeys(("api:dataset", "api:dataset_items"), lambda cast: _pk(_dataset(cast))),
    **dict.fromkeys(
        ("api:replay", "api:replay_results", "api:retry_replay", "api:stop_replay"), lambda cast: _pk(_replay(cast))
    ),
    "api:prompt_version": _prompt_version,
    **dict.fromkeys(("api:prompt_label", "api:roll_back_prompt"), _prompt_label),
    **dict.fromkeys(
        (
            "api:prompt_review",
            "api:review_comments",
            "api:decide_review",
            "api:withdraw_review",
            "api:take_back_review",
        ),
        lambda cast: _pk(_review(cast)),
    ),
    "api:prompt_waiver": lambda cast: _pk(_waiver(cast)),
    **dict.fromkeys(("api:test_case", "api:check_answer"), lambda cast: _pk(_test_case(cast))),
    **dict.fromkeys(("api:test_run", "api:test_results", "api:stop_test_run"), lambda cast: _pk(_test_run(cast))),
    **dict.fromkeys(
        ("api:conversation", "api:messages", "api:export_conversation"), lambda cast: _pk(_conversation(cast))
    ),
    **dict.fromkeys(("api:message", "api:stop_answer", "api:regenerate_answer"), lambda cast: _pk(_message(cast))),
    "api:file_of_message": lambda cast: {"pk": (file := _file(cast))["message_id"], "place": file["place"]},
    **dict.fromkeys(("api:edit_message", "api:show_branch", "api:feedback"), lambda cast: _pk(_message(cast))),
    **dict.fromkeys(("api:audit_event", "api:audit_event_content"), _record),
    "api:rate_answer": lambda cast: {"reference": _record(cast)["reference"]},
    "api:call_rating": _call,
}


@dataclass(frozen=True, slots=True)
class Try:
    """One method of one route at an address of Team A's."""

    route: Route
    method: str
    url: str

    @property
    def door(self) -> str:
        view = _view(self.route)
        return str(getattr(view, "needs_to", {}).get(self.method, view.needs))


@cache
def _view(route: Route) -> Any:
    from django.urls import resolve

    values = {
        "pk": uuid.uuid4(),
        "public_id": uuid.uuid4(),
        "widget_id": uuid.uuid4(),
        "token_id": uuid.uuid4(),
        "environment": "production",
        "number": 1,
        "session_id": 1,
        "place": 0,
    }
    kwargs = {name: values.get(name, "x") for name in route.parameters}
    return resolve(reverse(route.name, kwargs=kwargs or None)).func.cls  # type: ignore[attr-defined]


def methods(route: Route) -> list[str]:
    return [method for method in ("GET", "POST", "PUT", "PATCH", "DELETE") if hasattr(_view(route), method.lower())]


@pytest.fixture(scope="module")
def tries(made: Made) -> list[Try]:
    found = []
    for route in ROUTES:
        arguments = made[FACTORIES[route.name]] if route.is_object else None
        found += [Try(route, method, reverse(route.name, kwargs=arguments)) for method in methods(route)]
    return found


@contextmanager
def undone() -> Iterator[None]:
    """Take back what happens inside: an owner's DELETE must not spoil the next one's."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def ask(client: Client, method: str, url: str, key: str = "") -> Any:
    # JSON throughout: the document of the API would come as YAML, which takes a second to write.
    headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    with undone():
        response = client.generic(method, url, "{}", content_type="application/json", headers=headers)
        if response.streaming:
            list(response)  # type: ignore[call-overload]
        return response


def expected(one: Try, rights: frozenset[str] | None, *, is_operator: bool = False) -> set[int]:
    """Return the statuses the door allows; an empty set means inside, whatever the answer there. None: nobody."""
    if one.route.name == "api:unknown":
        return {404}
    if one.door == PUBLIC:
        return set()
    if rights is None:
        return {401}
    if (one.route.name, one.method) in ASKS_AGAIN and is_operator:
        return {403}
    if one.door == SIGNED_IN or is_operator:
        return set()
    return set() if one.door in rights else {403}


def wrong_doors(tries: list[Try], who: str, client: Client, key: str, rights: Any, is_operator: bool) -> list[str]:
    wrong = []
    for one in tries:
        status, wanted = (
            ask(client, one.method, one.url, key).status_code,
            expected(one, rights, is_operator=is_operator),
        )
        further = FURTHER_IN.get((one.route.name, one.method), ())
        is_inside = status not in {401, 403, 404} or status in (further if isinstance(further, tuple) else (further,))
        is_right = status in wanted if wanted else status < 500 and is_inside
        if not is_right:
            wrong.append(
                f"{who}: {one.method} {one.route.name} gave {status}, not {sorted(wanted) or 'an answer inside'}"
            )
    return wrong


def nearest(door: str) -> set[str]:
    """Return the roles on either side of a door: the last it opens to and the first it does not.

    What each role may do is tried whole with sessions; a key is held to the same, and may lose more.
    """
    by_rights = sorted(RIGHTS, key=lambda role: len(RIGHTS[role]))
    inside = [role for role in by_rights if door in {PUBLIC, SIGNED_IN} or door in RIGHTS[role]]
    outside = [role for role in by_rights if role not in inside]
    return {*inside[:1], *outside[-1:]}


@contextmanager
def no_further() -> Iterator[None]:
    """Tell whoever gets in no more than that they are in."""
    whole = APIView.initial

    def initial(self: APIView, request: Request, *args: Any, **kwargs: Any) -> None:
        whole(self, request, *args, **kwargs)
        setattr(self, str(request.method).lower(), lambda *_, **__: Response(status=204))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(APIView, "initial", initial)
        yield


def key_of(cast: Cast, role: str, *scopes: str) -> str:
    """Make a key with every scope there is, or these, whose owner has the role in Team A."""
    user = make.make_member(cast.team_a, role=role)
    return make.make_key(cast.team_a, owner=user, scopes=list(scopes or SCOPES))[1]


def test_every_route_with_arguments_has_a_factory() -> None:
    assert {route.name for route in OBJECTS} == set(FACTORIES), "Mend FACTORIES in tests/test_api_routes.py"


def test_sessions_get_in_as_their_role_says(cast: Cast, tries: list[Try]) -> None:
    """Whoever may do all that another may, and more, is seen at the door; what is behind it is tried by the other."""
    wrong = []
    for who, (make_user, rights) in ACTORS.items():
        user = make_user(cast)
        client, nobody = client_of(user), user is None or not user.is_active
        seen = [one for one in tries if who in RIGHTS and one.door in rights and who not in may_least(one.door)]
        whole = [one for one in tries if one not in seen]
        wrong += wrong_doors(whole, who, client, "", None if nobody else rights, who == "operator")
        with no_further():
            wrong += wrong_doors(seen, who, client, "", rights, False)
    assert not wrong, "\n".join(wrong)


def test_keys_get_in_as_scopes_and_their_owners_role_say(cast: Cast, tries: list[Try]) -> None:
    """A cookie beside the key changes nothing: the operator's would open every door."""
    client, wrong = client_of(cast.operator), []
    for role in Role.values:
        rights = rights_of_key(SCOPES, RIGHTS[role])
        here = [one for one in tries if role in nearest(one.door)]
        wrong += wrong_doors(here, f"key of {role}", client, key_of(cast, role), rights, False)
    rights = rights_of_key(["models:call"], ALL_RIGHTS)
    wrong += wrong_doors(tries, "key to call models", client, key_of(cast, Role.OWNER, "models:call"), rights, False)
    managing = make.make_key(cast.team_b, owner=cast.operator, scopes=[INSTALLATION])[1]
    ours, others = [], []
    for one in tries:
        (others if (one.route.name, one.method) in OF_ITS_OWN_TEAM else ours).append(one)
    allowed = [one for one in ours if one.route.name not in CONTENT]
    wrong += wrong_doors(allowed, "key that manages the installation", client, managing, ALL_RIGHTS, True)
    refused = [ask(client, one.method, one.url, managing) for one in others]
    assert [one.status_code for one in refused] == [403]
    assert "take a key of Team A" in refused[0].json()["error"]["message"]
    assert not wrong, "\n".join(wrong)


def test_keys_that_are_not_good_get_one_answer(cast: Cast, tries: list[Try]) -> None:
    revoked, gone = make.make_key(cast.team_a), make.make_member(cast.team_a, role=Role.OWNER)
    keys.revoke_key(actor=SYSTEM, key=revoked[0])
    of_the_gone = make.make_key(cast.team_a, owner=gone)[1]
    gone.is_active = False
    gone.save()
    expired, late = make.make_key(cast.team_a)
    ApiKey.objects.filter(pk=expired.pk).update(expires_at=now())
    elsewhere = make.make_key(cast.team_a, networks=["198.51.100.0/24"])[1]
    bodies, client = set(), client_of(None)
    for text in (WRONG_KEY, revoked[1], of_the_gone, late, elsewhere, cast.kim_text[:-1]):
        for one in tries if text == WRONG_KEY else tries[:3]:
            response = ask(client, one.method, one.url, text)
            assert response.status_code == 401, f"{one.method} {one.route.name}"
            error = response.json()["error"]
            bodies.add((error["message"], error["code"], error["type"]))
    assert len(bodies) == 1


def test_another_teams_id_looks_like_no_id(cast: Cast, made: Made) -> None:
    """Charlie owns Team B. By session and by a key that may do all he may, Team A's objects are not there."""
    session, nobody = client_of(cast.charlie), client_of(None)
    key = make.make_key(cast.team_b, owner=cast.charlie, scopes=list(SCOPES))[1]
    wrong = []
    for route in OBJECTS:
        arguments = made[FACTORIES[route.name]]
        for client, text in ((session, ""), (nobody, key)):
            for method in methods(route):
                theirs = ask(client, method, reverse(route.name, kwargs=arguments), text)
                nothing = ask(client, method, reverse(route.name, kwargs=missing(arguments)), text)
                if theirs.status_code != nothing.status_code or theirs.status_code not in {403, 404}:
                    wrong.append(f"{method} {route.name}: {theirs.status_code}, {nothing.status_code} for no id")
                elif _plain(theirs, arguments) != _plain(nothing, missing(arguments)):
                    wrong.append(f"{method} {route.name}: another body than for no id")
                elif cast.team_a.name in theirs.content.decode():
                    wrong.append(f"{method} {route.name}: names the other team")
    assert not wrong, "\n".join(wrong)
    assert not AuditEvent.objects.filter(team_id=cast.team_a.pk, actor_id=cast.charlie.pk).exists()


def _plain(response: Any, arguments: Arguments) -> dict[str, Any]:
    error = dict(response.json()["error"])
    error.pop("request_id")
    for value in arguments.values():
        error["message"] = error["message"].replace(str(value), "…")
    return error
