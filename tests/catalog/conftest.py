import pytest
from django.test import Client

from tests.conftest import Cast
from tests.make import client_of


@pytest.fixture
def operator(cast: Cast) -> Client:
    return client_of(cast.operator)
