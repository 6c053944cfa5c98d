"""manage.py create_key."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from console.teams import keys
from console.teams.models import ApiKey
from tests import make

pytestmark = pytest.mark.django_db


def test_it_prints_the_key_and_nothing_else() -> None:
    make.make_team("Support")
    out = StringIO()
    call_command("create_key", "--team", "support", "--name", "ci", "--environment", "sandbox", stdout=out)
    key = ApiKey.objects.get(digest=keys.digest(out.getvalue().strip()))
    assert (key.name, key.environment, key.scopes) == ("ci", "sandbox", ["models:call", "usage:read"])


def test_it_prints_json() -> None:
    make.make_team("Support")
    out = StringIO()
    call_command(
        "create_key",
        *("--team", "support", "--name", "ci", "--environment", "production", "--scopes", "audit:read", "--json"),
        *("--unknown-fields", "refuse"),
        stdout=out,
    )
    printed = json.loads(out.getvalue())
    assert (printed["team"], printed["scopes"]) == ("support", ["audit:read"])
    key = ApiKey.objects.get()
    assert (key.digest, key.unknown_fields) == (keys.digest(printed["key"]), "refuse")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--team", "nope", "--name", "x", "--environment", "sandbox"), "There are: support"),
        (("--team", "support", "--name", "x", "--environment", "sandbox", "--scopes", "all"), "is not a scope"),
    ],
)
def test_it_says_what_is_wrong(arguments: tuple[str, ...], sentence: str) -> None:
    make.make_team("Support")
    with pytest.raises(CommandError, match=sentence):
        call_command("create_key", *arguments)
    assert not ApiKey.objects.exists()
