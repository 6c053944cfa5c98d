"""Keys: make, change, rotate, revoke, hand over."""

import datetime as dt
import itertools
import json
import uuid
from functools import partial
from typing import Any

import pytest

from console.core.clock import now
from console.core.errors import BadInput, Conflict, NotAllowed
from console.teams import keys as key_format
from console.teams import lineage
from console.teams.access import key_rights
from console.teams.actors import SYSTEM, Actor
from console.teams.models import ApiKey, Role
from console.teams.roles import ALL_RIGHTS, RIGHTS, SCOPES, rights_of_key
from console.teams.services import keys as services
from console.teams.services import people
from console.teams.services import teams as team_services
from console.teams.shapes import key_shapes, team_shapes
from console.teams.unknown_fields import policy_of
from tests import make
from tests.at_once import at_once
from tests.conftest import Cast
from tests.make import actor_for as actor
from tests.teams import log


def key_actor(key: ApiKey) -> Actor:
    return Actor("key", key.pk, key.name)


def test_it_keeps_only_the_digest(cast: Cast) -> None:
    key, text = services.create_key(actor=actor(cast.alice), team=cast.team_a, name=" app ", environment="sandbox")
    key.refresh_from_db()
    assert bytes(key.digest) == key_format.digest(text)
    assert (key.name, key.prefix, key.last4) == ("app", "fk_test_", text[-4:])
    values = [str(value) for value in ApiKey.objects.filter(pk=key.pk).values_list()[0]]
    assert not any(text in value for value in values)
    assert text not in str([vars(line) for line in log.lines()])


def test_it_belongs_to_the_person_who_made_it(cast: Cast) -> None:
    key, _ = services.create_key(actor=actor(cast.alice), team=cast.team_a, name="app", environment="production")
    assert (key.owner, key.was_personal) == (cast.alice, True)


def test_it_writes_one_line_and_moves_the_epoch(cast: Cast) -> None:
    before, epoch = len(log.lines()), log.epoch()
    key, _ = services.create_key(actor=actor(cast.alice), team=cast.team_a, name="app", environment="production")
    assert len(log.lines()) == before + 1
    assert log.epoch() == epoch + 1
    line = log.last()
    assert (line.action, line.team_id, line.target_id) == ("key.created", cast.team_a.pk, str(key.pk))
    assert json.loads(line.detail)["after"]["owner"] == "Alice"


@pytest.mark.parametrize("scope", ["keys:manage", "team:manage", "audit:content"])
def test_it_refuses_scopes_beyond_the_creators_rights(cast: Cast, scope: str) -> None:
    with pytest.raises(NotAllowed, match=scope):
        services.create_key(
            actor=actor(cast.bob), team=cast.team_a, name="app", environment="production", scopes=["models:call", scope]
        )


def test_it_lets_only_operators_give_away_exact_versions(cast: Cast) -> None:
    wanted = {
        "team": cast.team_a,
        "name": "app",
        "environment": "production",
        "scopes": ["models:call", "models:exact"],
    }
    with pytest.raises(NotAllowed, match="Only an operator can give a key models:exact"):
        services.create_key(actor=actor(cast.alice), **wanted)
    key, _ = services.create_key(actor=actor(cast.operator), **wanted, owner=cast.alice, max_lane="batch")
    shape = key_shapes(team_shapes())[bytes(key.digest)]
    assert (shape.may_call_exact, shape.max_lane) == (True, "batch")
    plain = key_shapes(team_shapes())[bytes(cast.kim.digest)]
    assert (plain.may_call_exact, plain.max_lane) == (False, "interactive")
    changed = services.change_key(
        actor=actor(cast.alice), key=key, name="app", scopes=["models:call"], max_lane="standard"
    )
    assert changed.max_lane == "standard"
    detail = json.loads(log.last().detail)
    assert detail["before"]["max_lane"] == "batch"
    services.change_key(actor=actor(cast.alice), key=key, name="app", scopes=["models:call"], unknown_fields="drop")
    assert json.loads(log.last().detail) == {"before": {"unknown_fields": ""}, "after": {"unknown_fields": "drop"}}
    assert key_shapes(team_shapes())[bytes(key.digest)].unknown_fields == "drop"
    with pytest.raises(BadInput, match="pass, drop, refuse"):
        services.create_key(actor=SYSTEM, team=cast.team_a, name="a", environment="sandbox", unknown_fields="keep")
    with pytest.raises(BadInput, match="not a lane"):
        services.change_key(actor=actor(cast.alice), key=key, name="app", scopes=["models:call"], max_lane="fast")


def test_only_an_operator_lets_a_key_be_laxer_than_the_installation(cast: Cast, settings) -> None:
    alice, operator = actor(cast.alice), actor(cast.operator)
    wanted = {"team": cast.team_a, "environment": "sandbox", "owner": cast.alice}

    def change(who, key, word=None, name="a"):
        return services.change_key(actor=who, key=key, name=name, scopes=key.scopes, unknown_fields=word)

    settings.GATEWAY_UNKNOWN_FIELDS = "pass"
    earlier, _ = services.create_key(actor=alice, **wanted, name="a", unknown_fields="pass")
    granted, _ = services.create_key(actor=operator, **wanted, name="b", unknown_fields="pass")
    settings.GATEWAY_UNKNOWN_FIELDS = "drop"
    assert (policy_of(earlier), policy_of(granted), policy_of(None)) == ("drop", "pass", "drop")
    shapes = key_shapes(team_shapes())
    assert [policy_of(shapes[bytes(key.digest)]) for key in (earlier, granted)] == ["drop", "pass"]
    for lax in (
        lambda: services.create_key(actor=alice, **wanted, name="c", unknown_fields="pass"),
        lambda: change(alice, cast.kim, "pass"),
    ):
        with pytest.raises(NotAllowed, match="word for unknown fields is drop; only an operator") as caught:
            lax()
        assert caught.value.param == "unknown_fields"
    for stricter in ("drop", "refuse", ""):
        assert policy_of(change(alice, cast.kim, stricter)) == (stricter or "drop")
    assert policy_of(change(alice, granted, "pass", name="renamed")) == "pass", "what an operator said stays"
    new, _ = services.rotate_key(actor=alice, key=granted)
    assert policy_of(new) == "pass"
    assert policy_of(change(alice, new, "refuse")) == "refuse"
    with pytest.raises(NotAllowed):
        change(alice, new, "pass")
    assert policy_of(change(operator, earlier, "pass")) == "pass"
    assert json.loads(log.last().detail)["after"] == {"unknown_fields_by_operator": True}
    by_program, _ = services.create_key(actor=SYSTEM, team=cast.team_a, name="d", environment="sandbox")
    assert not by_program.unknown_fields_by_operator


def test_it_refuses_another_teams_member(cast: Cast) -> None:
    with pytest.raises(NotAllowed):
        services.create_key(actor=actor(cast.charlie), team=cast.team_a, name="app", environment="production")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("environment", "staging"),
        ("name", "  "),
        ("name", "x" * 81),
        ("scopes", []),
        ("scopes", ["everything"]),
        ("networks", ["10.0.0.0/99"]),
        ("networks", ["example.com"]),
        ("aliases", ["not a name"]),
        ("aliases", ["a"] * 51),
        ("expires_at", dt.datetime(2020, 1, 1, tzinfo=dt.UTC)),
    ],
)
def test_it_refuses_what_could_never_work(cast: Cast, field: str, value: Any) -> None:
    values = {"name": "app", "environment": "production", field: value}
    with pytest.raises(BadInput):
        services.create_key(actor=SYSTEM, team=cast.team_a, **values)
    assert not ApiKey.objects.filter(name="app").exists()


def test_it_refuses_an_owner_outside_the_team(cast: Cast) -> None:
    with pytest.raises(BadInput, match="not a member"):
        services.create_key(actor=SYSTEM, team=cast.team_a, name="app", environment="production", owner=cast.charlie)


def test_a_key_makes_keys_no_wider_than_itself_for_the_same_person(cast: Cast) -> None:
    parent, _ = services.create_key(
        actor=actor(cast.alice),
        team=cast.team_a,
        name="parent",
        environment="production",
        scopes=["models:call", "keys:manage"],
    )
    child, _ = services.create_key(
        actor=key_actor(parent), team=cast.team_a, name="child", environment="production", scopes=["models:call"]
    )
    assert child.owner == cast.alice
    with pytest.raises(NotAllowed):
        services.create_key(
            actor=key_actor(parent), team=cast.team_a, name="wide", environment="production", scopes=["team:manage"]
        )
    with pytest.raises(NotAllowed):
        services.create_key(actor=key_actor(parent), team=cast.team_b, name="other", environment="production")


def test_a_key_gives_away_no_wider_limits_than_its_own(cast: Cast) -> None:
    soon = now() + dt.timedelta(days=1)
    limits: dict[str, Any] = {
        "aliases": ["a", "b"],
        "networks": ["203.0.113.0/24"],
        "max_lane": "standard",
        "expires_at": soon,
    }
    scopes = ["models:call", "keys:manage"]
    parent, _ = make.make_key(cast.team_a, environment="sandbox", owner=cast.alice, scopes=scopes, **limits)
    own = {"environment": "sandbox", "scopes": ["models:call"], **limits}
    wider: tuple[dict[str, Any], ...] = (
        {"environment": "production"},
        {"aliases": []},
        {"aliases": ["a", "c"]},
        {"networks": []},
        {"networks": ["203.0.113.0/24", "2001:db8::/32"]},
        {"networks": ["203.0.112.0/23"]},
        {"max_lane": "interactive"},
        {"expires_at": None},
        {"expires_at": soon + dt.timedelta(seconds=1)},
    )
    for change in wider:
        with pytest.raises(NotAllowed) as refused:
            services.create_key(actor=key_actor(parent), team=cast.team_a, name="child", **own | change)
        assert {refused.value.param} == set(change)
        if "environment" in change:
            continue
        for key in (parent, make.make_key(cast.team_a, environment="sandbox", scopes=["models:call"], **limits)[0]):
            same = {"key": key, "name": key.name, "scopes": key.scopes} | limits
            with pytest.raises(NotAllowed):
                services.change_key(actor=key_actor(parent), **same | change)
    narrower = {"aliases": ["b"], "networks": ["203.0.113.7"], "max_lane": "batch"}
    services.create_key(actor=key_actor(parent), team=cast.team_a, name="child", **own | narrower)
    for unlimited in (cast.kim, make.make_key(cast.team_a, environment="sandbox", aliases=["a"], max_lane="batch")[0]):
        with pytest.raises(NotAllowed):
            services.rotate_key(actor=key_actor(parent), key=unlimited)
    followed, _ = services.rotate_key(actor=key_actor(parent), key=parent)
    assert followed.networks == parent.networks


def test_its_rights_are_its_scopes_as_far_as_its_owner_has_them(cast: Cast) -> None:
    key, _ = make.make_key(cast.team_a, owner=cast.alice, scopes=["models:call", "keys:manage"])
    assert key_rights(key) == {"view_team", "use_models", "manage_keys"}
    member = cast.team_a.memberships.get(user=cast.alice)
    make.make_member(cast.team_a, cast.charlie, Role.OWNER)
    team_services.change_role(actor=SYSTEM, membership=member, role=Role.MEMBER)
    assert key_rights(key) == {"view_team", "use_models"}
    team_services.remove_member(actor=SYSTEM, membership=member)
    assert key_rights(key) == frozenset()


def test_it_has_no_rights_when_its_owner_is_disabled_or_gone(cast: Cast) -> None:
    key, _ = make.make_key(cast.team_a, owner=cast.bob)
    people.disable_person(actor=SYSTEM, user=cast.bob)
    key = ApiKey.objects.select_related("owner").get(pk=key.pk)
    assert key_rights(key) == frozenset()
    cast.bob.delete()
    key = ApiKey.objects.select_related("owner").get(pk=key.pk)
    assert key.owner is None
    assert key_rights(key) == frozenset()


def test_the_installations_keys_have_their_scopes(cast: Cast) -> None:
    assert key_rights(cast.kim) == {"view_team", "use_models", "view_usage"}


def test_rights_of_a_key_are_never_more_than_either_side() -> None:
    for role in Role.values:
        for scope, right in SCOPES.items():
            rights = rights_of_key([scope], RIGHTS[role])
            assert rights <= RIGHTS[role] | {"view_team"}
            assert (right in rights) == (right in RIGHTS[role])
    assert rights_of_key(["nonsense"], None) == frozenset()
    assert rights_of_key(SCOPES, ALL_RIGHTS) <= ALL_RIGHTS


def test_it_changes_names_and_limits(cast: Cast) -> None:
    key, _ = make.make_key(cast.team_a, "old", owner=cast.alice)
    epoch = log.epoch()
    services.change_key(
        actor=actor(cast.alice),
        key=key,
        name="new",
        scopes=["models:call"],
        aliases=["assistant"],
        networks=["203.0.113.7", "2001:db8::/32"],
    )
    key.refresh_from_db()
    assert (key.name, key.scopes, key.aliases) == ("new", ["models:call"], ["assistant"])
    assert key.networks == ["203.0.113.7/32", "2001:db8::/32"]
    assert log.epoch() == epoch + 1
    assert json.loads(log.last().detail)["before"]["name"] == "old"


def test_it_writes_nothing_when_nothing_changes(cast: Cast) -> None:
    key, _ = make.make_key(cast.team_a, owner=cast.alice)
    count = len(log.lines())
    services.change_key(actor=actor(cast.alice), key=key, name=key.name, scopes=key.scopes)
    assert len(log.lines()) == count


def test_it_lets_a_builder_change_a_wider_key_but_not_widen_it(cast: Cast) -> None:
    builder = make.make_member(cast.team_a, role=Role.BUILDER)
    key, _ = make.make_key(cast.team_a, owner=cast.alice, scopes=["models:call", "team:manage"])
    services.change_key(actor=actor(builder), key=key, name="renamed", scopes=["models:call", "team:manage"])
    with pytest.raises(NotAllowed):
        services.change_key(actor=actor(builder), key=key, name="wider", scopes=["models:call", "members:manage"])


def test_it_lets_nobody_loosen_the_limits_of_a_key_they_could_not_have_made(cast: Cast) -> None:
    builder, soon = make.make_member(cast.team_a, role=Role.BUILDER), now() + dt.timedelta(days=1)
    limits: dict[str, Any] = {"aliases": ["a"], "networks": ["203.0.113.0/24"], "expires_at": soon, "max_lane": "batch"}
    key, _ = make.make_key(cast.team_a, owner=cast.alice, scopes=["team:manage"], **limits)
    same = {"key": key, "name": key.name, "scopes": key.scopes} | limits
    wider: tuple[dict[str, Any], ...] = (
        {"aliases": []},
        {"aliases": ["a", "b"]},
        {"networks": []},
        {"networks": ["0.0.0.0/0"]},
        {"max_lane": "interactive"},
        {"expires_at": None},
        {"expires_at": soon + dt.timedelta(days=1)},
    )
    for change in wider:
        with pytest.raises(NotAllowed):
            services.change_key(actor=actor(builder), **same | change)
        assert services.change_key(actor=actor(cast.alice), **same | change)
        services.change_key(actor=actor(cast.alice), **same)
    narrower = {"expires_at": soon - dt.timedelta(hours=1), "name": "renamed"}
    assert services.change_key(actor=actor(builder), **same | narrower).name == "renamed"


def test_it_rotates_with_an_overlap(cast: Cast) -> None:
    key, text = make.make_key(
        cast.team_a, "app", owner=cast.alice, aliases=["assistant"], expires_at=now() + dt.timedelta(days=90)
    )
    new, new_text = services.rotate_key(actor=actor(cast.alice), key=key, overlap=dt.timedelta(hours=1))
    key.refresh_from_db()
    assert key.replaced_by == new
    assert key.revoked_at is None
    assert key.expires_at is not None
    assert dt.timedelta(minutes=59) < key.expires_at - now() <= dt.timedelta(hours=1)
    assert (new.name, new.aliases, new.owner, new.environment) == ("app", ["assistant"], cast.alice, "production")
    assert new.expires_at is not None
    assert new.expires_at > now() + dt.timedelta(days=89)
    assert text != new_text


def test_it_rotates_a_key_that_is_to_live_forever(cast: Cast) -> None:
    end = dt.datetime(9999, 12, 31, tzinfo=dt.UTC)
    key, _ = make.make_key(cast.team_a, owner=cast.alice, expires_at=end)
    ApiKey.objects.filter(pk=key.pk).update(created_at=now() - dt.timedelta(days=2))
    new, _ = services.rotate_key(actor=actor(cast.alice), key=key)
    assert new.expires_at == end


def test_keys_that_were_rotated_very_often_cost_little(cast: Cast, django_assert_num_queries, monkeypatch) -> None:
    made = cast.kim.created_at
    line = [ApiKey(team=cast.team_a, name="daily", digest=bytes([n]) * 32, created_at=made) for n in range(200)]
    ApiKey.objects.bulk_create(line)
    for older, newer in itertools.pairwise(line):
        older.replaced_by, older.expires_at = newer, made
    ApiKey.objects.bulk_update(line, ["replaced_by", "expires_at"])
    compared, is_equal = itertools.count(), uuid.UUID.__eq__

    def counted(one: uuid.UUID, other: object) -> bool:
        next(compared)
        return is_equal(one, other)

    monkeypatch.setattr(uuid.UUID, "__eq__", counted)
    shapes = key_shapes(team_shapes())
    assert next(compared) < 50 * len(line), "the gateway reads all keys whenever anything changes"
    monkeypatch.undo()
    assert shapes[bytes(line[-1].digest)].own_keys == {key.pk for key in line}
    assert shapes[bytes(line[1].digest)].own_keys == {line[0].pk, line[1].pk}
    with django_assert_num_queries(2):
        assert lineage.successor_of(line[0]) == line[-1]
    ApiKey.objects.filter(pk=line[150].pk).update(revoked_at=made)
    assert lineage.successor_of(line[0]) == line[150], "nobody goes on for a key that was revoked"


def test_it_never_lengthens_the_old_keys_life(cast: Cast) -> None:
    soon = now() + dt.timedelta(minutes=5)
    key, _ = make.make_key(cast.team_a, expires_at=soon)
    services.rotate_key(actor=SYSTEM, key=key, overlap=dt.timedelta(days=7))
    key.refresh_from_db()
    assert key.expires_at == soon


def test_it_stops_the_old_key_at_once_without_overlap(cast: Cast) -> None:
    services.rotate_key(actor=SYSTEM, key=cast.kim)
    cast.kim.refresh_from_db()
    assert cast.kim.revoked_at is not None
    with pytest.raises(Conflict):
        services.rotate_key(actor=SYSTEM, key=cast.kim)


def test_it_shows_nobody_a_key_wider_than_their_rights_by_rotation(cast: Cast) -> None:
    builder = make.make_member(cast.team_a, role=Role.BUILDER)
    key, _ = make.make_key(cast.team_a, owner=cast.alice, scopes=["team:manage"])
    with pytest.raises(NotAllowed):
        services.rotate_key(actor=actor(builder), key=key)
    with pytest.raises(NotAllowed):
        services.hand_over_key(actor=actor(builder), key=key, owner=builder)


def test_it_revokes_once(cast: Cast) -> None:
    epoch = log.epoch()
    services.revoke_key(actor=actor(cast.alice), key=cast.kim)
    assert log.epoch() == epoch + 1
    assert log.last().action == "key.revoked"
    with pytest.raises(Conflict):
        services.revoke_key(actor=actor(cast.alice), key=cast.kim)
    with pytest.raises(Conflict):
        services.change_key(actor=actor(cast.alice), key=cast.kim, name="x", scopes=["models:call"])


def test_it_hands_a_key_to_another_member(cast: Cast) -> None:
    key, _ = make.make_key(cast.team_a, owner=cast.bob)
    services.hand_over_key(actor=actor(cast.alice), key=key, owner=cast.alice)
    key.refresh_from_db()
    assert key.owner == cast.alice
    with pytest.raises(BadInput):
        services.hand_over_key(actor=actor(cast.alice), key=key, owner=cast.charlie)


def test_it_hands_over_keys_when_a_member_goes(cast: Cast) -> None:
    stays, _ = make.make_key(cast.team_a, owner=cast.bob)
    elsewhere = make.make_member(cast.team_b, cast.bob)
    other, _ = make.make_key(cast.team_b, owner=elsewhere)
    member = cast.team_a.memberships.get(user=cast.bob)
    team_services.remove_member(actor=actor(cast.alice), membership=member, hand_keys_to=cast.alice)
    stays.refresh_from_db()
    other.refresh_from_db()
    assert (stays.owner, other.owner) == (cast.alice, cast.bob)


def test_it_remembers_the_latest_use_in_one_statement(cast: Cast, django_assert_num_queries: Any) -> None:
    other, _ = make.make_key(cast.team_a)
    late, early = now(), now() - dt.timedelta(hours=1)
    lines, epoch = len(log.lines()), log.epoch()
    with django_assert_num_queries(1):
        assert services.touch({cast.kim.pk: late, other.pk: early}) == 2
    assert services.touch({cast.kim.pk: early}) == 0
    assert services.touch({}) == 0
    cast.kim.refresh_from_db()
    assert cast.kim.last_used_at == late
    assert (len(log.lines()), log.epoch()) == (lines, epoch)


@pytest.mark.django_db(transaction=True)
def test_it_rotates_once_when_two_ask_at_once() -> None:
    cast = Cast()
    rotate = partial(services.rotate_key, actor=SYSTEM, key=cast.kim, overlap=dt.timedelta(hours=1))
    outcomes = at_once(*[rotate] * 4)
    assert sorted(type(one).__name__ for one in outcomes) == ["Conflict"] * 3 + ["tuple"]
    assert ApiKey.objects.count() == 2
