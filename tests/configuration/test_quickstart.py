"""manage.py quickstart: what a new installation starts with, any number of times."""

import json
import stat
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.management import CommandError, call_command

from agents_app.models import Agent
from agents_app.readiness import problems
from agents_app.services.agents import archive_agent
from console.audit.models import AuditEvent
from console.catalog.models import Alias, ModelVersion, Pin, Provider
from console.catalog.services.aliases import delete_alias
from console.catalog.services.pins import move_pin
from console.embedded import boot
from console.teams import keys
from console.teams.callers import SYSTEM
from console.teams.models import ApiKey, Membership, SignInLink, Team, User
from console.teams.services import people
from tests import make

pytestmark = pytest.mark.django_db
URL = "http://127.0.0.1:9/v1"


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.DATA_DIR = tmp_path
    return tmp_path


def run(*arguments: str) -> dict[str, Any]:
    out = StringIO()
    call_command("quickstart", "--json", *arguments, stdout=out)
    printed: dict[str, Any] = json.loads(out.getvalue())
    return printed


def test_it_prints_what_a_program_needs() -> None:
    printed = run("--model-url", URL)
    assert set(printed) == {"url", "sign_in_url", "team", "keys", "alias"}
    assert (printed["team"], printed["alias"]) == ("default", "assistant")
    for environment, text in printed["keys"].items():
        key = ApiKey.objects.get(digest=keys.digest(text))
        assert (key.environment, key.team.slug) == (environment, "default")
        assert keys.is_well_formed(text)


def test_it_makes_an_operator_who_can_use_the_link() -> None:
    printed = run("--model-url", URL)
    operator = User.objects.get(email="operator@localhost")
    assert operator.is_operator
    assert not operator.has_usable_password()
    assert Membership.objects.get(user=operator).role == "owner"
    path = urlsplit(printed["sign_in_url"]).path
    assert path.startswith("/sign-in/")
    assert SignInLink.objects.get().user == operator


def test_it_pins_the_alias_to_the_built_in_model_in_both_environments() -> None:
    run("--model-url", URL)
    pins = Pin.objects.filter(alias__name="assistant").select_related("model_version__provider")
    assert {p.environment: str(p.model_version) for p in pins} == {
        "production": "builtin/smollm2-135m-instruct",
        "sandbox": "builtin/smollm2-135m-instruct",
    }
    provider = Provider.objects.get(slug="builtin")
    assert "small, for trying things out" in provider.name
    assert provider.is_builtin


def test_it_pins_the_built_in_embeddings_too() -> None:
    for _ in range(2):
        run("--model-url", URL, "--embeddings-url", "http://127.0.0.1:11/v1")
    pins = Pin.objects.filter(alias__name="embed").select_related("model_version__provider")
    assert {p.environment: str(p.model_version) for p in pins} == {
        "production": "builtin-embeddings/wordllama-l2-256",
        "sandbox": "builtin-embeddings/wordllama-l2-256",
    }
    provider = Provider.objects.get(slug="builtin-embeddings")
    assert (provider.kind, provider.base_url) == ("wordllama", "http://127.0.0.1:11/v1")
    assert provider.is_builtin and "small, for trying things out" in provider.name
    run("--embeddings-url", "http://127.0.0.1:12/v1")
    assert Provider.objects.get(slug="builtin-embeddings").base_url == "http://127.0.0.1:12/v1"
    assert Pin.objects.filter(alias__name="assistant").count() == 2


def test_it_is_idempotent_and_shows_the_same_keys_again() -> None:
    first = run("--model-url", URL)
    second = run("--model-url", URL)
    assert second["keys"] == first["keys"]
    assert second["sign_in_url"] != first["sign_in_url"]
    counts = [m.objects.count() for m in (User, Team, ApiKey, Provider, ModelVersion, Pin)]
    assert counts == [1, 1, 2, 1, 1, 2]


def test_it_follows_the_model_to_another_port() -> None:
    run("--model-url", URL)
    run("--model-url", "http://127.0.0.1:10/v1")
    assert Provider.objects.get().base_url == "http://127.0.0.1:10/v1"
    assert AuditEvent.objects.filter(action="provider.changed").count() == 1


def test_it_keeps_the_keys_where_only_this_user_reads_them(folder: Path) -> None:
    printed = run("--model-url", URL)
    file = folder / "secrets" / "quickstart.json"
    assert json.loads(file.read_text()) == printed["keys"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_it_keeps_nothing_in_production(folder: Path, settings: Any) -> None:
    settings.IS_PRODUCTION = True
    assert all(run("--model-url", URL)["keys"].values())
    assert not (folder / "secrets").exists()
    assert run("--model-url", URL)["keys"] == {"production": None, "sandbox": None}
    assert ApiKey.objects.count() == 2


def test_it_does_not_bring_a_revoked_key_back() -> None:
    first = run("--model-url", URL)
    ApiKey.objects.filter(environment="production").update(revoked_at="2026-01-01T00:00Z")
    again = run("--model-url", URL)
    assert again["keys"] == {"production": None, "sandbox": first["keys"]["sandbox"]}


def test_what_people_renamed_or_deleted_stays_so(settings: Any) -> None:
    settings.IS_PRODUCTION = True
    run("--model-url", URL)
    ApiKey.objects.update(name="Shop")
    Agent.objects.update(archived_at="2026-01-01T00:00Z")
    delete_alias(actor=SYSTEM, alias=Alias.objects.get())
    run("--model-url", URL)
    assert (ApiKey.objects.count(), Alias.objects.count()) == (2, 0)


def test_it_ignores_kept_keys_of_another_database(folder: Path) -> None:
    (folder / "secrets").mkdir()
    (folder / "secrets" / "quickstart.json").write_text('{"production": "fk_live_nonsense"}')
    assert run("--model-url", URL)["keys"]["production"].startswith("fk_live_")
    assert run("--model-url", URL)["keys"]["production"] != "fk_live_nonsense"


def test_it_leaves_a_pin_somebody_moved() -> None:
    run("--model-url", URL)
    pin = Pin.objects.select_related("alias").get(environment="production")
    better = make.make_model("better")
    move_pin(actor=SYSTEM, alias=pin.alias, environment="production", to=better, reason="Better", seen_revision=1)
    run("--model-url", URL)
    pin.refresh_from_db()
    assert pin.model_version == better


def test_it_works_without_a_built_in_model() -> None:
    assert run()["alias"] == "assistant"
    assert not Pin.objects.exists()


def test_it_makes_nobody_an_operator() -> None:
    make.make_user("bob@example.com")
    with pytest.raises(CommandError, match="not an operator"):
        run("--email", "bob@example.com")
    assert not User.objects.get(email="bob@example.com").is_operator


def test_a_console_starts_after_its_first_operator_left(settings: Any) -> None:
    settings.BUILTIN_MODEL = False
    assert boot.first_content()["sign_in_url"]
    make.make_user("olga@example.com", is_superuser=True)
    people.disable_person(actor=SYSTEM, user=User.objects.get(email="operator@localhost"))
    content = boot.first_content()
    assert content["sign_in_url"] == "" and "Sign in" not in boot.banner(content)
    with pytest.raises(CommandError, match="not an operator"):
        run()


def test_a_start_makes_no_second_operator_after_the_first_took_another_address(settings: Any) -> None:
    settings.BUILTIN_MODEL = False
    boot.first_content()
    User.objects.update(email="ada@example.com")
    assert boot.first_content()["sign_in_url"] == ""
    assert User.objects.get().email == "ada@example.com"


def test_it_refuses_an_address_that_is_none() -> None:
    with pytest.raises(CommandError, match="not an e-mail address"):
        run("--email", "nonsense")


def test_it_records_what_it_made_and_no_key() -> None:
    printed = run("--model-url", URL)
    lines = list(AuditEvent.objects.all())
    assert {"user.created", "team.created", "member.added", "key.created", "provider.created", "pin.moved"} <= {
        line.action for line in lines
    }
    text = "".join(line.detail + line.target for line in lines)
    assert not any(key in text for key in printed["keys"].values())
    assert printed["sign_in_url"].split("/")[-2] not in text


def test_it_gives_the_team_an_assistant_once() -> None:
    run()
    assert not Agent.objects.exists(), "nothing to speak with yet"
    run("--model-url", URL)
    agent = Agent.objects.select_related("live").get()
    assert (agent.slug, agent.team.slug, agent.live and agent.live.alias) == ("assistant", "default", "assistant")
    assert agent.live is not None and problems(agent.team, agent.live) == []
    archive_agent(actor=SYSTEM, agent=agent)
    run("--model-url", URL)
    assert Agent.objects.count() == 1, "what people took away does not come back"
