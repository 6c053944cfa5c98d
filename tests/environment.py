"""Loaded by pytest before anything of Django: the shared PostgreSQL, and settings that touch nothing outside."""

import os
import tempfile

from tests import server

# Workers of pytest-xdist inherit the environment, so only the first process starts the server.
if "FACET_TEST_DATABASE_URL" not in os.environ:
    os.environ["FACET_TEST_DATABASE_URL"] = server.start()
os.environ["DATABASE_URL"] = os.environ["FACET_TEST_DATABASE_URL"]
os.environ.setdefault("DATA_DIR", tempfile.mkdtemp(prefix="facet-test-"))
os.environ["BUILTIN_MODEL"] = "0"
os.environ["DATABASE_POOL"] = "0"
