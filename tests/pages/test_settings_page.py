import re

import pytest
from django.conf import settings
from django.test import Client, override_settings

from console.core.installation import facts
from console.pages.views.settings import parts
from tests.conftest import Cast

SECRETS = ["SECRET_KEY", "EMAIL_HOST_PASSWORD", "ENCRYPTION_KEYS"]


def test_it_shows_operators_how_the_house_is_set_up(client: Client, cast: Cast) -> None:
    client.force_login(cast.operator)
    html = client.get("/settings/").text
    assert "INSTALLATION_NAME" in html
    assert "AUDIT_KEEP_DAYS" in html
    assert "PostgreSQL" in html
    assert "What your own monitoring receives" in html and "/metrics" in html


def test_it_is_for_operators_only(client: Client, cast: Cast) -> None:
    for person in (cast.alice, cast.bob):
        client.force_login(person)
        assert client.get("/settings/").status_code == 403


def test_it_shows_no_secret(client: Client, cast: Cast) -> None:
    client.force_login(cast.operator)
    with override_settings(DATABASE_URL="postgresql://facet:hunter2@db.example.com:5432/facet"):
        html = client.get("/settings/").text
    assert "db.example.com:5432" in html
    assert "hunter2" not in html
    assert settings.SECRET_KEY not in html
    assert not [key for key in settings.ENCRYPTION_KEYS if key in html]


def test_it_names_only_variables_that_exist() -> None:
    source = (settings.BASE_DIR / "console" / "settings.py").read_text()
    known = set(re.findall(r"""env_\w+\(\s*"(\w+)""", source))
    named = {fact.variable for _, group in facts() for fact in group if fact.variable}
    assert named <= known


@pytest.mark.parametrize(
    ("check", "state", "tone"),
    [
        ({"state": "ok", "ms": 11.8}, "OK", "ok"),
        ({"state": "away", "says": "PostgreSQL does not answer."}, "Unreachable", "bad"),
        ({"state": "brand-new"}, "Brand-new", "warn"),
    ],
)
def test_it_puts_health_into_words(check: dict[str, object], state: str, tone: str) -> None:
    (part,) = parts({"database": check})
    assert (part.name, part.state, part.tone) == ("PostgreSQL", state, tone)


def test_it_gives_each_lane_a_line() -> None:
    lanes = {"interactive": {"state": "ok", "seconds_ago": 3}, "batch": {"state": "never"}}
    first, second = parts({"workers": lanes})
    assert first.says == "Answered a probe 3 s ago."
    assert second.state == "Not seen"
