"""manage.py export: what apply reads again, without secrets."""

import datetime as dt
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command

from agents_app.services.drafts import save_draft
from agents_app.services.queues import archive_queue
from agents_app.services.tools import create_tool, enable_tool
from agents_app.services.triggers import create_trigger
from console.audit.models import AuditEvent
from console.catalog.models import Alias, Amounts, ModelVersion, Pin, PinMove, Price, Provider
from console.catalog.queries import price_now
from console.catalog.services import pins
from console.catalog.services.aliases import change_alias
from console.catalog.services.builtin import ensure_builtin
from console.catalog.services.providers import change_provider, create_provider, enable_provider
from console.catalog.services.versions import set_price
from console.core.clock import now
from console.teams.actors import SYSTEM
from console.teams.models import Membership, Role, Team
from console.teams.services import teams as team_services
from console.teams.services.people import disable_person
from console.touchpoints.services.legacy import change_legacy, create_legacy
from prompts_app.services.prompts import change_prompt
from tests import make
from tests.configuration.conftest import exported
from usage_app.models import Quota
from usage_app.scopes import subject_of
from usage_app.services.quotas import set_quota

pytestmark = pytest.mark.django_db
LATER = dt.datetime(2199, 1, 1, tzinfo=dt.UTC)


def furnish() -> None:
    provider = create_provider(
        actor=SYSTEM,
        slug="open-ai",
        name="open-ai",
        kind="openai",
        base_url="https://a.example/v1",
        secret="sk-very-secret-1",
    )
    model = make.make_model(
        "gpt", provider=provider, price=("0.15", "12"), description="Quick: & cheap", shutdown_on=dt.date(2199, 12, 31)
    )
    set_price(
        actor=SYSTEM,
        version=model,
        amounts=Amounts(
            input=Decimal(1),
            output=Decimal("2.5"),
            reasoning=Decimal(3),
            cache_write=Decimal("1.25"),
            long_above=200_000,
            long_output=Decimal(5),
        ),
        effective_from=LATER,
    )
    alias = make.make_alias("help", production=model)
    change_alias(actor=SYSTEM, alias=alias, description="For customers")
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
    model = document["models"][0]
    assert model["price"] == {"input": 0.15, "output": 12}
    assert model["later_prices"] == [
        {"from": LATER.isoformat(), "input": 1, "output": 2.5, "reasoning": 3, "cache_write": 1.25}
        | {"long_above": 200_000, "long_output": 5}
    ]
    assert (model["description"], model["shutdown_on"]) == ("Quick: & cheap", "2199-12-31")
    assert document["aliases"] == [{"name": "help", "description": "For customers", "production": "open-ai/gpt"}]
    assert document["teams"] == [
        {
            "slug": "support",
            "name": "Support",
            "members": [{"email": "ada@example.com", "role": "owner"}],
            "keys": [
                {
                    "name": "no",
                    "environment": "production",
                    "scopes": ["models:call", "usage:read"],
                    "max_lane": "interactive",
                }
            ],
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


def test_what_it_writes_makes_the_same_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    furnish()
    monkeypatch.setenv("OPEN_AI_API_KEY", "sk-very-secret-1")
    text = exported()
    file = tmp_path / "facet.yaml"
    file.write_text(text)
    for model in (Pin, PinMove, Price, ModelVersion, Provider, Quota, Alias, Membership, Team):
        model.objects.all().delete()  # type: ignore[attr-defined]
    call_command("apply", str(file), stdout=StringIO())
    assert exported() == text


def test_what_surrounds_pins_goes_out_and_comes_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    furnish()
    monkeypatch.setenv("OPEN_AI_API_KEY", "sk-very-secret-1")
    provider = Provider.objects.get()
    change_provider(actor=SYSTEM, provider=provider, max_concurrency=8, total_seconds=90)
    spare = make.make_model("spare", provider=provider)
    alias = Alias.objects.get()
    verbs: list[pins.Verb] = [
        pins.SetCanary(spare, 10),
        pins.SetShadow(spare, 5),
        pins.SetFallbacks((pins.Step(spare, ("error", "busy"), 2),)),
        pins.SetParameters({"temperature": 0.2, "reasoning_effort": "low"}, {"max_tokens": 500}),
        pins.SetLane("batch"),
    ]
    for seen, verb in enumerate(verbs, start=1):
        pins.change_pin(actor=SYSTEM, alias=alias, environment="production", verb=verb, reason="x", seen_revision=seen)
    file = tmp_path / "facet.yaml"
    file.write_text(exported())
    document = yaml.safe_load(file.read_text())
    assert {name: document["providers"][0][name] for name in ("max_concurrency", "total_seconds")} == {
        "max_concurrency": 8,
        "total_seconds": 90,
    }
    said = {
        "canary": {"model": "open-ai/spare", "percent": 10},
        "shadow": {"model": "open-ai/spare", "percent": 5},
        "fallbacks": [{"model": "open-ai/spare", "on": ["error", "busy"], "tries": 2}],
        "parameters": {"temperature": 0.2, "reasoning_effort": "low"},
        "max_parameters": {"max_tokens": 500},
        "lane": "batch",
    }
    assert document["aliases"][0]["production_pin"] == said
    lines = AuditEvent.objects.count()
    call_command("apply", str(file), stdout=StringIO())
    assert PinMove.objects.count() == len(verbs) and AuditEvent.objects.count() == lines  # nothing to do
    # The same file on an empty console makes the same; another one changes what it names, and nothing else.
    PinMove.objects.all().delete()
    Pin.objects.all().delete()
    call_command("apply", str(file), stdout=StringIO())
    assert yaml.safe_load(exported())["aliases"] == document["aliases"]
    file.write_text("aliases: [{name: help, production_pin: {fallbacks: [], parameters: {temperature: 1}}}]")
    out = StringIO()
    call_command("apply", str(file), stdout=out)
    assert "production fallbacks: open-ai/spare on error/busy x2 → none" in out.getvalue()
    said |= {"parameters": {"temperature": 1}}
    del said["fallbacks"]
    assert yaml.safe_load(exported())["aliases"][0]["production_pin"] == said


def test_a_file_ends_canaries_and_shadows_asks_for_two_people_and_pays_for_copies(tmp_path: Path) -> None:
    furnish()
    spare = make.make_model("spare", provider=Provider.objects.get())
    alias = Alias.objects.get()
    for seen, verb in enumerate((pins.SetCanary(spare, 10), pins.SetShadow(spare, 5)), start=1):
        pins.change_pin(actor=SYSTEM, alias=alias, environment="production", verb=verb, reason="x", seen_revision=seen)
    pin, team = Pin.objects.get(environment="production"), Quota.objects.first().team.slug  # type: ignore[union-attr]
    file = tmp_path / "facet.yaml"
    file.write_text(
        f"aliases: [{{name: {alias.name}, two_people: true, needs_tests: true,"
        " production_pin: {canary: none, shadow: none}}]\n"
        f"teams: [{{slug: {team}, quotas: [{{metric: cost, window: day, limit: 2, purpose: shadow}}]}}]\n"
    )
    for times in range(2):
        out = StringIO()
        call_command("apply", str(file), stdout=out)
        assert ("production canary: 10 % open-ai/spare → none" in out.getvalue()) is (times == 0)
    pin.refresh_from_db()
    assert (pin.canary_version, pin.shadow_version, pin.revision) == (None, None, 5)
    document = yaml.safe_load(exported())
    assert document["aliases"][0]["two_people"] is document["aliases"][0]["needs_tests"] is True
    quota = {"metric": "cost", "window": "day", "limit": 2, "mode": "hard", "purpose": "shadow"}
    assert quota in next(one for one in document["teams"] if one["slug"] == team)["quotas"]
    # A canary a move ends needs no other end.
    pins.change_pin(
        actor=SYSTEM, alias=alias, environment="production", verb=pins.SetCanary(spare, 10), reason="x", seen_revision=5
    )
    file.write_text(f"aliases: [{{name: {alias.name}, production: open-ai/spare, production_pin: {{canary: none}}}}]")
    call_command("apply", str(file), stdout=StringIO())
    pin.refresh_from_db()
    assert (pin.model_version, pin.canary_version) == (spare, None)
    file.write_text(f"aliases: [{{name: {alias.name}, needs_tests: false}}]")
    call_command("apply", str(file), stdout=StringIO())
    assert "needs_tests" not in yaml.safe_load(exported())["aliases"][0]
    file.write_text(f"aliases: [{{name: {alias.name}, two_people: false}}]")
    with pytest.raises(CommandError, match="lifting that is proposed"):
        call_command("apply", str(file), stdout=StringIO(), stderr=StringIO())


def test_a_later_price_is_the_price_once_its_time_has_come(tmp_path: Path) -> None:
    version = make.make_model("m", price=("1", "1"))
    begun, other = now() - dt.timedelta(days=1), LATER + dt.timedelta(days=1)
    set_price(actor=SYSTEM, version=version, amounts=Amounts(Decimal(1), Decimal(1)), effective_from=LATER)
    rows = "".join(
        f"\n      - {{from: {moment}, input: {amount}, output: {amount}}}"
        for moment, amount in ((begun.isoformat(), 7), (LATER.isoformat(), 1), (other.isoformat(), 8))
    )
    file = tmp_path / "facet.yaml"
    file.write_text(f"models:\n  - provider: fake\n    name: m\n    later_prices:{rows}\n")
    call_command("apply", str(file), stdout=StringIO())
    assert price_now(version).input == 7  # type: ignore[union-attr]
    assert sorted(version.prices.filter(effective_from__gt=now()).values_list("input", flat=True)) == [1, 8]
    file.write_text(file.read_text().replace("input: 8", "input: 9"))
    with pytest.raises(CommandError, match="has another price from"):
        call_command("apply", str(file), stdout=StringIO(), stderr=StringIO())
    file.write_text(file.read_text().replace(other.isoformat(), "2026-13-01"))
    with pytest.raises(CommandError, match="write a moment with its zone"):
        call_command("apply", str(file), stdout=StringIO(), stderr=StringIO())


def test_it_says_what_it_leaves_out() -> None:
    ensure_builtin(actor=SYSTEM, base_url="http://127.0.0.1:9/v1")
    text = exported()
    assert "# Not in this file: the built-in model" in text
    assert yaml.safe_load(text) is None


def test_it_says_when_apply_would_not_read_it(monkeypatch: pytest.MonkeyPatch) -> None:
    make.make_prompt(make.make_team("Support"), "p", content=[{"role": "", "text": "x" * 2_000}])
    assert "larger than" not in exported()
    monkeypatch.setattr("console.pages.configuration.export.LARGEST", 1_000)
    assert "# This file is larger than the 8 MiB that `manage.py apply` reads." in exported()


def test_it_is_recorded() -> None:
    exported()
    assert AuditEvent.objects.get().action == "configuration.exported"


def test_a_dash_is_standard_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    out = StringIO()
    call_command("export", "-", stdout=out)
    assert out.getvalue() == exported() and not list(tmp_path.iterdir()), "as `apply -` reads it"


def test_what_yaml_has_its_own_ways_with_comes_back_as_it_was(run: Any) -> None:
    make.make_model("cheap", price=("0.00001", "0.5"), description=" ")
    team = make.make_team("Support")
    mark = {"name": "mark", "type": "choice", "choices": [" ", ", "]}
    make.make_prompt(team, "marks", "Between words: {{mark}}", variables=[mark])
    team_services.create_team(actor=SYSTEM, name="Night", slug="night_shift")
    make.make_prompt(team, "lines", "One\x85two\nthree")
    roles = [{"role": "system", "text": ""}, {"role": "user", "text": "{{most}}"}]
    most = {"name": "most", "type": "number", "default": 9223372036854775807}
    make.make_prompt(team, "chat", kind="chat", content=roles, variables=[most])
    assert "0 to create, 0 to change" in run(exported(), "--dry-run")


def test_what_is_nested_as_deep_as_it_may_be_comes_back(run: Any) -> None:
    team = make.make_team("Support")
    deep: dict[str, Any] = {"type": "string"}
    lists: Any = "end"
    for _ in range(12):
        deep = {"type": "object", "properties": {"inner": deep}}
    for _ in range(31):
        lists = [lists]
    make.make_agent(team, "nested", input_schema=deep)
    make.make_prompt(team, "lists", "Of {{lists}}", variables=[{"name": "lists", "type": "json", "default": lists}])
    assert "0 to create, 0 to change" in run(exported(), "--dry-run")


def test_it_names_no_team_that_is_archived(run: Any) -> None:
    team, other = make.make_team("Support"), make.make_team("Other")
    make.make_agent(team, "helper", audience="teams", shared_with=[other])
    tone = make.make_prompt(team, "tone", kind="partial", visibility="organisation")
    change_prompt(actor=SYSTEM, prompt=tone, is_required=True, covers=[other])
    theirs, vectors = make.make_alias("theirs"), make.make_model("vectors", capabilities=["embedding"])
    theirs.teams.add(other)
    make.make_collection(None, "handbook", model=vectors, payer=other)
    set_quota(actor=SYSTEM, team=team, metric="tokens", window="day", limit=9, alias="theirs")
    team_services.archive_team(actor=SYSTEM, team=other)
    text = exported()
    assert "0 to create, 0 to change" in run(text, "--dry-run")
    document = yaml.safe_load(text)
    assert "quotas" not in document["teams"][0], "apply refuses one of an alias that is not there"
    assert [alias["name"] for alias in document["aliases"]] == ["support-chat"], (
        "nor an alias, which everybody had then"
    )
    assert document["collections"] == [{"slug": "handbook", "name": "Handbook", "language": "english"}]
    assert "is_required" not in text, "what covers nobody any more does not cover everybody elsewhere"


def test_what_a_switched_off_provider_answers_is_made_before_it_is_switched_off(run: Any) -> None:
    model = make.make_model("small")
    make.make_alias("help", production=model)
    make.make_agent(make.make_team("Support"), "helper", alias="help")
    enable_provider(actor=SYSTEM, provider=model.provider, enabled=False)
    text = exported()
    for had, is_now in (("fake", "other"), ("help\n", "help-2\n"), ("slug: helper", "slug: anew")):
        text = text.replace(had, is_now)
    assert "is_enabled: yes → no\n5 to create, 1 to change" in run(text)
    assert not Provider.objects.get(slug="other").is_enabled and Pin.objects.filter(alias__name="help-2").exists()


def test_an_agent_on_an_alias_that_is_left_out_comes_as_a_draft(run: Any) -> None:
    team, other = make.make_team("Support"), make.make_team("Other")
    theirs = make.make_alias("theirs", production=make.make_model("small"))
    agent = make.make_agent(team, "helper", alias="theirs")
    widget = make.make_widget(team, agent, name="Shop")
    of = subject_of(team, "widget", str(widget.pk))
    set_quota(actor=SYSTEM, team=team, metric="tokens", window="day", limit=9, widget=of)
    theirs.teams.add(other)
    team_services.archive_team(actor=SYSTEM, team=other)
    text = exported()
    assert "# Not in this file: that the agent helper is live: its alias theirs is left out." in text
    assert "# Not in this file: the widget 'Shop' of support, which no agent of this file answers." in text
    assert "2 to create, 0 to change" in run(text.replace("slug: helper", "slug: anew").replace("theirs", "not-there"))


def test_an_agent_that_lost_what_it_needs_comes_as_a_draft(run: Any) -> None:
    """It goes on answering here, but nobody could publish it as it is, and elsewhere the whole file was refused."""
    team = make.make_team("Support")
    make.make_alias("support-chat", production=make.make_model(capabilities=["chat", "tools"]))
    queue = make.make_queue(team, "waiting")
    make.make_tool(team, "enqueue", kind="queue", config={"queue": "waiting", "action": "put"})
    order = create_tool(actor=SYSTEM, team=team, kind="wait", slug="order")
    words = make.make_prompt(team, "words")
    make.save(words, text="Anew.")
    make.make_agent(team, "enqueuer", grants=[{"tool": "enqueue"}])
    agent = make.make_agent(team, "helper", prompt=words, grants=[{"tool": "order"}])
    make.make_agent(team, "third")
    save_draft(actor=SYSTEM, agent=agent, seen_revision=agent.draft.revision, prompt_label="", prompt_number=1)
    archive_queue(actor=SYSTEM, queue=queue)
    enable_tool(actor=SYSTEM, tool=order, enabled=False)
    text = exported()
    document = yaml.safe_load(text)
    assert [agent.get("publish", True) for agent in document["agents"]] == [False, False, True]
    assert "# Not in this file: that the agent helper is live: The tool 'order' is switched off." in text
    assert "# Not in this file: the tool enqueue of support, which cannot do its work: There is no queue" in text
    assert document["agents"][1]["prompt"] == "words@1"
    assert 1 in [version.get("number") for version in document["prompts"][2]["versions"]], "the draft names it"
    for name in ("enqueue", "enqueuer", "helper"):
        text = text.replace(f"slug: {name}\n", f"slug: {name}2\n")
    assert "2 to create, 0 to change" in run(text)


def test_it_leaves_out_what_could_not_be_made_elsewhere() -> None:
    """A key, a trigger or a quota that another console would refuse, and with it the whole file."""
    team = make.make_team("Support", owner=make.make_user("ada@example.com"))
    agent = make.make_agent(team, "helper")
    at_three = {"cron": "0 3 * * *", "time_zone": "UTC", "input": {"message": "Go"}}
    for name in ("left", "disabled"):
        user = make.make_member(team, make.make_user(f"{name}@example.com"), Role.BUILDER)
        key, _ = make.make_key(team, name, owner=user)
        set_quota(actor=SYSTEM, team=team, metric="tokens", window="day", limit=9, key=key)
        about = {"kind": "schedule", "name": name, "config": at_three, "environment": "production"}
        create_trigger(actor=SYSTEM, agent=agent, owner=user, **about)
    team_services.remove_member(actor=SYSTEM, membership=Membership.objects.get(user__email="left@example.com"))
    disable_person(actor=SYSTEM, user=user)
    widgets = [make.make_widget(team, agent, name="Shop") for _ in range(2)]
    set_quota(
        actor=SYSTEM,
        team=team,
        metric="tokens",
        window="day",
        limit=9,
        widget=subject_of(team, "widget", str(widgets[0].pk)),
    )
    ended, _ = make.make_key(team, "ended")
    place = create_legacy(actor=SYSTEM, team=team, name="Nightly", kind="scheduled")
    change_legacy(actor=SYSTEM, legacy=place, replaced_by=f"key:{ended.pk}")
    type(ended).objects.filter(pk=ended.pk).update(expires_at=now())
    text = exported()
    document = yaml.safe_load(text)
    assert document["teams"] == [
        {"slug": "support", "name": "Support", "members": [{"email": "ada@example.com", "role": "owner"}]}
    ]
    assert "triggers" not in document["agents"][0] and "replaced_by" not in document["legacy_touchpoints"][0]
    for said in (
        "the member disabled@example.com of support, who is disabled",
        "the key 'left' of support, whose owner is disabled or no longer in the team",
        "a quota of the key 'disabled' in support, which is left out",
        "a quota of the widget 'Shop' in support, which is left out",
        "the trigger 'left' of helper, whose owner is disabled or no longer in a team",
        "what has the work of Nightly in support now, key ended",
    ):
        assert f"# Not in this file: {said}." in text
