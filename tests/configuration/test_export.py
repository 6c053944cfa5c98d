"""manage.py export: what apply reads again, without secrets."""

from io import StringIO
from pathlib import Path

import pytest
import yaml
from django.core.management import call_command

from console.audit.models import AuditEvent
from console.catalog.services.builtin import ensure_builtin
from console.catalog.services.providers import create_provider
from console.teams.actors import SYSTEM
from console.teams.models import Role
from tests import make
from usage_app.services.quotas import set_quota

pytestmark = pytest.mark.django_db


def exported() -> str:
    out = StringIO()
    call_command("export", stdout=out)
    return out.getvalue()


def furnish() -> None:
    provider = create_provider(
        actor=SYSTEM,
        slug="open-ai",
        name="x",
        kind="openai",
        base_url="https://a.example/v1",
        secret="sk-very-secret-1",
    )
    model = make.make_model("gpt", provider=provider, price=("0.15", "12"))
    alias = make.make_alias("help", production=model)
    team = make.make_team("Support")
    alias.teams.add(team)
    make.make_member(team, make.make_user("ada@example.com"), Role.OWNER)
    key, _ = make.make_key(team, "no")
    set_quota(actor=SYSTEM, team=team, metric="cost", window="month", limit=1_500_000, mode="soft")
    set_quota(actor=SYSTEM, team=team, metric="concurrency", window="", limit=5, key=key)
    set_quota(actor=SYSTEM, team=team, metric="tokens", window="day", limit=9, alias="help")


def test_it_writes_everything_and_no_secret() -> None:
    furnish()
    text = exported()
    assert "sk-very-secret-1" not in text
    document = yaml.safe_load(text)
    assert document["providers"] == [
        {"slug": "open-ai", "kind": "openai", "base_url": "https://a.example/v1", "secret": {"env": "OPEN_AI_API_KEY"}}
    ]
    assert document["models"][0]["price"] == {"input": 0.15, "output": 12}
    assert document["aliases"] == [{"name": "help", "production": "open-ai/gpt"}]
    assert document["teams"] == [
        {
            "slug": "support",
            "name": "Support",
            "members": [{"email": "ada@example.com", "role": "owner"}],
            "aliases": ["help"],
            "quotas": [
                {"metric": "concurrency", "limit": 5, "mode": "hard", "key": "no"},
                {"metric": "cost", "window": "month", "limit": 1.5, "mode": "soft"},
                {"metric": "tokens", "window": "day", "limit": 9, "mode": "hard", "alias": "help"},
            ],
        }
    ]


def test_what_it_writes_changes_nothing_when_applied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    furnish()
    monkeypatch.setenv("OPEN_AI_API_KEY", "sk-very-secret-1")
    file = tmp_path / "facet.yaml"
    file.write_text(exported())
    out = StringIO()
    call_command("apply", str(file), stdout=out)
    assert "0 to create, 0 to change" in out.getvalue()


def test_it_says_what_it_leaves_out() -> None:
    ensure_builtin(actor=SYSTEM, base_url="http://127.0.0.1:9/v1")
    text = exported()
    assert "# Not in this file: the built-in model" in text
    assert yaml.safe_load(text) is None


def test_it_is_recorded() -> None:
    exported()
    assert AuditEvent.objects.get().action == "configuration.exported"
