"""Who builds and asks in these tests: alice owns Team A, bella builds there, bob only asks, charlie is a stranger."""

from collections.abc import Callable

import pytest
from django.test import Client

from console.teams.models import Role, User
from tests import make

SignedIn = Callable[[User], Client]


@pytest.fixture
def signed_in() -> SignedIn:
    def sign_in(user: User) -> Client:
        client = Client()
        client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
        return client

    return sign_in


@pytest.fixture
def bella(cast):
    return make.make_member(cast.team_a, make.make_user("bella@example.com"), Role.BUILDER)
