"""Loaded by pytest before anything of Django: the shared PostgreSQL, and settings that touch nothing outside."""

import os
import tempfile

import pytest

from tests import server

# Workers of pytest-xdist inherit the environment, so only the first process starts the server.
if "FACET_TEST_DATABASE_URL" not in os.environ:
    os.environ["FACET_TEST_DATABASE_URL"] = server.start()
os.environ["DATABASE_URL"] = os.environ["FACET_TEST_DATABASE_URL"]
os.environ.setdefault("DATA_DIR", tempfile.mkdtemp(prefix="facet-test-"))
os.environ["BUILTIN_MODEL"] = "0"
os.environ["DATABASE_POOL"] = "0"


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One process more than cores: many tests wait for a clock, a provider or a browser."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no process is left alone with it at the end."""
    items.sort(key=lambda item: item.get_closest_marker("e2e") is None)
