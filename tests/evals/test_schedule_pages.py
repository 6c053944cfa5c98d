"""Pages of schedules: the section on a prompt's tests, one schedule with its history, and the list of all."""

import datetime as dt
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

from console.core.clock import now
from console.evals.models import Incident, Schedule, TestRun
from tests.evals.conftest import World
from tests.evals.test_pages import BASE
from tests.evals.test_schedules import answer, scheduled
from tests.make import client_of

FORM = {
    "label": "production",
    "model": "support-chat@sandbox",
    "often": "0 3 * * *",
    "time_zone": "Europe/Berlin",
    "tolerance": "5",
}


def test_it_schedules_runs_and_holds_against_the_baseline(world: World) -> None:
    for name in ("a", "b"):
        world.case(name)
    alice, bob = client_of(world.cast.alice), client_of(world.cast.bob)
    assert "No schedules yet" in alice.get("/evaluations/").text
    assert "Models change behind the same name" in alice.get(BASE).text
    new = f"{BASE}schedules/new/"
    wrong = alice.post(new, {**FORM, "often": "own", "cron": "at night"})
    assert wrong.status_code == 422 and "is no cron expression" in wrong.text
    assert list(alice.post(new, {**FORM, "model": "nosuch"}).context["form"].errors) == ["model"]
    assert bob.post(new, FORM).status_code == 403
    assert alice.post(new, FORM).status_code == 302
    schedule = Schedule.objects.get()
    page = f"{BASE}schedules/{schedule.pk}/"
    assert "At 03:00 every day, Europe/Berlin" in alice.get(page).text and "Running" not in alice.get(page).text
    for fields, said in (
        ({}, "Queued"),
        ({"status": "running"}, "Running"),
        ({"waits_for": "All 9 requests are used.", "not_before": now() + dt.timedelta(minutes=5)}, "Waits"),
    ):
        TestRun.objects.update(**fields)
        for address in ("/evaluations/", page, BASE):
            assert said in alice.get(address).text, (said, address)
    shown = alice.get("/evaluations/").text
    assert "All 9 requests are used. Next attempt" in shown and "Running" not in shown

    answer(schedule, "++")
    assert alice.post(f"{page}run/").status_code == 302
    answer(schedule, "+-")
    answer(schedule, "+-")
    shown = alice.get(page).text
    assert "fell from 100 % to 50 %" in shown and "Close the incident" in shown and "<time-chart" in shown
    listed = bob.get("/evaluations/").text
    assert "1 of 1 schedule drifted" in listed and "Drifted" in listed and "<b>b</b>" in listed
    for address in ("/", "/prompts/support/answer/", "/models/aliases/support-chat/"):
        assert "fell from 100 % to 50 %" in alice.get(address).text, address
    looked_at = bob.get(page).text
    assert "Close the incident" not in looked_at and "Run now" not in looked_at
    stranger = client_of(world.cast.charlie)
    assert "No schedules yet" in stranger.get("/evaluations/").text
    assert stranger.get(page).status_code == 404

    refused = alice.post(f"{page}incidents/{Incident.objects.get().pk}/close/", {"reason": ""})
    assert refused.status_code == 400 and "Say why" in refused.text
    last = TestRun.objects.first()
    assert last is not None
    assert alice.post(f"{page}baseline/", {"run": "x", "reason": "Good."}).status_code == 400
    assert alice.post(f"{page}baseline/", {"run": str(last.pk), "reason": "Good enough."}).status_code == 302
    assert "Good enough." in alice.get(page).text and Incident.objects.get().closed_at is not None
    alice.post(f"{page}change/", {**FORM, "often": "own", "cron": "0 7 * * MON-FRI"})
    alice.post(f"{page}pause/")
    assert "Paused by Alice" in alice.get("/evaluations/").text
    alice.post(f"{page}resume/")
    schedule.refresh_from_db()
    assert (schedule.cron, schedule.is_paused) == ("0 7 * * MON-FRI", False)
    assert alice.post(f"{page}delete/").status_code == 302 and not Schedule.objects.exists()


def test_it_says_so_when_somebody_else_changed_the_schedule(world: World) -> None:
    world.case("a")
    alice = client_of(world.cast.alice)
    alice.post(f"{BASE}schedules/new/", FORM)
    schedule = Schedule.objects.get()
    page = f"{BASE}schedules/{schedule.pk}/"
    seen = alice.get(f"{page}change/").context["form"]["seen_revision"].value()
    fields = {**FORM, "seen_revision": seen}
    assert alice.post(f"{page}change/", {**fields, "often": "own", "cron": "0 7 * * MON-FRI"}).status_code == 302
    overtaken = alice.post(f"{page}change/", {**fields, "tolerance": "9"})
    assert overtaken.status_code == 409 and "Somebody changed the schedule of production" in overtaken.text
    assert "“How often”, “Cron expression”, “Tolerance, in points”; saving again" in overtaken.text
    assert 'name="tolerance" value="9"' in overtaken.text and 'name="seen_revision" value="2"' in overtaken.text
    schedule.refresh_from_db()
    assert (schedule.cron, schedule.tolerance) == ("0 7 * * MON-FRI", 5)
    assert alice.post(f"{page}change/", {**fields, "tolerance": "9", "seen_revision": "2"}).status_code == 302
    schedule.refresh_from_db()
    assert (schedule.cron, schedule.tolerance) == (FORM["often"], 9)


def test_it_says_what_an_expression_means(world: World) -> None:
    alice = client_of(world.cast.alice)
    said = alice.get("/evaluations/words/", {"cron": "0 7 * * MON-FRI", "time_zone": "UTC"}).text
    assert "That is at 07:00 on Monday through Friday, UTC." in said
    assert "is no cron expression" in alice.get("/evaluations/words/", {"cron": "<b>"}).text


def test_it_asks_as_often_however_many_schedules(world: World, django_assert_num_queries: Any) -> None:
    world.case("a")
    alice = client_of(world.cast.alice)
    answer(scheduled(world), "+")
    alice.get("/evaluations/")
    with CaptureQueriesContext(connection) as before:
        alice.get("/evaluations/")
    red = scheduled(world, model="support-chat@production")
    answer(red, "-")
    scheduled(world, model="embed@sandbox")
    with django_assert_num_queries(len(before)):
        alice.get("/evaluations/")
    shown = alice.get(f"{BASE}schedules/{red.pk}/").text
    assert "No test passes" in shown and "No test of the baseline passed" in shown and "One run so far: 0.0 %." in shown
