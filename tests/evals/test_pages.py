"""The tab Tests: cases, the matrix of two versions, a run page."""

from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

from console.evals.models import TestCase, TestResult, TestRun
from console.evals.services import runs
from tests import make
from tests.evals.conftest import World
from tests.make import client_of

BASE = "/prompts/support/answer/-/tests/"


def tried(world: World, version: Any, *statuses: str) -> TestRun:
    run = runs.start_run(actor=world.alice, prompt=world.prompt, version=version, model="support-chat")
    for result, status in zip(run.results.all(), statuses, strict=True):
        checks = [{"kind": "contains", "title": "Contains", "passed": status == "passed", "reason": ""}]
        TestResult.objects.filter(pk=result.pk).update(status=status, checks=checks, output="<b>Hi</b>")
    TestRun.objects.filter(pk=run.pk).update(status="done")
    return run


def test_it_adds_changes_and_removes_a_case(world: World) -> None:
    alice = client_of(world.cast.alice)
    assert "No tests yet" in alice.get(BASE).content.decode()
    form = {"name": "sync", "var-question": "Why?", "c-0-kind": "contains", "c-0-value": "Settings"}
    more = alice.post(f"{BASE}new/", {**form, "do": "add"})
    assert len(more.context["form"].checks) == 2
    wrong = alice.post(f"{BASE}new/", {**form, "c-0-value": ""})
    assert wrong.status_code == 422
    assert "needs a text" in wrong.content.decode() and 'value="sync"' in wrong.content.decode()
    assert alice.post(f"{BASE}new/", form).status_code == 302
    taken = alice.post(f"{BASE}new/", form).text
    assert 'aria-describedby="name_error" autofocus' in taken and taken.count("There is a test") == 1
    case = TestCase.objects.get()
    assert (case.variables, case.checks) == ({"question": "Why?"}, [{"kind": "contains", "value": "Settings"}])
    address = f"{BASE}cases/{case.pk}/"
    assert "Why?" in alice.get(address).content.decode()
    alice.post(address, {**form, "name": "sync 2"})
    assert TestCase.objects.get().name == "sync 2"
    seen = alice.get(address).context["form"].seen_revision
    alice.post(address, {**form, "c-0-value": "Preferences", "seen_revision": seen})
    late = {**form, "name": "typed words", "seen_revision": seen}
    overtaken = alice.post(address, late)
    assert overtaken.status_code == 409 and "Somebody changed the test sync after you opened it" in overtaken.text
    assert 'value="typed words"' in overtaken.text and "now in Name, the checks; saving again" in overtaken.text
    assert TestCase.objects.get().checks == [{"kind": "contains", "value": "Preferences"}]
    late["seen_revision"] = overtaken.context["form"].seen_revision
    assert alice.post(address, late).status_code == 302 and TestCase.objects.get().name == "typed words"
    assert alice.post(address, {**late, "seen_revision": "x"}).status_code == 409
    # The playground hands over what was typed there, and the answer it got.
    handed = alice.post(f"{BASE}new/", {"from": "playground", "var-question": "Why?", "a-answer": "Because."})
    assert (handed.context["form"].expected, handed.context["form"].values) == ("Because.", {"question": "Why?"})
    alice.post(f"{address}delete/")
    assert not TestCase.objects.exists()


def test_a_partial_is_neither_tried_nor_tested(world: World) -> None:
    make.make_prompt(world.cast.team_a, "style", "Be kind.", kind="partial")
    alice = client_of(world.cast.alice)
    page = alice.get("/prompts/style/").content.decode()
    assert "Try it" not in page and "/-/tests/" not in page
    assert "Try it" in alice.get("/prompts/support/answer/").content.decode()
    form = {"name": "x", "c-0-kind": "contains", "c-0-value": "kind"}
    refused = alice.post("/prompts/style/-/tests/new/", form)
    assert refused.status_code == 422 and "A partial is never called" in refused.content.decode()


def test_it_shows_two_versions_beside_each_other(world: World) -> None:
    for name in ("a", "b", "c"):
        world.case(name)
    tried(world, world.v1, "passed", "failed", "passed")
    run = tried(world, world.v2, "passed", "passed", "failed")
    bob = client_of(world.cast.bob)
    response = bob.get(f"{BASE}?a=1&b=2")
    assert [row.change for row in response.context["matrix"].rows] == ["same", "better", "worse"]
    (kind,) = response.context["matrix"].kinds
    assert (round(kind.old), round(kind.new), kind.change) == (67, 67, 0)
    away = [{"kind": "judge", "title": "Judge", "passed": False, "reason": "No model.", "was_made": False}]
    broken = TestResult.objects.filter(run=run, status="passed").order_by("pk")[:1]
    TestResult.objects.filter(pk__in=broken).update(status="error", checks=away)
    kinds = {one.title: one.new for one in bob.get(f"{BASE}?a=1&b=2").context["matrix"].kinds}
    assert kinds == {"Contains": 50}, "what could not be checked has not failed"
    html = response.content.decode()
    assert "Gate closed" in html and "1 test is red" in html
    assert "Run the tests" not in html, "members look on"
    alone = bob.get(f"{BASE}?a=2&b=2").content.decode()
    assert "Tests on v2" in alone and "Change</th>" not in alone, "one version is compared with none"
    shown = bob.get(f"{BASE}runs/{run.pk}/").content.decode()
    assert "&lt;b&gt;Hi&lt;/b&gt;" in shown
    piece = bob.get(f"{BASE}runs/{run.pk}/", headers={"HX-Request": "true"})
    assert "3 of 3" in piece.content.decode() and piece["HX-Refresh"] == "true"


def test_it_starts_and_stops_a_run(world: World) -> None:
    world.case("a")
    alice = client_of(world.cast.alice)
    response = alice.post(f"{BASE}run/", {"version": "2", "model": ""})
    assert response.status_code == 400 and "which alias" in response.content.decode()
    assert alice.post(f"{BASE}run/", {"version": "2", "model": "support-chat@sandbox"}).status_code == 302
    run = TestRun.objects.get()
    assert (run.version, run.model, run.environment) == (world.v2, "support-chat", "sandbox")
    assert "0 of 1" in alice.get(BASE).content.decode()
    alice.post(f"{BASE}runs/{run.pk}/stop/")
    assert TestRun.objects.get().status == "stopped"
    shown = alice.get(f"{BASE}runs/{run.pk}/").content.decode()
    assert "Not asked" in shown and "Waiting" not in shown
    for client in (client_of(world.cast.bob), client_of(world.cast.charlie)):
        assert client.post(f"{BASE}run/", {"version": "2", "model": "x"}).status_code in {403, 404}


def test_it_asks_as_often_however_many_cases(world: World, django_assert_num_queries: Any) -> None:
    world.case("a")
    tried(world, world.v2, "passed")
    alice = client_of(world.cast.alice)
    alice.get(BASE)
    with CaptureQueriesContext(connection) as before:
        alice.get(BASE)
    for number in range(10):
        world.case(f"b{number}")
    tried(world, world.v2, *["passed"] * 11)
    with django_assert_num_queries(len(before)):
        alice.get(BASE)


def test_it_lists_the_newest_run_first(world: World) -> None:
    world.case("a")
    old, new = tried(world, world.v1, "passed"), tried(world, world.v2, "failed")
    shown = client_of(world.cast.bob).get(BASE).context["runs"]
    assert [one.run.pk for one in shown] == [new.pk, old.pk]
    assert [(one.passed, one.red) for one in shown] == [(0, 1), (1, 0)]
