"""Who reads and writes in these tests: alice owns Team A, bella builds there, bob only looks, charlie is a stranger."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from console.teams.models import Role, User
from tests import make
from tests.conftest import Cast
from tests.make import client_of

SignedIn = Callable[[User], Client]


@pytest.fixture
def signed_in() -> SignedIn:
    return client_of


@pytest.fixture
def bella(cast: Cast) -> User:
    return make.make_member(cast.team_a, make.make_user("bella@example.com"), Role.BUILDER)


def editor(text: str, **more: Any) -> dict[str, Any]:
    """What the editor's form of a prompt with one text sends."""
    return {"kind": "text", "m-0-text": text, "message": "", "do": "save", **more}
