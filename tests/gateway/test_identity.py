"""Who a person is to the pipeline, as of a snapshot."""

import datetime as dt
import uuid
from types import SimpleNamespace
from typing import Any

import pytest

from console.core.clock import now
from console.core.errors import NotAllowed
from console.gateway import snapshot
from console.gateway.continuation import may_continue
from console.gateway.identity import KeyRefused, PersonIdentity, StartedByKey
from console.gateway.resolution import exact_version
from console.gateway.types import Asker
from console.teams.models import ApiKey, Membership, Role
from console.teams.services import keys, people
from console.teams.services import teams as team_services
from tests import make
from tests.conftest import Cast

AT = dt.datetime(2026, 7, 1, tzinfo=dt.UTC)


def test_it_makes_a_person_the_asker_of_their_team(cast: Cast) -> None:
    version = make.make_model()
    taken = snapshot.load()
    asker = PersonIdentity(cast.bob.pk, cast.team_a.pk, "sandbox")(taken)
    assert (asker.actor_kind, asker.actor_id, asker.actor) == ("user", cast.bob.pk, "Bob")
    assert (asker.team.name, asker.environment, asker.key) == ("Team A", "sandbox", None)
    label = taken.versions[version.pk].label
    assert exact_version(taken, asker, label) is None, "past the team's aliases reach operators only"
    operator = PersonIdentity(cast.operator.pk, cast.team_b.pk, "production")(taken)
    assert exact_version(taken, operator, label) is taken.versions[version.pk]


def test_it_refuses_whoever_may_not_call_for_the_team(cast: Cast) -> None:
    auditor = make.make_member(cast.team_a, role=Role.AUDITOR)
    gone, disabled = make.make_member(cast.team_a), make.make_member(cast.team_a)
    operator = make.make_user(is_superuser=True)
    archived = make.make_team("Closed", owner=cast.alice)
    team_services.archive_team(actor=make.SYSTEM, team=archived)
    team_services.remove_member(actor=make.SYSTEM, membership=Membership.objects.get(user=gone))
    people.disable_person(actor=make.SYSTEM, user=disabled)
    people.disable_person(actor=make.SYSTEM, user=operator)
    taken = snapshot.load()
    for user_id, team in (
        (cast.charlie.pk, cast.team_a),
        (auditor.pk, cast.team_a),
        (gone.pk, cast.team_a),
        (disabled.pk, cast.team_a),
        (operator.pk, cast.team_a),
        (uuid.uuid4(), cast.team_a),
        (cast.alice.pk, archived),
    ):
        with pytest.raises(NotAllowed) as refused:
            PersonIdentity(user_id, team.pk, "production")(taken)
        said = refused.value.record  # type: ignore[attr-defined]
        assert (said["actor_id"], said["team"], said["environment"]) == (user_id, team.name, "production")


def test_it_asks_again_for_the_key_that_started_work(cast: Cast) -> None:
    started = StartedByKey(cast.kim.pk, "127.0.0.1", AT)
    assert started(snapshot.load()).actor == "kim"
    heir, _ = keys.rotate_key(actor=make.SYSTEM, key=cast.kim, overlap=dt.timedelta(hours=1))
    heir, _ = keys.rotate_key(actor=make.SYSTEM, key=heir, overlap=dt.timedelta(hours=1))
    taken = snapshot.load()
    assert started(taken).actor_id == cast.kim.pk
    later = now() + dt.timedelta(hours=2)
    successor = StartedByKey(cast.kim.pk, "127.0.0.1", later)(taken)
    assert successor.actor_id == heir.pk and cast.kim.pk in successor.key.own_keys
    ApiKey.objects.exclude(pk=heir.pk).update(expires_at=AT)
    call = open_call(asker=started(taken), here=snapshot.load())
    assert may_continue(call, outlives_request=True) and not may_continue(call), "a request ends with its key"
    keys.revoke_key(actor=make.SYSTEM, key=heir)
    with pytest.raises(KeyRefused) as refused:
        StartedByKey(cast.kim.pk, "127.0.0.1", later)(snapshot.load())
    assert refused.value.reason == "the key is revoked"
    ApiKey.objects.filter(pk=heir.pk).update(revoked_at=None)
    ApiKey.objects.filter(pk=cast.kim.pk).update(revoked_at=AT)
    with pytest.raises(KeyRefused, match="cannot be used"):
        started(snapshot.load())


def open_call(*, asker: Asker, here: snapshot.Snapshot) -> Any:
    ask = SimpleNamespace(client_address="127.0.0.1")
    plan = SimpleNamespace(asker=asker, ask=ask, alias="support-chat", version=SimpleNamespace(label=""))
    keeper = SimpleNamespace(refresh_soon=lambda: None, snapshots=SimpleNamespace(current=here))
    return SimpleNamespace(gateway=keeper, plan=plan)
