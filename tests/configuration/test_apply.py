"""manage.py apply: diff, all or nothing, audited, every problem named with its line and field."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from console.audit.models import AuditEvent, Epoch
from console.catalog.models import Alias, ModelVersion, Pin, PinMove, Price, Provider
from console.core.clock import now
from console.core.crypto import decrypt
from console.pages.configuration.apply import parse
from console.pages.configuration.document import Unusable
from console.pages.configuration.export import export
from console.pages.configuration.shape import json_schema
from console.teams.access import rights_of
from console.teams.actors import SYSTEM
from console.teams.models import ApiKey, Membership, Team, User
from console.teams.services.keys import revoke_key, rotate_key
from tests import make
from tests.configuration.conftest import problems_of
from usage_app.models import Quota

pytestmark = pytest.mark.django_db
SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "configuration.schema.json"

EXAMPLE = """\
providers:
  - slug: openai
    kind: openai
    base_url: https://api.openai.com/v1
    secret: {env: OPENAI_API_KEY}
models:
  - provider: openai
    name: gpt-4o-mini
    context_tokens: 128000
    max_output_tokens: 16384
    capabilities: [chat, tools, vision]
    price: {input: 0.15, output: 0.6, cached_input: 0.075, cache_write: 0.1875, cache_write_1h: 0.3,
      long_above: 200000, long_input: 0.3, audio_input: 10}
aliases:
  - name: support-chat
    production: openai/gpt-4o-mini
    sandbox: openai/gpt-4o-mini
teams:
  - slug: support
    name: Support
    members:
      - {email: ada@example.com, role: owner}
      - {email: ines@example.com, role: member}
    aliases: [support-chat]
    quotas:
      - {metric: cost, window: month, limit: 5000, mode: soft}
      - {metric: requests, window: minute, limit: 600}
      - {metric: concurrency, limit: 20}
"""


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-test-0123456789")
    return "sk-of-the-test-0123456789"


def test_it_makes_what_the_file_says(run: Any, secret: str) -> None:
    said = run(EXAMPLE)
    assert "+ provider  openai" in said
    assert said.endswith("10 to create, 0 to change, 0 unchanged.\n") or "to create" in said
    provider = Provider.objects.get()
    assert decrypt(provider.secret) == secret
    assert provider.secret != secret
    version = ModelVersion.objects.get()
    assert (version.context_tokens, version.max_output_tokens) == (128_000, 16_384)
    assert version.capabilities == ["chat", "tools", "vision"]
    price = Price.objects.get()
    assert (str(price.input), str(price.output), str(price.cached_input)) == ("0.150000", "0.600000", "0.075000")
    assert (str(price.cache_write), str(price.cache_write_1h)) == ("0.187500", "0.300000")
    assert (price.long_above, str(price.long_input), price.long_output) == (200_000, "0.300000", None)
    assert {p.environment for p in Pin.objects.filter(alias__name="support-chat", model_version=version)} == {
        "production",
        "sandbox",
    }
    team = Team.objects.get(slug="support")
    assert [a.name for a in team.aliases.all()] == ["support-chat"]
    assert set(Membership.objects.values_list("user__email", "role")) == {
        ("ada@example.com", "owner"),
        ("ines@example.com", "member"),
    }
    assert "manage_team" in rights_of(User.objects.get(email="ada@example.com"))[team.pk]
    assert set(Quota.objects.values_list("metric", "window", "limit", "mode")) == {
        ("cost", "month", 5_000_000_000, "soft"),
        ("requests", "minute", 600, "hard"),
        ("concurrency", "", 20, "hard"),
    }


def test_it_is_idempotent(run: Any) -> None:
    run(EXAMPLE)
    epoch, lines = Epoch.objects.get().value, AuditEvent.objects.count()
    said = run(EXAMPLE)
    assert "0 to create, 0 to change" in said
    assert (Epoch.objects.get().value, AuditEvent.objects.count()) == (epoch, lines)


def test_it_shows_the_difference_first_and_changes_only_that(run: Any) -> None:
    run(EXAMPLE)
    said = run(
        EXAMPLE.replace("limit: 600", "limit: 300")
        .replace("role: member", "role: builder")
        .replace("input: 0.15,", "input: 0.1,")
        .replace("128000", "64000")
    )
    assert "~ quota     requests per minute of support\n    limit: 600 → 300" in said
    assert "~ member    ines@example.com in support\n    role: member → builder" in said
    assert (
        "    context_tokens: 128000 → 64000\n    price: 0.15 in, 0.6 out, 0.075 cached, "
        "0.1875 written to the cache, 0.3 written for an hour, 10 audio in, 0.3 in above 200000 tokens → 0.1 in" in said
    )
    assert "= provider  openai" in said
    assert Quota.objects.get(metric="requests").limit == 300
    assert Price.objects.count() == 2


def test_it_changes_nothing_in_a_dry_run(run: Any) -> None:
    said = run(EXAMPLE, "--dry-run")
    assert "+ team      support" in said
    assert "nothing was changed" in said
    assert not Provider.objects.exists()
    assert not AuditEvent.objects.exists()


def test_it_leaves_alone_what_the_file_does_not_mention(run: Any) -> None:
    run(EXAMPLE)
    run("teams:\n  - slug: support\n    quotas:\n      - {metric: tokens, window: day, limit: 1000}\n")
    assert Quota.objects.count() == 4
    assert Membership.objects.count() == 2
    assert Team.objects.get().name == "Support"


def test_it_moves_a_pin_with_a_reason_and_history(run: Any) -> None:
    run(EXAMPLE)
    other = make.make_model("bigger")
    run("aliases:\n  - {name: support-chat, production: fake/bigger}\n")
    assert Pin.objects.get(environment="production").model_version == other
    assert PinMove.objects.get(to_version=other).reason == "Applied from facet.yaml"


def test_it_records_every_change_and_no_secret(run: Any, secret: str) -> None:
    run(EXAMPLE)
    lines = list(AuditEvent.objects.all())
    assert {line.action for line in lines} >= {
        *("provider.created", "model.created", "price.set", "alias.created", "pin.moved", "team.created"),
        *("user.created", "member.added", "quota.created", "alias.changed", "configuration.applied"),
    }
    assert secret not in json.dumps([[line.detail, line.target] for line in lines])


def test_it_restricts_an_open_alias_to_the_teams_that_name_it(run: Any) -> None:
    Alias.objects.create(name="open")
    said = run("teams:\n  - {slug: a, aliases: [open]}\n  - {slug: b, aliases: [open]}\n")
    assert "~ alias     open\n    teams: everybody → a, b" in said
    assert {t.slug for t in Alias.objects.get(name="open").teams.all()} == {"a", "b"}


def test_it_hands_a_team_over_in_one_file(run: Any) -> None:
    run(EXAMPLE)
    run(
        EXAMPLE.replace("role: owner", "role: x")
        .replace("role: member", "role: owner")
        .replace("role: x", "role: member")
    )
    assert Membership.objects.get(role="owner").user.email == "ines@example.com"


def test_it_finds_a_key_by_its_name(run: Any) -> None:
    team = make.make_team("Support")
    key, _ = make.make_key(team, "help-app")
    run("teams:\n  - slug: support\n    quotas:\n      - {metric: requests, window: day, limit: 5, key: help-app}\n")
    assert Quota.objects.get().key == key

    # Of a line of keys the last has the name, and the line one quota; another key of that name is another.
    text = "teams:\n  - slug: support\n    quotas:\n      - {metric: requests, window: day, limit: 7, key: help-app}\n"
    between, _ = rotate_key(actor=SYSTEM, key=key, overlap=dt.timedelta(days=7))
    last, _ = rotate_key(actor=SYSTEM, key=between)
    run(text)
    assert [(one.key, one.limit) for one in Quota.objects.all()] == [(key, 7)]
    ApiKey.objects.filter(pk=key.pk).update(expires_at=now())
    assert "= quota     requests per day of support, key help-app" in run(text)
    revoke_key(actor=SYSTEM, key=last)
    other, _ = make.make_key(team, "help-app")
    run(text)
    assert {one.key for one in Quota.objects.all()} == {key, other}
    written = export()
    assert written.count("key: help-app") == 1, "only that of the key which lives"
    assert "a quota of the key 'help-app' in support, which has ended." in written


def test_it_reads_a_secret_from_a_file_beside_it(run: Any, tmp_path: Path) -> None:
    (tmp_path / "key.txt").write_text("from-a-file\n")
    run(EXAMPLE.replace("{env: OPENAI_API_KEY}", "{file: key.txt}"))
    assert decrypt(Provider.objects.get().secret) == "from-a-file"


def test_it_takes_the_secret_away_when_the_host_moves(run: Any) -> None:
    run(EXAMPLE)
    run("providers:\n  - {slug: openai, kind: openai, base_url: https://other.example.com/v1}\n")
    assert Provider.objects.get().secret == ""


def test_it_makes_a_provider_of_another_kind(run: Any) -> None:
    run("providers:\n  - {slug: claude, kind: anthropic, base_url: https://api.anthropic.com/v1}\n")
    assert Provider.objects.get().kind == "anthropic"


def test_it_is_all_or_nothing(run: Any) -> None:
    text = problems_of(run, EXAMPLE.replace("16384", "999999"))
    assert "line 7: models[0].max_output_tokens: The output limit (999999) is larger than the context" in text
    assert "nothing was changed" in text
    assert not Provider.objects.exists()
    assert not Team.objects.exists()


QUOTAS = "teams:\n  - slug: a\n    quotas:\n      - "
MEMBERS = "teams:\n  - slug: a\n    members: ["
SECRET = "providers:\n  - slug: p\n    kind: openai\n    base_url: https://a.example\n    secret: "
PROVIDER = "providers:\n  - {slug: p, kind: openai, "
PIN = "aliases:\n  - {name: x, production_pin: "
Q = "teams[0].quotas[0]"

WRONG = [
    (QUOTAS + "{metric: cost, window: day, limit: much}", 4, Q + ".limit", "write a number"),
    (QUOTAS + "{metric: cost, limit: 5}", 4, Q, "needs window"),
    (QUOTAS + "{metric: tokens, window: day, limit: 1.5}", 4, Q + ".limit", "whole number"),
    (QUOTAS + "{metric: cost, window: week, limit: 1}", 4, Q + ".window", "minute, hour, day, month"),
    (QUOTAS + "{metric: cost, window: day, limit: -1}", 4, Q + ".limit", "from 0"),
    ("teams:\n  - slug: a\n    colour: 2", 3, "teams[0].colour", "has no field 'colour'; it has slug"),
    ("teams:\n  - name: A", 2, "teams[0]", "needs slug"),
    ("teams:\n  - slug: no", 2, "teams[0].slug", "in quotes if you mean the text no"),
    ("teams:\n  - slug: 007", 2, "teams[0].slug", "in quotes"),
    ("teams:\n  - slug: A b", 2, "teams[0].slug", "letters, digits"),
    ("teams:\n  slug: a", 2, "teams", "write a list of teams"),
    ("teams:\n  - slug: a\n    slug: b", 3, "teams[0].slug", "is here twice, first in line 2"),
    ("teams:\n  - slug: a\n  - slug: a", 3, "teams[1]", "in this file twice"),
    (MEMBERS + "{email: nobody, role: owner}]", 3, "teams[0].members[0].email", "an e-mail address"),
    (MEMBERS + "{email: a@b.c, role: king}]", 3, "teams[0].members[0].role", "owner, builder"),
    ("teams:\n  - slug: a\n    aliases:\n      - nope", 4, "teams[0].aliases[0]", "no alias 'nope'"),
    (QUOTAS + "{metric: cost, window: day, limit: 1, key: k}", 4, Q + ".key", "no active key 'k'"),
    ("aliases:\n  - {name: x, production: nope/none}", 2, "aliases[0].production", "no model 'nope/none'"),
    ("aliases:\n  - {name: x, production: gpt}", 2, "aliases[0].production", "write provider/name"),
    (PIN + "{lane: fast}}", 2, "aliases[0].production_pin.lane", "interactive, standard, batch"),
    (PIN + "{lane: batch}}", 2, "aliases[0].production_pin", "no pin in production"),
    (PIN + "{parameters: {temperature: 9}}}", 2, "aliases[0].production_pin.parameters.temperature", "goes from 0"),
    (PIN + "{canary: {model: a/b}}}", 2, "aliases[0].production_pin.canary", "needs percent"),
    ("models:\n  - {provider: nope, name: x}", 2, "models[0].provider", "no provider 'nope'"),
    ("models:\n  - {provider: p, name: x, price: {output: 1}}", 2, "models[0].price", "needs input"),
    ("providers:\n  - {slug: p, kind: magic, base_url: https://a.example}", 2, "providers[0].kind", "write one of"),
    (PROVIDER + "base_url: ftp://a}", 2, "providers[0].base_url", "write an address"),
    (PROVIDER + "base_url: http://169.254.169.254/v1}", 2, "providers[0].base_url", "private or reserved"),
    (PROVIDER + "base_url: https://u:p@a.example}", 2, "providers[0].base_url", "user name or password"),
    (SECRET + "{env: NOT_SET_ANYWHERE}", 5, "providers[0].secret.env", "is not set"),
    (SECRET + "{file: /nope}", 5, "providers[0].secret.file", "No such file"),
    (SECRET + "{env: A, value: b}", 5, "providers[0].secret", "exactly one of"),
    ("plugins: []", 1, "plugins", "has no field 'plugins'"),
    ("- a", 1, "", "must be a mapping"),
    ("a: &x [1]\nb: *x", 2, "", "*x repeats another place"),
    ("teams: [\n", 2, "", "This is not YAML"),
    ("teams: []\n---\nteams: []", 3, "", "A second document"),
    ("teams:\n  - slug: !!python/object/apply:os.system [echo]", 2, "teams[0].slug", "write a short name"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "path", "sentence"), WRONG)
def test_it_names_line_and_field(run: Any, text: str, line: int, path: str, sentence: str) -> None:
    said = problems_of(run, text)
    start = f"line {line}: {path}: " if path else f"line {line}: "
    found = [one for one in said.splitlines() if one.strip().startswith(start)]
    assert any(sentence in one for one in found), said


def test_it_names_all_problems_at_once(run: Any) -> None:
    said = problems_of(run, "teams:\n  - slug: A b\n    x: 1\naliases:\n  - {name: y, production: a/b}\nzoo: 1\n")
    lines = [line.strip().split(":")[0] for line in said.splitlines()[1:]]
    assert lines == ["line 2", "line 3", "line 5", "line 6"]


def test_the_committed_schema_is_the_readers_own() -> None:
    committed = json.loads(SCHEMA.read_text())
    assert committed == json_schema(), "Write it anew: manage.py apply --schema > docs/configuration.schema.json"
    jsonschema.Draft202012Validator.check_schema(committed)


def test_the_schema_takes_the_example_and_agrees_with_the_reader() -> None:
    validator = jsonschema.Draft202012Validator(json_schema())
    validator.validate(yaml.safe_load(EXAMPLE))
    by_form = ("needs", "write", "has no field", "exactly one of")
    for text, _, _, sentence in WRONG[:25]:
        try:
            _, problems = parse(text)
        except Unusable as unusable:
            problems = unusable.problems
        if problems and any(word in str(problem) for problem in problems for word in by_form):
            known_to_reader_only = ("twice", "whole number")
            if any(word in str(p) for p in problems for word in known_to_reader_only):
                continue
            assert not validator.is_valid(yaml.safe_load(text)), (text, sentence)


@pytest.mark.parametrize("text", ["", "# nothing\n", "teams: []\n"])
def test_an_empty_file_changes_nothing(run: Any, text: str) -> None:
    assert run(text) == "0 to create, 0 to change, 0 unchanged.\n"


def test_a_quota_may_be_for_each_end_user(run: Any) -> None:
    text = """
teams:
  - slug: support
    name: Support
    quotas:
      - {metric: requests, window: day, limit: 50, each_end_user: true, nameless: refuse}
      - {metric: requests, window: day, limit: 9000}
"""
    assert "+ quota     requests per day for each end user of support  (limit 50, mode hard, nameless refuse)" in run(
        text
    )
    assert "0 to create, 0 to change" in run(text)
    assert set(Quota.objects.values_list("each_end_user", "nameless", "limit")) == {
        (True, "refuse", 50),
        (False, "pass", 9000),
    }
    said = run(text.replace("nameless: refuse", "nameless: pass"))
    assert "~ quota     requests per day for each end user of support\n    nameless: refuse → pass" in said
    run(text.replace(", nameless: refuse", ""))
    assert Quota.objects.get(each_end_user=True).nameless == "pass", "what is not said stays"
    written = export()
    assert "each_end_user: true" in written and "nameless: pass" in written
    assert "0 to create, 0 to change" in run(written)
    for wrong, why in (
        (
            "{metric: concurrency, limit: 5, each_end_user: true}",
            "Concurrent calls cannot be limited for each end user",
        ),
        ("{metric: cost, window: day, limit: 5, each_end_user: true, purpose: shadow}", "have no end user"),
        ("{metric: cost, window: day, limit: 5, nameless: refuse}", "Only with each_end_user: true"),
    ):
        assert why in problems_of(run, f"teams: [{{slug: support, quotas: [{wrong}]}}]")
