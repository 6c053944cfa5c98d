"""The cache that holds throttles and used codes: strangers push nothing out of it, and a code has one winner."""

import threading
from collections.abc import Callable

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from django.core.cache import cache, caches
from django.db import connection, connections, transaction

from console.teams.models import User
from tests import make
from tests.waiting import until


def rows() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM core_cache")
        return int(cursor.fetchone()[0])


def test_it_keeps_what_has_not_expired_however_much_strangers_write(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.clear()
    cache.set("a.victim", [1, 2], 60)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO core_cache SELECT ':1:stranger' || n, '', now() + interval '1 hour'"
            " FROM generate_series(1, 2000) n"
        )
    # More than Django's own would hold, were it in its place.
    monkeypatch.setattr(caches["default"], "_max_entries", 100)
    cache.set("z", 1, 60)
    assert cache.get("a.victim") == [1, 2] and rows() == 2002


def test_it_forgets_what_has_expired_with_each_write(db: None) -> None:
    cache.clear()
    with connection.cursor() as cursor:
        # Row by row, as PostgreSQL may go about a join, it must not look for some more with each.
        for way in ("hashjoin", "mergejoin", "material", "hashagg", "sort"):
            cursor.execute(f"SET LOCAL enable_{way} = off")
        cursor.execute(
            "INSERT INTO core_cache SELECT ':1:old' || n, '', now() - interval '1 hour' FROM generate_series(1, 15) n"
        )
    assert cache.add("new", 1, 60) and rows() == 6
    assert not cache.add("new", 2, 60) and cache.get("new") == 1 and rows() == 1
    assert cache.set("new", 3, 60) is None and cache.get("new") == 3
    assert cache.touch("new", 0) and cache.get("new") is None and not cache.touch("none", 60)


def at_once(first: Callable[[], object], second: Callable[[], object]) -> tuple[object, object]:
    """Have `second` begin on a connection of its own before what `first` did is committed."""
    got: list[object] = []

    def other() -> None:
        got.append(second())
        connections.close_all()

    def waits() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))")
            return cursor.fetchone() is not None

    thread = threading.Thread(target=other)
    with transaction.atomic():
        mine = first()
        thread.start()
        until(lambda: waits() or got, "the second waits for the first")
        assert not got, "the second did not wait"
    thread.join(60)
    return mine, got[0]


@pytest.fixture
def alice(committed_db: None) -> User:
    cache.clear()
    return make.make_user("alice@example.com")


def test_a_code_that_two_use_at_once_lets_one_in(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    totp = TOTP.activate(alice, "JBSWY3DPEHPK3PXP")
    monkeypatch.setattr("allauth.mfa.totp.internal.auth.validate_totp_code", lambda *_: True)
    recovery = RecoveryCodes.activate(alice)
    code = recovery.generate_codes()[0]

    def fresh(kind: Authenticator.Type, code: str) -> Callable[[], bool]:
        return lambda: bool(Authenticator.objects.get(user=alice, type=kind).wrap().validate_code(code))

    for kind, tried in ((Authenticator.Type.TOTP, "123456"), (Authenticator.Type.RECOVERY_CODES, code)):
        assert at_once(fresh(kind, tried), fresh(kind, tried)) == (True, False), kind
    # The same six digits may come up again, and find the mark of long ago.
    cache.touch(totp._get_used_cache_key("123456"), -60)
    kind = Authenticator.Type.TOTP
    assert at_once(fresh(kind, "123456"), fresh(kind, "123456")) == (True, False)
