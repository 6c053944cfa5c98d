"""Real calls copied from the log and asked of a candidate: what is drawn, asked, and held against what."""

import json
import threading
import time
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from console.audit.models import AuditEvent
from console.core.clock import now
from console.core.errors import BadInput, Conflict, NotAllowed
from console.core.ids import time_of, uuid7, uuid7_at
from console.evals import answers, engine, lease, sampling
from console.evals.models import Dataset, Replay, ReplayResult
from console.evals.queries import replays as queries
from console.evals.queries.side_by_side import lines_of
from console.evals.records import NotReplayable, check_tools
from console.evals.replay_items import REPLAYS
from console.evals.sampling import Sampling
from console.evals.services import datasets, replays, retention
from console.gateway import sync
from console.gateway.asks import make_ask
from console.gateway.identity import PersonIdentity
from console.gateway.operations import OPERATIONS
from console.teams.actors import Actor
from tests import make
from tests.evals.conftest import World
from tests.upstream import Upstream, completion

TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}


def call(
    world: World, upstream: Upstream, body: dict[str, Any], answer: dict[str, Any], operation: str = "chat"
) -> Any:
    """Make one real call of Team A, through the pipeline."""
    upstream.enqueue(answer)
    identifier = uuid7()
    checked = OPERATIONS[operation].check({"model": "support-chat", **body})
    ask = make_ask(
        operation, checked, text=json.dumps(checked), id=identifier, at=time_of(identifier), surface="api", route=""
    )
    sync.answer(PersonIdentity(world.cast.alice.pk, world.cast.team_a.pk, "production"), ask)
    return identifier


def said(*texts: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text} for text in texts]}


def calling(arguments: str) -> dict[str, Any]:
    made = {"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": arguments}}
    found = completion("")
    found["choices"][0]["message"] = {"role": "assistant", "content": None, "tool_calls": [made]}
    return found


def vectors(*rows: list[float]) -> dict[str, Any]:
    data = [{"object": "embedding", "index": at, "embedding": row} for at, row in enumerate(rows)]
    return {"object": "list", "data": data, "model": "fake-model", "usage": {"prompt_tokens": 2, "total_tokens": 2}}


def sample(world: World, **wanted: Any) -> tuple[Dataset, sampling.Sample]:
    wanted.setdefault("number", 20)
    return datasets.sample_dataset(
        actor=world.alice,
        team=world.cast.team_a,
        name=f"Sample {uuid7()}",
        wanted=Sampling(team_id=world.cast.team_a.pk, **wanted),
        chosen="in words",
    )


def results(replay: Replay) -> dict[int, ReplayResult]:
    return {one.item.place: one for one in replay.results.select_related("item")}


def test_it_asks_a_candidate_what_was_really_asked(live: World, upstream: Upstream) -> None:
    """One world: calls of every kind in the log, a sample of them, and two candidates beside what was recorded."""
    other = make.make_model("other-model", provider=live.provider, capabilities=["chat", "tools"], price=("1", "2"))
    live.alias.pins.filter(environment="production").update(model_version=live.model)
    live.alias.pins.filter(environment="sandbox").update(model_version=other)
    live.model.capabilities = ["chat", "embedding", "tools"]
    live.model.save()
    params = make.save(live.prompt, "Be brief. {{question}}", parameters={"temperature": 0.3})
    make.publish(live.prompt, params)
    secret = "sk-" + "a1b2c3d4" * 5
    first = call(live, upstream, {**said("Where is the card?"), "temperature": 0.1}, completion("Under Settings."))
    call(live, upstream, {**said("Look it up."), "tools": [TOOL]}, calling(json.dumps({"q": "card", "with": secret})))
    named = {"prompt": {"id": "support/answer", "variables": {"question": "Why?"}}, **said("And how?")}
    call(live, upstream, named, completion("So."))
    message = {"max_tokens": 50, **said("Hello"), "system": "Be kind."}
    call(live, upstream, message, completion("Hi."), "message")
    call(live, upstream, said(f"My key is {secret}."), completion("Keep it safe."))
    # What is not for a replay: it lets the provider search, and it is no call for words.
    call(live, upstream, {**said("Search."), "web_search_options": {}}, completion("Found."))
    call(live, upstream, {"input": ["x"], "model": "embed"}, vectors([1.0]), "embedding")

    with pytest.raises(BadInput, match="no record to sample"):
        sample(live, alias="nobody")
    (by_prompt, _), (by_key, drawn) = sample(live, prompt="support/answer"), sample(live)
    assert by_prompt.items.count() == 1 and drawn.passed_over == {"works": 1}
    assert sorted(sample(live, order=sampling.RANDOM)[0].items.values_list("record_id")) == sorted(
        by_key.items.values_list("record_id")
    ), "all there are, in another order"
    items = {one.place: one for one in by_key.items.all()}
    assert [items[place].operation for place in sorted(items)] == ["chat", "message", "chat", "chat", "chat"]
    redacted, prompted, tooled, plain = items[1], items[3], items[4], items[5]
    assert redacted.is_redacted and secret not in json.dumps(redacted.body) and plain.record_id == first
    assert plain.body == {**said("Where is the card?"), "temperature": 0.1} and plain.expected == "Under Settings."
    assert tooled.tool_calls == [["look_up", '{"q": "card", "with": "[redacted]"}']]
    assert prompted.prompt | {"variables": {}} == {
        "slug": "support/answer", "number": 3, "variables": {}, "parameters": {"temperature": 0.3}, "messages": 1,
    }  # fmt: skip
    line = AuditEvent.objects.filter(action="content.sampled").latest("id")
    assert (line.type, line.team, line.actor) == ("access", "Team A", "Alice")
    assert json.loads(line.detail)["records"] == 5 and json.loads(line.detail)["filter"] == "in words"

    # Another model. Its calls are ordinary ones of whoever started it.
    checks = [{"kind": "contains", "value": "Settings"}, {"kind": "equals"}]
    wanted: dict[str, Any] = {"model": "support-chat@sandbox", "checks": checks, "likeness_by": "embed"}
    _, _, costs = replays.plan(actor=live.alice, dataset=by_key, **wanted)
    assert (costs.calls, costs.judging_calls, costs.unpriced) == (5, 5, ())
    assert costs.cost_micros == 5 * (23 * 1 + 5 * 2) and costs.recorded_micros == sum(
        one.cost_micros for one in items.values()
    )
    replay = replays.start_replay(actor=live.alice, dataset=by_key, **wanted)
    with pytest.raises(Conflict, match="going on"):
        datasets.delete_dataset(actor=live.alice, dataset=by_key)
    before = len(upstream.seen)
    engine._AT_ONCE, was = 1, engine._AT_ONCE
    try:
        for answer in (
            *(completion("Keep it safe."),),  # the same, so no vectors are asked for
            *(completion("Hi there."), vectors([1.0, 0.0], [1.0, 0.1])),
            *(completion("Thus."), vectors([1.0, 0.0], [0.0, 1.0])),
            *(calling(f'{{"with":"{secret}", "q" : "card" }}'),),
            *(completion("In Settings."), vectors([1.0, 0.0], [1.0, 0.0])),
        ):
            upstream.enqueue(answer)
        engine.advance(REPLAYS, replay.pk)
    finally:
        engine._AT_ONCE = was
    replay.refresh_from_db()
    found = results(replay)
    assert replay.status == "done" and {one.error + one.trouble for one in found.values()} == {""}
    asked = [seen.body for seen in upstream.seen[before:] if "messages" in seen.body]
    assert all(body["model"] == "other-model" and "stream" not in body for body in asked)
    assert asked[-1]["messages"] == plain.body["messages"] and asked[-1]["temperature"] == 0.1
    assert asked[3]["tools"] == [TOOL], "a model answers differently without them"
    assert asked[2]["temperature"] == 0.3 and [one["role"] for one in asked[2]["messages"]] == ["system", "user"]
    line = AuditEvent.objects.get(pk=found[5].request_id)
    assert (line.type, line.lane, line.actor, line.model) == ("evaluation", "batch", "Alice", "fake/other-model")
    assert [found[place].is_same for place in (1, 2, 4)] == [True, False, True]
    assert secret not in json.dumps(found[4].tool_calls) + found[4].output, "kept as the log keeps it"
    assert found[2].likeness == pytest.approx(0.995, abs=0.001) and found[3].likeness == 0 and found[1].likeness == 1
    assert (found[5].status, found[2].status) == ("failed", "failed")
    assert [check["passed"] for check in found[5].checks] == [True, False]
    assert [check["passed"] for check in found[5].recorded_checks] == [True], (
        "an answer equals itself: that says nothing"
    )

    report = queries.report(queries.rows_of(replay), has_record=True)
    assert report.recorded and (report.done, report.errors, report.candidate.answers) == (5, 0, 5)
    assert report.candidate.cost_micros == 5 * (23 + 10) and report.recorded.cost_micros == costs.recorded_micros
    assert (report.same, report.compared, report.with_calls, report.same_calls) == (2, 5, 1, 1)
    assert (report.alike, report.measured) == (4, 5)
    shown = {line.title: (line.recorded, line.candidate, line.change) for line in lines_of(report)}
    assert shown["Errors"] == ("0 of 5", "0 of 5", "") and shown["Passed: Contains: Settings"][2] == "0.0"
    assert shown["Cost of 1,000 calls"][1] == "$0.03"

    # Another version of the prompt, on each record's own alias: its messages stand in place of the recorded ones.
    v4 = make.save(live.prompt, "In one word: {{question}}", parameters={})
    with pytest.raises(BadInput, match="4 of 5 items are no chat completions with the prompt support/answer"):
        replays.start_replay(actor=live.alice, dataset=by_key, version=v4)
    again = replays.start_replay(actor=live.alice, dataset=by_prompt, version=v4)
    upstream.enqueue(completion("Because."))
    engine.advance(REPLAYS, again.pk)
    body = upstream.seen[-1].body
    assert [one["content"] for one in body["messages"]] == ["In one word: Why?", "And how?"]
    assert body["model"] == "fake-model" and results(again)[1].output == "Because."

    # Content is not kept for longer than the log keeps it, and what is gone is not asked.
    by_prompt.items.update(recorded_at=now().replace(year=2020))
    again.results.update(recorded_checks=[{"kind": "judge", "title": "Kind", "passed": True, "reason": "It says: So."}])
    assert (retention.forget_items(), retention.forget_items()) == (1, 0)
    assert results(again)[1].recorded_checks[0] == {"kind": "judge", "title": "Kind", "passed": True, "reason": ""}
    late = replays.start_replay(actor=live.alice, dataset=by_prompt, model="support-chat")
    engine.advance(REPLAYS, late.pk)
    assert "past the retention" in results(late)[1].error and by_prompt.items.get().body == {}
    long_ago = now().replace(year=2020)
    Replay.objects.filter(pk=replay.pk).update(started_at=long_ago)
    replay.results.update(request_id=uuid7_at(long_ago))
    assert (retention.forget_answers(), retention.forget_answers()) == (5, 0)
    assert results(replay)[5].output == "" and results(replay)[5].checks[0]["reason"] == ""

    # What is asked again long after the replay began is kept as long as what is answered now, and not for ever.
    replay.results.filter(item__place=5).update(status="error")
    assert replays.retry_replay(actor=live.alice, replay=replay) == 1
    assert retention.forget_answers() == 0, "there is no answer yet"
    upstream.enqueue(completion("In Settings."))
    engine.advance(REPLAYS, replay.pk)
    assert retention.forget_answers() == 0 and results(replay)[5].output == "In Settings."
    replay.results.filter(item__place=5).update(request_id=uuid7_at(long_ago))
    assert retention.forget_answers() == 1 and results(replay)[5].output == ""


def test_it_goes_on_where_a_worker_left_and_refuses_what_cannot_be_asked(live: World, upstream: Upstream) -> None:
    def upload(text: str, form: str = "jsonl") -> Dataset:
        return datasets.upload_dataset(
            actor=live.alice, team=live.cast.team_a, name=f"File {uuid7()}", text=text, form=form
        )

    for text, form, wrong in (
        ('{"input": "a"}\n{"inptu": "b"}', "jsonl", "Line 2: 'inptu' is not a field"),
        ('{"input": ', "jsonl", "Line 1: It is not JSON"),
        ('{"input": "a"\n', "jsonl", "Line 1: It is not JSON: Expecting ',' delimiter at line 1"),
        ('{"expected": "a"}', "jsonl", "has no input"),
        ('{"input": "a", "parameters": {"model": "x"}}', "jsonl", "model is not a parameter"),
        ('{"input": "a", "parameters": {"tools": [{"type": "web_search"}]}}', "jsonl", "tools that the provider runs"),
        ("question\na", "csv", "'question' is not a column here"),
        ("input,expected\na", "csv", "Line 2: it has 1 cells, the head has 2"),
        ("input\n", "csv", "nothing in this file"),
        ("input\n" + "a\n" * 501, "csv", "at most 500 items"),
        ("input\n" + "\n" * 10_000, "csv", "more than 10,000 lines"),
        ("\n" * 10_001, "jsonl", "more than 10,000 lines"),
        (f'{{"input": "{"a" * 6 * 256 * 1024}"}}', "jsonl", "Line 1: It is longer than the log keeps"),
        (f'{{"variables": {{"v": [{"0, " * 999}0]}}}}\n' * 251, "jsonl", "Line 250: more than 250,000 values"),
    ):
        with pytest.raises(BadInput, match=wrong):
            upload(text, form)
    table = upload('input,expected\r\n"Where, exactly?",Settings\r\n\r\nWhy?,\r\nHow?,So', "csv")
    assert list(table.items.values_list("place", "expected")) == [(1, "Settings"), (2, ""), (3, "So")]
    assert table.items.get(place=1).body == said("Where, exactly?")
    values = upload('{"variables": {"question": "Why?"}, "expected": "Because."}')

    def start(dataset: Dataset, **wanted: Any) -> Replay:
        return replays.start_replay(actor=live.alice, dataset=dataset, **wanted)

    for dataset, wanted, wrong in (
        (table, {}, "A candidate is another model"),
        (table, {"version": live.v1}, "choose a model"),
        (table, {"model": "nobody"}, "Team A has no alias 'nobody'"),
        (table, {"model": "support-chat", "likeness_by": "gone"}, "no alias 'gone'"),
        (table, {"model": "support-chat", "checks": [{"kind": "judge"}]}, "needs a rubric"),
        (values, {"model": "support-chat"}, "values for a prompt; choose a version"),
    ):
        with pytest.raises(BadInput, match=wrong):
            start(dataset, **wanted)
    with pytest.raises(NotAllowed, match="Exact versions are for operators"):
        start(table, model="fake/fake-model")
    upstream.enqueue(completion("Because."))
    by_values = start(values, model="support-chat", version=live.v2)
    engine.advance(REPLAYS, by_values.pk)
    assert results(by_values)[1].is_same and upstream.seen[-1].body["messages"][0]["content"] == "Be kind. Why?"

    # A worker dies after an answer, before it is written down: the log has it, and nothing is asked twice.
    replay = start(table, model="support-chat", checks=[{"kind": "equals"}])
    for text in ("Settings", "No idea.", "Elsewhere"):
        upstream.enqueue(completion(text))
    engine.advance(REPLAYS, replay.pk)
    asked, once = len(upstream.seen), results(replay)
    replay.results.filter(item__place__lte=2).update(status="waiting", output="", checks=[], request_id=None, tokens=0)
    Replay.objects.filter(pk=replay.pk).update(status="running", lease_until=now().replace(year=2020))
    assert lease.sweep(REPLAYS) == 0, "its message may be on its way"
    engine.advance(REPLAYS, replay.pk)
    twice = results(replay)
    assert len(upstream.seen) == asked and {p: one.request_id for p, one in twice.items()} == {
        p: one.request_id for p, one in once.items()
    }
    assert sorted(one.output for one in twice.values()) == ["Elsewhere", "No idea.", "Settings"]
    by_output = {one.output: one for one in twice.values()}
    assert [check["kind"] for one in twice.values() for check in one.checks] == ["equals", "equals"], "one has no wish"
    assert {len(one.checks) for one in twice.values()} == {0, 1} and by_output["Elsewhere"].tokens == 28
    report = queries.report(queries.rows_of(replay), has_record=False)
    assert report.recorded is None and (report.done, report.candidate.answers) == (3, 3)

    waiting = start(table, model="support-chat")
    replays.stop_replay(actor=live.alice, replay=waiting)
    engine.advance(REPLAYS, waiting.pk)
    assert len(upstream.seen) == asked and set(waiting.results.values_list("status", flat=True)) == {"waiting"}
    waiting.refresh_from_db()
    replays.delete_replay(actor=live.alice, replay=waiting)
    datasets.delete_dataset(actor=live.alice, dataset=table)
    actions = AuditEvent.objects.filter(action__startswith="replay.").order_by("id").values_list("action", flat=True)
    assert list(actions) == ["replay.started"] * 3 + ["replay.stopped", "replay.deleted"]
    assert not Replay.objects.filter(dataset=table.pk).exists()


def test_what_a_model_writes_holds_up_neither_a_sample_nor_a_replay(live: World, upstream: Upstream) -> None:
    """NUL, half a surrogate pair, names and figures without end: each is what came of one item."""
    live.model.capabilities = ["chat", "embedding", "tools"]
    live.model.save()
    odd = calling("no JSON \0")
    odd["choices"][0]["message"]["tool_calls"][0]["function"]["name"] = "\0" + "n" * 5_000
    call(live, upstream, said("One"), completion("Be\0fore."))
    call(live, upstream, said("Two"), odd)
    call(live, upstream, said("Three"), calling('{"q": "\\ud800"}'))
    lines = "\n".join(map(str, range(2_001)))
    call(live, upstream, said("Four"), completion(lines))
    dataset, drawn = sample(live)
    items = {item.body["messages"][0]["content"]: item for item in drawn.items}
    assert dataset.items.count() == 4 and items["One"].expected == "Be\u2400fore."
    assert items["Two"].tool_calls == [["\u2400" + "n" * 199, "no JSON \u2400"]]
    assert items["Three"].tool_calls == [["look_up", '{"q": "?"}']]

    # A judge's reason is read from JSON, too; tokens beyond what a column holds are an error of that item.
    checks = [{"kind": "judge", "value": "Is it kind?", "alias": "support-chat"}]
    replay = replays.start_replay(actor=live.alice, dataset=dataset, model="support-chat", checks=checks)
    verdict = json.dumps({"pass": True, "reason": "Half \ud800 of it\0"})
    engine._AT_ONCE, was = 1, engine._AT_ONCE
    try:
        for answer in (completion(lines + "!"), calling('{"q": "\\ud800"}'), odd, completion("\0")):
            upstream.enqueue(answer)
            for _ in range(2):
                upstream.enqueue(completion(verdict))
        engine.advance(REPLAYS, replay.pk)
    finally:
        engine._AT_ONCE = was
    replay.refresh_from_db()
    found = {one.item.body["messages"][0]["content"]: one for one in replay.results.select_related("item")}
    assert replay.status == "done" and {one.status for one in found.values()} == {"passed"}
    assert found["Two"].tool_calls == items["Two"].tool_calls and found["One"].output == "\u2400"
    assert found["Three"].checks[0]["reason"] == "Half ? of it\u2400"
    assert queries.shown_item(found["One"]).wide and queries.shown_item(found["Four"]).wide is None

    replay.results.filter(pk=found["Two"].pk).update(status="waiting")
    found["Two"].tokens, found["Two"].status = 2**32, "waiting"
    engine._keep(found["Two"])
    found["Two"].refresh_from_db()
    assert (found["Two"].status, found["Two"].error) == ("error", "What came of it cannot be kept.")


def test_bounds_of_a_team_hold_for_those_who_come_at_once(live: World) -> None:
    def upload(name: str) -> Dataset:
        return datasets.upload_dataset(
            actor=live.alice, team=live.cast.team_a, name=name, text='{"input": "a"}', form="jsonl"
        )

    def start(dataset: Dataset) -> Replay:
        return replays.start_replay(actor=live.alice, dataset=dataset, model="support-chat")

    first, second = upload("First"), upload("Second")
    newest = [start(first), start(first)][::-1]
    with CaptureQueriesContext(connection) as asked:
        pages = [queries.progress_of(Replay.objects.all(), first=place, most=1) for place in range(3)]
    assert [[one.replay for one in page] for page in pages] == [[newest[0]], [newest[1]], []] and len(asked) == 3
    assert [(one.total, one.done) for one in pages[0]] == [(1, 0)]
    with CaptureQueriesContext(connection) as asked:
        counted = [(one.name, one.size, one.replayed) for one in queries.datasets_counted(Dataset.objects.all())]  # type: ignore[attr-defined]
    assert counted == [("Second", 1, 0), ("First", 1, 2)] and "JOIN" not in asked[0]["sql"], "items times replays"
    # A key that may manage every team calls for its own: what was said here would stand in the log of another team.
    stranger = Actor("key", make.make_key(live.cast.team_b)[0].pk, "Of Team B")
    with pytest.raises(NotAllowed, match="take a key of Team A"):
        replays.plan(actor=stranger, dataset=first, model="support-chat")
    refused: list[str] = []

    def late() -> None:
        try:
            for work in (lambda: upload("Third"), lambda: start(second)):
                try:
                    work()
                except Conflict as refusal:
                    refused.append(refusal.message)
        finally:
            connection.close()

    with transaction.atomic():
        upload("Third")
        start(first)
        other = threading.Thread(target=late)
        other.start()
        time.sleep(0.3)
    other.join()
    assert refused == [
        "Team A has a dataset 'Third' already.",
        "3 replays of Team A are going on; wait for one of them or stop it.",
    ]


def test_functions_of_a_namespace_are_the_callers_to_run() -> None:
    def tools(*inner: Any) -> dict[str, Any]:
        return {"tools": [{"type": "namespace", "name": "crm", "tools": list(inner)}]}

    check_tools(tools({"type": "function", "name": "track"}, {"type": "custom", "name": "patch"}))
    for runs_there in ({"type": "web_search"}, {"type": []}, {"type": "namespace", "tools": []}):
        with pytest.raises(NotReplayable):
            check_tools(tools(runs_there))
    told = {"type": "function_call", "namespace": "crm", "name": "track", "arguments": "{}"}
    assert answers.read("response", json.dumps({"output": [told]}).encode()).tool_calls == [["crm__track", "{}"]]
