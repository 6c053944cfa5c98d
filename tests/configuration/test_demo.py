"""manage.py demo: believable, labelled, once, and never mixed with what people made."""

import json
import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Model

from agents_app.agent_templates import TEMPLATES
from agents_app.models import Agent, Run
from agents_app.readiness import problems
from console.audit.models import AuditEvent, Payload
from console.batches.models import Batch
from console.catalog.models import Alias, PinMove, Provider
from console.chat.models import Conversation, Widget
from console.core.clock import now
from console.evals.models import Incident, Replay, Round, Schedule, TestCase
from console.pages.demo import fill
from console.pages.demo.agents import AGENTS
from console.pages.demo.cast import TEAMS
from console.pages.demo.library import PROMPTS
from console.pages.demo.touchpoints import PLACES, make_touchpoints
from console.pages.demo.traces import TRACES
from console.pages.demo.visitors import TALKS
from console.teams.models import ApiKey, Team
from console.touchpoints.models import LegacyTouchpoint
from prompts_app.models import LabelMove, Prompt, PromptUse, PromptVersion, Review
from prompts_app.services.uses import roll_up_uses
from tests import database, make
from tests.configuration.conftest import exported
from tests.make import client_of
from tests.waiting import until
from usage_app.models import Quota, QuotaCounter, UsageDay
from usage_app.services.roll_up import roll_up


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("demo", "--days", "3", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.django_db(transaction=True)  # the roll-up reads what is committed for good
def test_it_fills_an_empty_console_once_and_its_export_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Where the limit is a hard one, a pace so low that the month has cost more already, as towards its end.
    pace = fill._cost_a_month
    monkeypatch.setattr(fill, "_cost_a_month", lambda team, days: 0 if team.slug == "marketing" else pace(team, days))
    assert "None of it is real" in run()
    text = exported()
    had = {model: model.objects.count() for model in (Prompt, TestCase, Agent, Widget, Schedule, Quota)}
    assert all(had.values())
    calls = AuditEvent.objects.filter(client_request_id__startswith="demo-")
    count = calls.count()
    assert 3_000 < count < 12_000
    assert set(calls.values_list("status", flat=True)) >= {"ok", "error", "client_disconnected"}
    answered = calls.filter(detail__startswith='{"fell_back_from":')
    assert answered.exists() and not answered.exclude(status="ok").exclude(status="client_disconnected").exists()
    followed = calls.filter(detail__startswith='{"attempt_of":')
    assert followed.count() == answered.count()
    assert set(calls.values_list("team", flat=True)) == {"Support", "Marketing", "Operations"}
    assert set(calls.values_list("environment", flat=True)) == {"production", "sandbox"}
    assert not calls.filter(at__gt=now()).exists()
    assert Payload.objects.filter(kind="input").exists()
    assert all(team.is_demo for team in Team.objects.all())
    assert all("Demo." in alias.description for alias in Alias.objects.all())
    assert all("(demo)" in provider.name for provider in Provider.objects.all())

    assert set(Round.objects.values_list("outcome", flat=True)) == {"fine", "suspicious", "drifted"}
    assert Incident.objects.get().closed_at is not None and Schedule.objects.get().is_paused

    steps = AuditEvent.objects.filter(client_request_id__startswith="run_").count()
    assert steps > 20

    # The roll-up waits for every transaction of the server that began earlier, those of other databases too.
    rolled_up = UsageDay.objects.values_list("requests", flat=True)
    until(lambda: sum(rolled_up.all()) >= count + steps, "every call is rolled up", 180, meanwhile=roll_up)
    assert sum(rolled_up.all()) == count + steps
    assert sum(UsageDay.objects.values_list("attempts", flat=True)) == followed.count()
    roll_up_uses()
    answer = Prompt.objects.get(slug="support/live-chat-answer")
    assert answer.calls > 1_000 and answer.description.startswith("Demo.")
    assert set(PromptUse.objects.filter(prompt=answer).values_list("surface", flat=True)) == {"api"}
    assert Prompt.objects.get(slug="house/style-guide").calls > answer.calls
    support = Quota.objects.get(team__slug="support", metric="cost")
    assert QuotaCounter.objects.filter(quota=support, used__gt=0).exists() or now().day <= 3
    assert support.limit % 1_000_000 == 0
    _was_made_in_the_past()

    said = run()
    assert said == "The demo is here already; nothing was added.\n"
    assert AuditEvent.objects.filter(client_request_id__startswith="demo-").count() == count
    assert Quota.objects.count() == 6
    assert Prompt.objects.count() == len(PROMPTS)
    assert Review.objects.filter(status="open").count() == 1
    assert AuditEvent.objects.filter(action="demo.filled").count() == 1

    assert Run.objects.count() == len(TRACES)
    assert Conversation.objects.count() == len(TALKS)
    assert not [agent for agent in Agent.objects.all() if agent.live is None or problems(agent.team, agent.draft)]

    _look()

    assert LegacyTouchpoint.objects.count() == len(PLACES)
    LegacyTouchpoint.objects.all().delete()
    make_touchpoints({team.slug: team for team in Team.objects.all()}, {}, {})
    assert not LegacyTouchpoint.objects.exists(), "what people took off the list does not come back"

    _becomes_the_same(text, had, tmp_path, monkeypatch)


def _look() -> None:
    """The pages show it, and say what it is."""
    operator = make.make_user("olga@example.com", is_superuser=True)
    client = client_of(operator)
    page = client.get("/models/aliases/support-chat/").content.decode()
    assert "are a demo" in page
    assert "Fewer tickets come back than with the small one" in page
    assert "Roll back" in page
    page = client.get("/prompts/support/live-chat-answer/").content.decode()
    assert "Tomas Lind asks to publish v5 to production" in page and "Roll back to v3" in page
    assert "Two customers were promised a refund" in page
    page = client.get("/approvals/").content.decode()
    assert "Workers stopped after ConnectionResetError" in page and "restart_service" in page
    states = {run.state: run for run in Run.objects.order_by("created_at")}
    assert set(states) == {"waiting", "succeeded", "failed"}
    waiting = states["waiting"]
    page = client.get(f"/runs/{waiting.public_id}/").content.decode()
    assert "Because the workers are gone, not slow" in page and "the runbook" in page.lower()
    page = client.get("/touchpoints/").content.decode()
    assert "Headline helper (demo)" in page and "2 of 6 done" in page and "Overlaps with" in page
    assert "Slower than expected</span>" in page
    widget = Widget.objects.get()
    page = client.get(f"/widgets/{widget.pk}/conversations/").content.decode()
    assert "Oda Fisker" in page
    replay = Replay.objects.get()
    page = client.get(f"/evaluations/replays/{replay.pk}/").content.decode()
    assert "24 both answered" in page and "meridian/meridian-large-2026-10-28" in page and "Exact match" in page
    nights = Batch.objects.filter(state="completed")
    assert {night.total for night in nights} == {night.lines.count() for night in nights} and nights.count() >= 2
    failed = Batch.objects.get(state="failed")
    page = client.get(f"/batches/{failed.pk}/").content.decode()
    assert "is that of line 2 as well" in page
    night = nights.order_by("-created_at")[0]
    told = b"".join(client.get(f"/batches/{night.pk}/output/")).splitlines()
    assert len(told) == night.completed
    spent = [json.loads(line)["response"]["body"]["usage"]["completion_tokens"] for line in told]
    assert sum(spent) == night.completion_tokens


def _becomes_the_same(text: str, had: dict[type[Model], int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Apply what the demo was exported to, to an empty console: it has as much, and its export says the same."""
    for name in re.findall(r"env: (\w+)", text):
        monkeypatch.setenv(name, f"https://hooks.example.com/{name}")
    database.restore()
    assert not Team.objects.exists()
    (tmp_path / "facet.yaml").write_text(text)
    out = StringIO()
    call_command("apply", str(tmp_path / "facet.yaml"), stdout=out)
    assert {model: model.objects.count() for model in had} == had  # type: ignore[attr-defined]
    made = set(re.findall(r"API key (\S+)/(.+) in \w+, shown this once: fk_", out.getvalue()))
    assert made == {(team.slug, name) for team in TEAMS for name, _ in team.keys}

    def without_notes(text: str) -> str:
        return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("# Not in this file"))

    assert without_notes(exported()) == without_notes(text)
    out = StringIO()
    call_command("apply", str(tmp_path / "facet.yaml"), stdout=out)
    assert "0 to create, 0 to change" in out.getvalue()


def _was_made_in_the_past() -> None:
    """Pins moved when they are said to have, and no hard limit is overshot."""
    for hard in Quota.objects.filter(mode="hard"):
        assert not QuotaCounter.objects.filter(quota=hard, used__gt=hard.limit).exists(), f"{hard} is overshot"
    moments = list(
        PinMove.objects.filter(pin__alias__name="support-chat").order_by("moved_at").values_list("moved_at", flat=True)
    )
    assert len(moments) == 4
    assert (now() - moments[0]).days == 96
    assert len(set(moments)) == 4
    published = LabelMove.objects.filter(prompt__slug="operations/alert-triage").order_by("moved_at")
    assert [(move.to_version and move.to_version.number) for move in published] == [1, 2, 1, 2]
    assert all(version.created_at < now() for version in PromptVersion.objects.all())


@pytest.mark.django_db
@pytest.mark.parametrize("what", ["team", "alias", "provider", "prompt"])
def test_it_does_not_mix_with_what_people_made(what: str) -> None:
    if what == "team":
        make.make_team("Support")
    elif what == "prompt":
        make.make_prompt(make.make_team("Ours"), "house/style-guide", kind="partial")
    elif what == "alias":
        make.make_alias("support-chat")
    else:
        Provider.objects.create(slug="meridian", name="x", kind="openai", base_url="https://a.example")
    with pytest.raises(CommandError, match="of your own called"):
        run()
    assert not ApiKey.objects.exists()
    assert not AuditEvent.objects.filter(client_request_id__startswith="demo-").exists()


@pytest.mark.django_db
def test_it_asks_twice_in_production(settings: Any) -> None:
    settings.IS_PRODUCTION = True
    with pytest.raises(CommandError, match="--yes"):
        run()
    assert not Team.objects.exists()


def test_it_says_why_it_cannot_be_removed() -> None:
    with pytest.raises(CommandError, match="append-only"):
        run("--remove")


def test_its_aliases_and_keys_are_known_to_its_calls() -> None:
    from console.pages.demo.cast import ALIASES, STREAMS

    keys = {(team.slug, name): environment for team in TEAMS for name, environment in team.keys}
    pinned = {(alias.name, move.environment) for alias in ALIASES for move in alias.moves}
    for stream in STREAMS:
        assert keys[stream.team, stream.key] == stream.environment
        assert (stream.alias, stream.environment) in pinned


def test_its_agents_leave_the_templates_their_names() -> None:
    assert not {agent.slug for agent in AGENTS} & set(TEMPLATES)
