"""The cast, the same in every test: alice owns Team A, bob is a member, charlie is a stranger with Team B."""

import os
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from pytest_django.plugin import DjangoDbBlocker

from tests import database
from tests.live import LiveServer
from tests.upstream import Upstream
from tests.waiting import PATIENCE_SECONDS, let_it_end

# How long an example takes on a busy machine, and how many were drawn in vain, says nothing about what it tests. The
# build server tries the same examples of the same code each time; new ones are found at everybody's desk.
settings.register_profile(
    "tests",
    settings(),
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
settings.load_profile("tests")


@pytest.fixture(scope="session", autouse=True)
def _quick_where_nothing_is_proved() -> None:
    """Spare every test what is slow on purpose or the same each time; the real ones have tests of their own."""
    import httpcore2
    from django.conf import settings
    from django.test import client

    from console.pages.middleware import StaticMiddleware

    settings.PASSWORD_HASHERS = ["tests.hashers.QuickHasher", *settings.PASSWORD_HASHERS[1:]]
    whole, found = StaticMiddleware.add_files_from_finders, {}

    def once(self: StaticMiddleware) -> None:
        # Each test client loads the middleware anew, and would look through every static file for it.
        if not found:
            whole(self)
            found.update(self.files)
        self.files.update(found)

    StaticMiddleware.add_files_from_finders = once
    store = client.store_rendered_templates

    def only_the_page(kept: dict[str, Any], **rendered: Any) -> None:
        # What a page was given, once, and not again with each of its hundred parts.
        if "context" not in kept:
            store(kept, **rendered)

    client.store_rendered_templates = only_the_page
    # Each client of a test would read the machine's certificates anew, and calls http:// with them.
    httpcore2.default_ssl_context = cache(httpcore2.default_ssl_context)


@pytest.fixture(scope="session", autouse=True)
def _patient_search() -> None:
    """Let a page of the log search until it is whole: what one says that ran out of time has tests of its own."""
    from console.evals import sampling
    from usage_app.queries.audit import listing, record

    listing.SECONDS = listing.TEXT_SECONDS = record._NEIGHBOUR_SECONDS = sampling._SECONDS = PATIENCE_SECONDS


@pytest.fixture(scope="session")
def django_db_setup(
    request: pytest.FixtureRequest, django_test_environment: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[None]:
    """Give this process a copy of the migrated template, instead of migrating once per process."""
    from django.db import connections
    from django.test import TransactionTestCase

    from console.teams import refusals

    worker = getattr(request.config, "workerinput", {}).get("workerid", "")
    wanted = "_".join(part for part in (os.environ.get("TEST_DATABASE") or "test_facet", worker) if part)
    name, lock = database.claim(wanted)
    with lock, django_db_blocker.unblock():
        database.create(name)
        connections["default"].close()
        connections["default"].close_pool()
        connections["default"].settings_dict["NAME"] = name
        # Tests that commit are undone by restoring rows: Django would empty tables that migrations fill.
        TransactionTestCase._fixture_teardown = lambda self: database.leave_rows()  # type: ignore[method-assign]
        yield
        refusals.flush(everything=True)  # while there is a database to write them to
        connections.close_all()
        connections["default"].close_pool()
        database.drop(name)


class Cast:
    """Who is there in a test. Made by the services once in a process; from then on the rows they wrote are repeated."""

    def __init__(self) -> None:
        vars(self).update(database.once("cast", self._made))

    def _made(self) -> dict[str, Any]:
        from console.teams.models import Role
        from tests import make

        self.operator = make.make_user("olga@example.com", is_superuser=True)
        self.alice = make.make_user("alice@example.com")
        self.bob = make.make_user("bob@example.com")
        self.charlie = make.make_user("charlie@example.com")
        self.team_a = make.make_team("Team A", owner=self.alice)
        self.team_b = make.make_team("Team B", owner=self.charlie)
        make.make_member(self.team_a, self.bob, Role.MEMBER)
        self.kim, self.kim_text = make.make_key(self.team_a, "kim")
        return vars(self)


@pytest.fixture(autouse=True)
def _no_refusals_of_another_test() -> Iterator[None]:
    """Forget what was counted and not written: a live server of a later test would write it into that test's log."""
    from console.teams import refusals

    yield
    refusals._counts.clear()
    refusals._resting_until = 0.0


@pytest.fixture
def same_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """For what is counted by the minute: the product's clock stands still a second before the present one ends."""
    from tests import clock

    let_it_end(60, last=2)
    clock.stands_still_before_the_end(monkeypatch, 60)


@pytest.fixture(autouse=True)
def _no_database_unasked(request: pytest.FixtureRequest) -> Iterator[None]:
    """Refuse the database to tests that did not ask for it: what they wrote would stay for whoever comes next.

    pytest-django would refuse it to every thread, and live servers go on between tests. Who did ask for it finds
    nothing that a test before committed.
    """
    if "django_db_setup" in request.fixturenames or request.node.get_closest_marker("django_db"):
        if "committed_db" not in request.fixturenames:
            request.getfixturevalue("django_db_setup")
            database.restore_if_left()
        yield
        return
    from django.db import connection

    def refuse(*_: Any) -> Any:
        raise RuntimeError("This test uses the database and does not say so: mark it django_db.")

    with connection.execute_wrapper(refuse):
        yield


@pytest.fixture
def cast(db: None) -> Cast:
    """alice owns Team A, bob is a member there, charlie owns Team B, olga is an operator, kim is a key of Team A."""
    return Cast()


@pytest.fixture
def committed_db(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """A database whose rows other connections and processes see. Use with real servers instead of `db`."""
    with django_db_blocker.unblock():
        database.restore()
        yield
        database.leave_rows()


@pytest.fixture(scope="session")
def _server(django_db_setup: None) -> Iterator[LiveServer]:
    server = LiveServer().start()
    yield server
    server.stop()


@pytest.fixture
def server(committed_db: None, _server: LiveServer) -> LiveServer:
    """The real application under uvicorn, on committed rows."""
    return _server


@pytest.fixture(scope="session")
def _upstream() -> Iterator[Upstream]:
    upstream = Upstream().start()
    yield upstream
    upstream.stop()


@pytest.fixture
def upstream(_upstream: Upstream) -> Upstream:
    """The scripted provider; whatever an earlier test left queued is gone."""
    _upstream.reset()
    return _upstream
