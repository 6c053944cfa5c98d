import pytest
from django.core.cache import cache
from django.test import Client

from tests.conftest import Cast
from tests.teams.test_sign_in import sign_in


@pytest.fixture
def no_old_attempts(db: None) -> None:
    """Forget the sign-ins of other tests: too many are refused."""
    cache.clear()


@pytest.fixture
def alice(cast: Cast, no_old_attempts: None) -> Client:
    client = Client()
    sign_in(client, "alice@example.com")
    return client
