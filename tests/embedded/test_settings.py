"""Settings refuse what is unsafe or makes no sense, before anything starts."""

import os
import subprocess
import sys

import pytest

from tests.live import ROOT

SAFE = {
    "FACET_MODE": "production",
    "SECRET_KEY": "kV8fTq2mZr5xWc9bNj4hLs7dPg3yAe6uRi1oXtCwBnMqDvFz",
    "ENCRYPTION_KEYS": "Jt5rWq8xZc2vBn6mLk9jHg4fDs1aPo7i",
    "DATABASE_URL": "postgresql://facet:pw@db.example.com/facet",
    "VALKEY_URL": "redis://valkey.example.com:6379/0",
    "BASE_URL": "https://facet.example.com",
}
SAFE["SECRET_KEY"] += "GhJkLp"


def load(tmp_path: object, show: str = "settings.MODE", **changes: str | None) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path), **SAFE, **changes}
    return subprocess.run(
        [sys.executable, "-c", f"from console import settings; print({show})"],
        cwd=ROOT,
        env={name: value for name, value in environment.items() if value is not None},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_starts_in_production_with_safe_settings(tmp_path: object) -> None:
    done = load(tmp_path, "settings.MODE, settings.DEBUG, settings.SESSION_COOKIE_SECURE, settings.BUILTIN_MODEL")
    assert done.stdout.strip() == "production False True False", done.stderr


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"SECRET_KEY": None}, "SECRET_KEY is not set"),
        ({"SECRET_KEY": "short"}, "SECRET_KEY is short or an example"),
        ({"SECRET_KEY": "a" * 60}, "SECRET_KEY is short or an example"),
        ({"SECRET_KEY": "change-me-" + "x1y2z3w4v5" * 6}, "SECRET_KEY is short or an example"),
        ({"ENCRYPTION_KEYS": None}, "ENCRYPTION_KEY is not set"),
        ({"DEBUG": "1"}, "DEBUG is on in production"),
        ({"ALLOWED_HOSTS": "*"}, "ALLOWED_HOSTS holds a wildcard"),
        ({"ALLOWED_HOSTS": "facet.example.com,*.example.com"}, "ALLOWED_HOSTS holds a wildcard"),
        ({"DATABASE_URL": None}, "DATABASE_URL is not set"),
        ({"VALKEY_URL": None}, "VALKEY_URL is not set"),
        ({"DATABASE_URL": "mysql://x/y"}, "PostgreSQL is the only database"),
        ({"VALKEY_URL": "http://x"}, "VALKEY_URL must start with redis://"),
        ({"PORT": "eighty"}, "PORT is 'eighty'; write a whole number"),
        ({"DEBUG": "perhaps"}, "DEBUG is 'perhaps'; write 1 or 0"),
        ({"FACET_MODE": "staging"}, "FACET_MODE is 'staging'"),
        ({"SECRET_KEY_FILE": "/nowhere"}, "Set SECRET_KEY or SECRET_KEY_FILE, not both"),
    ],
)
def test_it_refuses(tmp_path: object, changes: dict[str, str | None], said: str) -> None:
    done = load(tmp_path, **changes)
    assert done.returncode != 0
    assert said in done.stderr


def test_it_brings_its_own_servers_in_production_only_when_asked(tmp_path: object) -> None:
    show = "settings.HAS_EMBEDDED_POSTGRES, settings.HAS_EMBEDDED_VALKEY, settings.BUILTIN_MODEL"
    done = load(tmp_path, show, DATABASE_URL=None, VALKEY_URL=None, EMBEDDED_PARTS="1")
    assert done.stdout.strip() == "True True True", done.stderr


def test_it_gives_way_to_real_servers(tmp_path: object) -> None:
    show = "settings.HAS_EMBEDDED_POSTGRES, settings.HAS_EMBEDDED_VALKEY, settings.BUILTIN_MODEL"
    done = load(tmp_path, show, FACET_MODE="local", BUILTIN_MODEL="0")
    assert done.stdout.strip() == "False False False", done.stderr
