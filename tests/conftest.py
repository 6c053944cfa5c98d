"""The cast, the same in every test: alice owns Team A, bob is a member, charlie is a stranger with Team B."""

import pytest


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
