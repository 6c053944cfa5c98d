"""Settings refuse what is unsafe or makes no sense, before anything starts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from console.embedded import defaults
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
    return start(["-c", f"from console import settings; print({show})"], DATA_DIR=str(tmp_path), **changes)


def start(words: list[str], **changes: str | None) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], **SAFE, **changes}
    return subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={name: value for name, value in environment.items() if value is not None},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_starts_in_production_with_safe_settings(tmp_path: object) -> None:
    done = load(tmp_path, "settings.MODE, settings.DEBUG, settings.SESSION_COOKIE_SECURE, settings.BUILTIN_MODEL")
    assert done.stdout.strip() == "production False True False", done.stderr


def test_workers_check_the_certificate_of_their_broker(tmp_path: object) -> None:
    url = SAFE["VALKEY_URL"].replace("redis:", "rediss:")
    done = load(tmp_path, "settings.CELERY_BROKER_USE_SSL['ssl_cert_reqs'].name", VALKEY_URL=url)
    assert done.stdout.strip() == "CERT_REQUIRED", done.stderr


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"SECRET_KEY": None}, "SECRET_KEY is not set"),
        ({"SECRET_KEY": "short"}, "SECRET_KEY is short or an example"),
        ({"SECRET_KEY": "a" * 60}, "SECRET_KEY is short or an example"),
        ({"SECRET_KEY": "change-me-" + "x1y2z3w4v5" * 6}, "SECRET_KEY is short or an example"),
        ({"ENCRYPTION_KEYS": None}, "ENCRYPTION_KEYS is not set"),
        ({"DEBUG": "1"}, "DEBUG is on in production"),
        ({"ALLOWED_HOSTS": "*"}, "ALLOWED_HOSTS holds a wildcard"),
        ({"ALLOWED_HOSTS": "facet.example.com,*.example.com"}, "ALLOWED_HOSTS holds a wildcard"),
        ({"DATABASE_URL": None}, "DATABASE_URL is not set"),
        ({"VALKEY_URL": None}, "VALKEY_URL is not set"),
        ({"DATABASE_URL": "mysql://x/y"}, "PostgreSQL is the only database"),
        ({"VALKEY_URL": "http://x"}, "VALKEY_URL must start with redis://"),
        ({"DATABASE_URL": "postgresql://facet:se/cret@db/facet"}, "DATABASE_URL cannot be read. Write : / ?"),
        ({"PORT": "eighty"}, "PORT is 'eighty'; write a whole number"),
        ({"AUDIT_KEEP_DAYS": "999999"}, "AUDIT_KEEP_DAYS is 999999; the largest value is 36500"),
        ({"DEBUG": "perhaps"}, "DEBUG is 'perhaps'; write 1 or 0"),
        ({"FACET_MODE": "staging"}, "FACET_MODE is 'staging'"),
        ({"EMAIL_USE_TLS": "1", "EMAIL_USE_SSL": "1"}, "EMAIL_USE_TLS and EMAIL_USE_SSL are two ways"),
        ({"EMAIL_USE_TLS": "1", "EMAIL_PORT": "465"}, "leave EMAIL_USE_TLS out, or set EMAIL_USE_SSL=0"),
        ({"EMAIL_HOST_PASSWORD": "gerät"}, "EMAIL_HOST_PASSWORD has letters beyond ASCII"),
        ({"SECRET_KEY_FILE": "/nowhere"}, "Set SECRET_KEY or SECRET_KEY_FILE, not both"),
    ],
)
def test_it_refuses(tmp_path: object, changes: dict[str, str | None], said: str) -> None:
    done = load(tmp_path, **changes)
    assert done.returncode != 0
    assert said in done.stderr


def test_the_port_says_how_mail_is_encrypted(tmp_path: object) -> None:
    show = "settings.EMAIL_USE_TLS, settings.EMAIL_USE_SSL"
    assert load(tmp_path, show, EMAIL_PORT="465").stdout.strip() == "False True"
    assert load(tmp_path, show, EMAIL_PORT="587").stdout.strip() == "True False"


@pytest.mark.parametrize(
    "words", [["-m", "console.embedded.role", "web"], ["-m", "console.embedded.supervise"], ["manage.py", "check"]]
)
def test_what_does_not_start_says_why_in_one_sentence(tmp_path: Path, words: list[str]) -> None:
    refused = start(words, DATA_DIR=str(tmp_path), ENCRYPTION_KEYS=None)
    assert refused.returncode == 1
    assert refused.stderr == "ENCRYPTION_KEYS is not set; production does not make its own secrets.\n"
    (tmp_path / "file").touch()
    refused = start(words, DATA_DIR=str(tmp_path / "file" / "data"), FACET_MODE="local", ENCRYPTION_KEYS=None)
    assert refused.returncode == 1
    assert f"{tmp_path}/file/data" in refused.stderr and "(Not a directory). Mend that" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", ["quickstart", "migrate"])
def test_a_command_without_its_database_says_why_in_one_sentence(tmp_path: Path, command: str) -> None:
    away = "postgresql://facet:app@127.0.0.1:9/facet"
    refused = start(["manage.py", command], DATA_DIR=str(tmp_path), DATABASE_URL=away, DATABASE_OWNER_URL=away)
    assert refused.returncode == 1
    assert refused.stderr.startswith("PostgreSQL cannot be reached: ") and '"127.0.0.1", port 9' in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_it_does_not_start_where_it_cannot_write(tmp_path: Path) -> None:
    """Its secrets are there, and its lock cannot be made."""
    (tmp_path / "run.lock").mkdir()
    refused = start(["-m", "console.embedded.supervise"], DATA_DIR=str(tmp_path))
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"{tmp_path}/run.lock cannot be written or read (Is a directory).")
    assert len(refused.stderr.splitlines()) == 1


def test_a_secret_that_found_no_room_on_the_disk_is_made_at_the_next_start(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "one").touch()
    made = [defaults.generated_secret(tmp_path, "ONE", "one", allowed=True) for _ in range(2)]
    assert len(made[0]) > 40 and made[0] == made[1] == (tmp_path / "secrets" / "one").read_text()
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("17\n")
    (tmp_path / "secrets" / "one").write_text("")
    with pytest.raises(ImproperlyConfigured, match="one is empty, though data was stored"):
        defaults.generated_secret(tmp_path, "ONE", "one", allowed=True)
    (tmp_path / "secrets" / "one").unlink()
    assert len(defaults.generated_secret(tmp_path, "ONE", "one", allowed=True)) > 40


def test_it_brings_its_own_servers_in_production_only_when_asked(tmp_path: object) -> None:
    show = "settings.HAS_EMBEDDED_POSTGRES, settings.HAS_EMBEDDED_VALKEY, settings.BUILTIN_MODEL"
    done = load(tmp_path, show, DATABASE_URL=None, VALKEY_URL=None, EMBEDDED_PARTS="1")
    assert done.stdout.strip() == "True True True", done.stderr


def test_it_gives_way_to_real_servers(tmp_path: object) -> None:
    show = "settings.HAS_EMBEDDED_POSTGRES, settings.HAS_EMBEDDED_VALKEY, settings.BUILTIN_MODEL"
    done = load(tmp_path, show, FACET_MODE="local", BUILTIN_MODEL="0")
    assert done.stdout.strip() == "False False False", done.stderr


def test_commands_without_the_virtual_environment_say_which_python_to_use():
    ended = start(["-S", "manage.py", "check"])
    assert ended.returncode == 1 and ".venv/bin/python manage.py" in ended.stderr and "Traceback" not in ended.stderr
