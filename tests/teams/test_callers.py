"""Credentials become a Caller in one place, or the one refusal there is."""

import datetime as dt
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import OperationalError
from django.test import Client, RequestFactory
from django.urls import reverse

from console.core.clock import now
from console.core.errors import BadInput, NotSignedIn, Unavailable
from console.teams import callers, keys, refusals
from console.teams.actors import SYSTEM
from console.teams.callers import caller_for_key, caller_from_request, read_key
from console.teams.models import ApiKey, Role
from console.teams.services import keys as key_services
from console.teams.services import people
from console.teams.services import teams as team_services
from tests import make
from tests.conftest import Cast
from tests.teams import log

HOME = "203.0.113.9"


@pytest.fixture(autouse=True)
def no_old_counts() -> Iterator[None]:
    refusals._counts.clear()
    yield
    refusals._counts.clear()


def request_with(path: str = "/api/keys", user: Any = None, **headers: str) -> Any:
    request = RequestFactory().get(path, **{f"HTTP_{name.upper()}": value for name, value in headers.items()})
    request.user = user or AnonymousUser()
    request.client_address = HOME  # type: ignore[attr-defined]
    return request


def test_it_knows_a_key(cast: Cast, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        caller = caller_for_key(cast.kim_text, HOME)
    assert caller.key_id == cast.kim.pk
    assert (caller.actor.kind, caller.actor.name) == ("key", f"kim {cast.kim.shown}")
    assert caller.actor.client_address == HOME
    assert caller.rights == {cast.team_a.pk: {"view_team", "use_models", "view_usage"}}
    assert not caller.is_operator
    assert caller.user is None


def test_an_operators_key_is_no_operator(cast: Cast) -> None:
    _, text = make.make_key(cast.team_a, owner=cast.operator, scopes=["models:call"])
    caller = caller_for_key(text, HOME)
    assert not caller.is_operator
    assert not caller.may("use_models", cast.team_b.pk)


def test_it_refuses_a_malformed_key_without_a_query(cast: Cast, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        for text in ("", "sk-something", cast.kim_text[:-1], cast.kim_text[:-1] + "é", "x" * 10_000):
            with pytest.raises(NotSignedIn):
                caller_for_key(text, HOME)


def refused(text: str, address: str = HOME) -> tuple[str, str, dict[str, str]]:
    with pytest.raises(NotSignedIn) as caught:
        caller_for_key(text, address)
    return caught.value.message, caught.value.code, caught.value.headers


def test_it_answers_every_refusal_the_same_and_tells_the_log_why(cast: Cast) -> None:
    revoked, revoked_text = make.make_key(cast.team_a)
    key_services.revoke_key(actor=SYSTEM, key=revoked)
    expired, expired_text = make.make_key(cast.team_a)
    ApiKey.objects.filter(pk=expired.pk).update(expires_at=now() - dt.timedelta(seconds=1))
    bound, bound_text = make.make_key(cast.team_a, networks=["198.51.100.0/24"])
    _, disabled_text = make.make_key(cast.team_a, owner=make.make_member(cast.team_a))
    people.disable_person(actor=SYSTEM, user=ApiKey.objects.latest("created_at", "id").owner)  # type: ignore[arg-type]
    gone = make.make_member(cast.team_a)
    _, gone_text = make.make_key(cast.team_a, owner=gone)
    team_services.remove_member(actor=SYSTEM, membership=gone.memberships.get())
    archived = make.make_team("Old")
    _, archived_text = make.make_key(archived)
    team_services.archive_team(actor=SYSTEM, team=archived)

    answers, reasons = [], []
    for text in (revoked_text, expired_text, bound_text, disabled_text, gone_text, archived_text):
        answers.append(refused(text))
        reasons.append(log.last().reason)
    assert reasons == [
        "revoked",
        "expired",
        "outside its networks",
        "its owner is disabled",
        "its owner has no rights in the team any more",
        "its team is archived",
    ]
    answers += [refused(keys.generate("production")), refused("fk_live_nonsense")]
    assert all(answer == answers[0] for answer in answers)
    line = log.lines("key.refused")[0]
    assert (line.status, line.key_id or line.target_id, line.client_address) == ("refused", str(revoked.pk), HOME)


def test_it_takes_a_key_from_its_networks_only(cast: Cast) -> None:
    _, text = make.make_key(cast.team_a, networks=["198.51.100.0/24", "2001:db8::/32"])
    for address in ("198.51.100.7", "::ffff:198.51.100.7", "2001:db8::7"):
        assert caller_for_key(text, address).key_id
    for address in ("198.51.101.7", "2001:db9::7", "", "nonsense"):
        refused(text, address)


def test_it_counts_noise_by_minute_and_network(cast: Cast) -> None:
    count = len(log.lines())
    for _ in range(5):
        refused("nonsense", "2001:db8::1")
        refused("nonsense", "2001:db8::2")
    refused(keys.generate("sandbox"))
    assert len(log.lines()) == count
    assert not refusals.is_due()
    with mock.patch.object(refusals, "now", lambda: now() + dt.timedelta(minutes=1)):
        assert refusals.is_due()
        assert refusals.flush() == 2
    told = {(line.reason, line.detail.split('"times": ')[1].rstrip("}")) for line in log.lines("key.refused")}
    assert told == {("malformed", "10"), ("unknown", "1")}


def test_counted_noise_outlives_a_disk_that_is_full(cast: Cast, client: Client) -> None:
    refusals.count_sign_in("throttled", HOME)
    full = mock.patch.object(refusals, "record", side_effect=OperationalError("disk full"))
    with mock.patch.object(refusals, "now", lambda: now() + dt.timedelta(minutes=1)):
        with full as record:
            assert [client.get(reverse("account_login")).status_code for _ in range(2)] == [200, 200]
        assert record.call_count == 1, "not every page waits for a database in trouble"
        assert refusals.flush() == 1


def test_a_flood_does_not_grow_the_process(cast: Cast) -> None:
    def flood(*_: Any, **__: Any) -> None:
        for number in range(3000):
            refusals.count_sign_in("throttled", f"10.{number // 250}.{number % 250}.1")
        raise OperationalError("disk full")

    later = mock.patch.object(refusals, "now", lambda: now() + dt.timedelta(minutes=1))
    with pytest.raises(OperationalError):
        flood()
    assert len(refusals._counts) <= 1001
    with later, mock.patch.object(refusals, "record", flood), pytest.raises(OperationalError):
        refusals.flush()
    assert len(refusals._counts) <= 1010
    assert sum(refusals._counts.values()) == 6000


def test_it_answers_503_when_the_database_is_away(cast: Cast) -> None:
    with (
        mock.patch.object(callers.ApiKey.objects, "select_related", side_effect=OperationalError("away")),
        pytest.raises(Unavailable) as caught,
    ):
        caller_for_key(cast.kim_text, HOME)
    assert caught.value.status == 503
    assert caught.value.retry_after


# What a request carries ------------------------------------------------------------------------------------------


def test_it_reads_both_headers(cast: Cast) -> None:
    assert caller_from_request(request_with(authorization=f"Bearer {cast.kim_text}")).key_id == cast.kim.pk
    assert caller_from_request(request_with(authorization=f"bearer   {cast.kim_text} ")).key_id == cast.kim.pk
    assert caller_from_request(request_with(x_api_key=cast.kim_text)).key_id == cast.kim.pk


def test_it_accepts_the_same_key_twice_and_refuses_two() -> None:
    assert read_key(["Bearer a"], ["a"]) == "a"
    assert read_key([], []) is None
    assert read_key([""], ["", " "]) is None
    for authorization, x_api_key in ((["Bearer a"], ["b"]), (["Bearer a", "Bearer b"], []), ([], ["a", "b"])):
        with pytest.raises(BadInput) as caught:
            read_key(authorization, x_api_key)
        assert caught.value.status == 400
        assert caught.value.code == "two_credentials"


@pytest.mark.parametrize("value", ["Basic dXNlcjpwYXNz", "Bearer", "Bearer  ", "fk_live_x"])
def test_it_refuses_other_schemes(value: str) -> None:
    with pytest.raises(BadInput):
        read_key([value], [])


@pytest.mark.parametrize(
    "query",
    ["api_key=x", "API_KEY=x", "access_token=x", "q=fk_live_abc", "key=fk_test_abc", "q=fk_live_abc&q=1"],
)
def test_it_refuses_keys_in_the_address(query: str) -> None:
    with pytest.raises(BadInput) as caught:
        caller_from_request(request_with(f"/api/keys?{query}"))
    assert caught.value.code == "key_in_query"


def test_a_key_counts_and_the_cookie_does_not(cast: Cast) -> None:
    caller = caller_from_request(request_with(user=cast.operator, x_api_key=cast.kim_text))
    assert (caller.user, caller.key_id, caller.is_operator) == (None, cast.kim.pk, False)
    with pytest.raises(NotSignedIn):
        caller_from_request(request_with(user=cast.operator, x_api_key="nonsense"))


def test_without_a_key_the_session_counts(cast: Cast) -> None:
    caller = caller_from_request(request_with(user=cast.alice))
    assert caller.user == cast.alice
    assert caller.may("manage_keys", cast.team_a.pk)
    assert not caller.may("view_team", cast.team_b.pk)
    assert caller_from_request(request_with()).is_anonymous


def test_a_team_that_requires_two_factor_holds_its_members(cast: Cast) -> None:
    team_services.change_team(actor=SYSTEM, team=cast.team_a, name="Team A", requires_two_factor=True)
    make.make_member(cast.team_a, cast.operator, Role.MEMBER)
    for user in (cast.alice, cast.operator):
        caller = caller_from_request(request_with(user=user))
        assert caller.is_held
        assert not caller.is_operator
        assert not caller.may("view_team")
    assert not caller_from_request(request_with(user=cast.charlie)).is_held
    _, text = make.make_key(cast.team_a, "program", owner=cast.alice)
    assert caller_for_key(text, HOME).may("use_models", cast.team_a.pk), "a key is not a person's way in"
