"""The library and API keys in a configuration file, there and back."""

import datetime as dt
import re
from typing import Any

import jsonschema
import pytest
import yaml

from agents_app.models import Tool
from console.audit.models import AuditEvent
from console.core import clock
from console.evals.models import TestCase
from console.pages.configuration.apply import parse
from console.pages.configuration.shape import json_schema
from console.teams import keys
from console.teams.actors import SYSTEM
from console.teams.models import ApiKey, Team
from console.teams.services.keys import revoke_key, rotate_key
from prompts_app.models import Label, LabelRule, Prompt, PromptVersion, Waiver
from prompts_app.services.labels import publish
from prompts_app.services.versions import save_version
from tests import make
from tests.configuration.conftest import exported, problems_of
from usage_app.models import Quota

pytestmark = pytest.mark.django_db

TEAMS = """\
teams:
  - slug: support
    requires_two_factor: true
    members: [{email: ada@example.com, role: owner}]
    label_rules: [{label: production, needs_review: true}]
  - {slug: sales}
"""
PROMPTS = """\
prompts:
  - slug: support/answer               # before the partial it includes, which goes first all the same
    team: support
    kind: chat
    description: Answers customers
    tags: [chat]
    versions:
      - labels: [production, staging]
        message: The first one
        messages:
          - {role: system, text: "You answer. {{> house/style}}"}
          - {role: user, text: "{{question}}"}
        variables: [{name: question, example: "Where is it?"}, {name: tone, type: choice, choices: [calm, brief]}]
        parameters: {temperature: 0.2}
      - messages: [{role: user, text: "{{> house/style}} {{question}}?"}]
    tests:
      - name: Says where
        variables: {question: "Where is it?", tone: calm}
        checks: [{kind: contains, value: parcel}, {kind: similarity, threshold: 0.7, alias: embed}]
        expected: Your parcel is under way.
  - slug: house/style
    team: sales
    kind: partial
    visibility: organisation
    is_required: true
    covers: [support]
    versions:
      - {labels: [production], text: "Be kind.\\n"}
  - slug: support/raw
    team: support
    versions: [{labels: [staging], text: "Say {{what}}"}]
    waivers: [{partial: house/style, reason: Read by a program}]
"""
FILE = TEAMS + PROMPTS


def test_the_library_comes_with_labels_tests_and_what_teams_ask_of_it(run: Any) -> None:
    jsonschema.Draft202012Validator(json_schema()).validate(yaml.safe_load(FILE))
    assert parse(FILE)[1] == []
    said = run(FILE)
    assert said.index("+ prompt    house/style") < said.index("+ prompt    support/answer")
    answer = Prompt.objects.select_related("head", "team").get(slug="support/answer")
    assert (answer.kind, answer.team.slug, answer.description, answer.tags) == (
        *("chat", "support"),
        *("Answers customers", ["chat"]),
    )
    labels = {label.name: label.version.number for label in answer.labels.select_related("version")}
    assert labels == {"production": 1, "staging": 1} and answer.head is not None and answer.head.number == 2
    first = PromptVersion.objects.get(prompt=answer, number=1)
    assert (first.message, first.parameters) == ("The first one", {"temperature": 0.2})
    assert [(one["name"], one["type"]) for one in first.variables] == [("question", "text"), ("tone", "choice")]
    assert [one["name"] for one in answer.head.variables] == ["question"]
    case = TestCase.objects.get(prompt=answer)
    assert (case.name, case.expected, len(case.checks)) == ("Says where", "Your parcel is under way.", 2)
    style = Prompt.objects.get(slug="house/style")
    assert style.is_required and [team.slug for team in style.covers.all()] == ["support"]
    assert Waiver.objects.get().reason == "Read by a program"
    rule = LabelRule.objects.get()
    assert (rule.label, rule.needs_review, rule.needs_green_tests) == ("production", True, False)
    assert Team.objects.get(slug="support").requires_two_factor
    actions = set(AuditEvent.objects.filter(actor="manage.py apply").values_list("action", flat=True))
    assert actions >= {
        *("prompt.created", "prompt.published", "prompt.changed", "test_case.created"),
        *("label_rule.set", "team.changed", "configuration.applied"),
    }

    count = AuditEvent.objects.count()
    assert "0 to create, 0 to change" in run(FILE) and AuditEvent.objects.count() == count
    otherwise = FILE.replace("tags: [chat]", "tags: [Chat, chat]").replace("Answers customers", '" Answers customers "')
    assert "0 to create, 0 to change" in run(otherwise), "it is kept in one spelling"
    text = exported()
    count = AuditEvent.objects.count()
    assert "0 to create, 0 to change" in run(text) and AuditEvent.objects.count() == count


def test_it_shows_what_differs_and_changes_only_that(run: Any) -> None:
    run(FILE.replace("    label_rules: [{label: production, needs_review: true}]\n", ""))
    said = run(
        PROMPTS.replace("You answer.", "You answer briefly.")
        .replace("value: parcel", "value: way")
        .replace("Answers customers", "none")
        .replace("Read by a program", "Read by no person")
        .replace("covers: [support]", "covers: [support, sales]")
    )
    assert (
        "    production: system: You answer. {{> house/style}} user: {{question}} → system: You answer briefly." in said
    )
    assert "    description: Answers customers → none" in said
    assert "~ test      support/answer: Says where" in said and "~ waiver    support/raw without house/style" in said
    assert "    covers: support → sales, support" in said and "= prompt    house/style" in said
    assert "0 to create, 4 to change, 2 unchanged" in said
    assert Label.objects.get(prompt__slug="support/answer", name="production").version.number == 3
    assert Waiver.objects.get().reason == "Read by no person"
    # A version that was there is found again, whatever was saved since; nothing is saved twice.
    run(PROMPTS)
    assert Label.objects.get(prompt__slug="support/answer", name="production").version.number == 1
    assert PromptVersion.objects.filter(prompt__slug="support/answer").count() == 3
    changed = PROMPTS.replace("example: Where", "example: When").replace("temperature: 0.2", "temperature: 0.3")
    assert "(other variables or parameters)" in run(changed)


def test_reviews_a_team_asks_for_hold(run: Any) -> None:
    run(FILE)
    said = problems_of(run, PROMPTS.replace("You answer.", "You answer briefly."))
    assert re.search(r"line \d+: prompts\[0\]\S*: .*review", said), said
    assert Label.objects.get(prompt__slug="support/answer", name="production").version.number == 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("Be kind.", "{{> }}", "line 34: prompts[1].versions[0].text: Line 1"),
        ("You answer. {{> house/style}}", "{{", "line 17: prompts[0].versions[0].messages[0]: Message 1, line 1"),
        (
            "temperature: 0.2",
            "temperature: 9",
            "line 20: prompts[0].versions[0].parameters.temperature: temperature must be",
        ),
        ("choices: [calm, brief]", "default: x", "line 19: prompts[0].versions[0].variables[1]"),
        ("{kind: contains, value: parcel}", "{kind: contains}", "line 25: prompts[0].tests[0].checks[0].value: "),
        ("threshold: 0.7", "threshold: 0", "line 25: prompts[0].tests[0].checks[1].threshold: "),
        ("- {labels: [production], text: ", "- {labels: [production], messages: ", "messages: Found"),
        ("- {labels: [production], text: ", "- {labels: [production], note: ", "A version has no field 'note'"),
        ("[{labels: [staging], text", "[{labels: [staging], message: x, number: 2, teXt", "A version has no field"),
        (
            "      - messages: [",
            "      - labels: [staging]\n        messages: [",
            "The label staging is on two versions",
        ),
        ("team: sales\n    kind", "team: nobody\n    kind", "There is no team 'nobody'"),
        ("covers: [support]", "covers: [nobody]", "line 32: prompts[1].covers: There is no team 'nobody'"),
        ("{partial: house/style,", "{partial: house/stile,", "There is no prompt 'house/stile'"),
        ("house/style}} {{question}}?", "house/stile}} {{question}}?", "house/stile"),
        (
            '    versions: [{labels: [staging], text: "Say {{what}}"}]\n',
            "",
            "line 35: prompts[2]: The prompt support/raw is new",
        ),
    ],
)
def test_it_says_where_a_prompt_is_wrong(run: Any, old: str, new: str, said: str) -> None:
    assert old in FILE, old
    found = problems_of(run, FILE.replace(old, new, 1))
    assert said in found, found
    assert not Prompt.objects.exists()


def test_names_and_kinds_stay(run: Any) -> None:
    run(FILE)
    assert "support/raw is a text prompt" in problems_of(
        run, "prompts: [{slug: support/raw, team: support, kind: chat}]"
    )
    assert "is of another team" in problems_of(run, "prompts: [{slug: support/raw, team: sales}]")
    assert "needs text" in problems_of(run, "prompts: [{slug: support/raw, team: support, versions: [{labels: [x]}]}]")


def test_versions_that_are_named_by_number_keep_it(run: Any) -> None:
    team = make.make_team("Support")
    part = make.make_prompt(team, "part", kind="partial", content=[{"role": "", "text": "One"}])
    for text in ("Two", "Three", "Two"):
        part.refresh_from_db()
        content = [{"role": "", "text": text}]
        save_version(actor=SYSTEM, prompt=part, content=content, parent=part.head)
    make.make_prompt(team, "whole", content=[{"role": "", "text": "{{> part@2}}"}])
    text = exported()
    versions = next(row for row in yaml.safe_load(text)["prompts"] if row["slug"] == "part")["versions"]
    assert [(one["text"], one.get("number"), one.get("labels")) for one in versions] == [
        *(("One", None, ["production"]), ("Two", 2, None), ("Two", None, None)),
    ]
    assert "1 older versions of prompts" in text and "0 to create, 0 to change" in run(text)
    elsewhere = text.replace("slug: part", "slug: piece").replace("slug: whole", "slug: all")
    run(elsewhere.replace("> part@2", "> piece@2").replace("number: 2", "number: 7").replace("piece@2", "piece@7"))
    assert list(PromptVersion.objects.filter(prompt__slug="piece").values_list("number", flat=True)) == [7, 1]
    assert "version 7 by now; 5 is no later one" in problems_of(
        run, "prompts: [{slug: piece, team: support, versions: [{number: 5, text: Else}]}]"
    )
    said = problems_of(run, "prompts:\n- slug: piece\n  team: support\n  versions: [{number: 7, text: Else}]")
    assert "line 4: prompts[0].versions[0].number: Version 7 of piece says something else" in said


def test_versions_that_say_the_same_are_one(run: Any) -> None:
    team = make.make_team("Support")
    prompt = make.make_prompt(team, "p", content=[{"role": "", "text": "A"}])
    for text in ("B", "A"):
        prompt.refresh_from_db()
        content = [{"role": "", "text": text}]
        version = save_version(actor=SYSTEM, prompt=prompt, content=content, parent=prompt.head)
    publish(actor=SYSTEM, prompt=prompt, version=version, label="canary", reason="x", seen_revision=0)
    text = exported()
    assert yaml.safe_load(text)["prompts"][0]["versions"] == [{"labels": ["canary", "production"], "text": "A"}]
    assert "0 to create, 0 to change" in run(text)


KEYS = """\
teams:
  - slug: support
    members: [{email: ada@example.com, role: owner}]
    keys:
      - {name: ci, environment: sandbox, scopes: [models:call, audit:read], networks: [10.0.0.0/8], max_lane: batch}
      - {name: help, environment: production, owner: ada@example.com, unknown_fields: refuse}
      - {name: help, environment: sandbox, owner: ada@example.com, expires_at: 2199-01-01T00:00:00+00:00}
    quotas:
      - {metric: tokens, window: day, limit: 9, key: ci}
"""


def test_keys_come_without_their_texts_and_are_printed_once(run: Any) -> None:
    jsonschema.Draft202012Validator(json_schema()).validate(
        yaml.safe_load(KEYS.replace("2199", "'2199").replace("+00:00", "+00:00'"))
    )
    assert "fk_" not in run(KEYS, "--dry-run") and not ApiKey.objects.exists()
    said = run(KEYS)
    printed = dict(re.findall(r"API key (.+), shown this once: (fk_\S+)", said))
    assert sorted(printed) == ["support/ci in sandbox", "support/help in production", "support/help in sandbox"]
    ci = ApiKey.objects.get(digest=keys.digest(printed["support/ci in sandbox"]))
    assert (ci.scopes, ci.networks, ci.max_lane, ci.owner) == (
        ["models:call", "audit:read"],
        ["10.0.0.0/8"],
        "batch",
        None,
    )
    assert Quota.objects.get().key == ci
    live = ApiKey.objects.select_related("owner").get(name="help", environment="production")
    assert live.owner is not None and (live.owner.email, live.unknown_fields) == ("ada@example.com", "refuse")

    count = AuditEvent.objects.count()
    again = run(KEYS.replace("10.0.0.0/8", "10.0.0.0/255.0.0.0").replace("name: ci,", 'name: " ci ",'))
    assert "0 to create, 0 to change" in again and "fk_" not in again and AuditEvent.objects.count() == count
    text = exported()
    assert not any(whole in text for whole in printed.values()) and "0 to create, 0 to change" in run(text)
    # One that was rotated is the one of its name still; another with that name cannot be told from it.
    new, _ = rotate_key(actor=SYSTEM, key=ci)
    assert "    max_lane: batch → standard" in run(KEYS.replace("max_lane: batch", "max_lane: standard"))
    new.refresh_from_db()
    assert new.max_lane == "standard"
    make.make_key(Team.objects.get(), "ci", environment="sandbox")
    text = exported()
    assert "# Not in this file: a key of support with the name 'ci', which is not unique." in text
    assert "keys of sandbox have this name in support" in problems_of(run, KEYS)


def test_a_key_that_has_ended_is_made_no_second_time(run: Any) -> None:
    file = KEYS.replace("max_lane: batch", "max_lane: batch, expires_at: 2030-01-01T00:00:00Z")
    run(file)
    past = clock.now() - dt.timedelta(days=1)
    ApiKey.objects.filter(name="ci").update(expires_at=past)
    said = run(file.replace("2030-01-01T00:00:00Z", past.isoformat()))
    assert "0 to create, 0 to change" in said and "fk_" not in said
    assert ApiKey.objects.filter(name="ci").count() == 1


def test_a_key_that_was_revoked_is_made_no_second_time(run: Any) -> None:
    """The file is applied every night, by a machine whose log many read."""
    run(KEYS)
    new, _ = rotate_key(actor=SYSTEM, key=ApiKey.objects.get(name="ci"))
    place = "{team: support, name: Nightly, kind: scheduled, status: migrated, replaced_by: {key: ci}}"
    place = f"legacy_touchpoints: [{place}]\n"
    run(KEYS + place)
    revoke_key(actor=SYSTEM, key=new)
    said = run(KEYS + place)
    assert re.search(r"= key +support/ci in sandbox  \(revoked on 20\d\d-\d\d-\d\d, so it is not made again\)", said)
    assert "0 to create, 0 to change" in said and "fk_" not in said, "nor is its quota"
    # Of another environment or name it is another key; and one with this name made by hand is the one the file means.
    said = run(KEYS.replace("ci, environment: sandbox", "ci, environment: production"))
    assert "API key support/ci in production, shown this once" in said
    make.make_key(Team.objects.get(), "ci", environment="sandbox")
    assert "~ key       support/ci in sandbox" in run(KEYS.split("    quotas")[0])
    # Nor is one made anew whose end was set on its page. A later end in the file is asked for.
    ApiKey.objects.filter(name="help", environment="production").update(expires_at=clock.now())
    file = KEYS.split("    quotas")[0]
    assert "= key       support/help in production  (ended on 20" in run(file)
    said = run(file.replace("unknown_fields: refuse", "unknown_fields: refuse, expires_at: 2199-01-01T00:00:00Z"))
    assert "API key support/help in production, shown this once" in said


def test_a_word_of_a_key_that_nobody_hears_is_not_exported(run: Any, settings: Any) -> None:
    settings.GATEWAY_UNKNOWN_FIELDS = "drop"
    run(KEYS)
    ApiKey.objects.filter(name="ci").update(unknown_fields="pass", unknown_fields_by_operator=False)
    assert "unknown_fields: pass" not in exported(), "applied, it would be an operator's"
    ApiKey.objects.filter(name="ci").update(unknown_fields_by_operator=True)
    assert "unknown_fields: pass" in exported()


def test_keys_are_handed_over_and_never_to_strangers(run: Any) -> None:
    run(KEYS)
    said = problems_of(
        run, KEYS.replace("help, environment: production, owner: ada", "help, environment: production, owner: bo")
    )
    assert "line 6: teams[0].keys[1].owner: Nobody has the address 'bo@example.com'" in said
    with_bo = KEYS.replace("role: owner}]", "role: owner}, {email: bo@example.com, role: builder}]")
    said = run(with_bo.replace("production, owner: ada", "production, owner: bo"))
    assert "    owner: ada@example.com → bo@example.com" in said
    wrong = KEYS.replace("10.0.0.0/8", "nowhere")
    assert re.search(r"line 5: teams\[0\]\.keys\[0\]\.networks.*: ", problems_of(run, wrong))
    twice = KEYS.replace("key: ci", "key: help")
    assert "2 of its keys have this name" in problems_of(run, twice)


def test_what_is_switched_off_stays_off_elsewhere(run: Any) -> None:
    file = """\
providers:
  - {slug: far, name: Far away, kind: openai, base_url: "https://far.example/v1", is_enabled: false}
models:
  - {provider: far, name: old, successor: far/new}
  - {provider: far, name: new}
"""
    run(file)
    text = exported()
    document = yaml.safe_load(text)
    assert document["providers"][0]["is_enabled"] is False and document["providers"][0]["name"] == "Far away"
    assert [one.get("successor") for one in document["models"]] == [None, "far/new"]
    assert "0 to create, 0 to change" in run(text)
    said = run(file.replace("is_enabled: false", "is_enabled: true").replace("successor: far/new", "successor: none"))
    assert "    is_enabled: no → yes" in said and "    successor: far/new → none" in said
    assert "There is no model 'far/x'" in problems_of(run, file.replace("successor: far/new", "successor: far/x"))
    assert not Tool.objects.exists()
