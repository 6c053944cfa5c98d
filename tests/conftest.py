"""The cast, the same in every test: alice owns Team A, bob is a member, charlie is a stranger with Team B."""

import os
import tempfile

import pytest


def _environment() -> None:
    """Start the shared PostgreSQL before Django reads its settings; workers of xdist inherit the environment."""
    from tests import server

    if "FACET_TEST_DATABASE_URL" not in os.environ:
        os.environ["FACET_TEST_DATABASE_URL"] = server.start()
    os.environ["DATABASE_URL"] = os.environ["FACET_TEST_DATABASE_URL"]
    os.environ.setdefault("DATA_DIR", tempfile.mkdtemp(prefix="facet-test-"))
    os.environ["BUILTIN_MODEL"] = "0"


_environment()


class Cast:
    """Who is there in a test, made on first mention."""

    def __init__(self) -> None:
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


@pytest.fixture
def cast(db: None) -> Cast:
    """alice owns Team A, bob is a member there, charlie owns Team B, olga is an operator, kim is a key of Team A."""
    return Cast()
