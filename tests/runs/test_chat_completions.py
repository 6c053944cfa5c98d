"""`model="agent:clerk"` of an agent with tools, as OpenAI's clients ask it: a run is started, its last word answers."""

import json
import threading
from collections.abc import Callable, Iterator

import httpx2 as httpx
import pytest
from django.db import connections

from agents_app.engine import lease, runner
from agents_app.models import Agent, Run
from console.api.v1 import rows
from console.audit.models import AuditEvent
from console.core.errors import Unavailable
from console.teams.actors import SYSTEM
from console.teams.services.keys import rotate_key
from tests import make, sdks
from tests.gateway.conftest import ask, client  # noqa: F401
from tests.runs.conftest import Shop
from tests.runs.counting import counted
from tests.runs.scripts import wants, words
from tests.waiting import until
from usage_app.models import EndUserCounter
from usage_app.services.quotas import set_quota

Ask = Callable[..., httpx.Response]


@pytest.fixture(autouse=True)
def worker(shop: Shop) -> Iterator[None]:
    """Take whatever run there is further, as a worker would."""
    over = threading.Event()

    def work() -> None:
        while not over.wait(0.03):
            if (run := lease.take_any()) is not None:
                runner.work(run)
        connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    yield
    over.set()
    thread.join(60)


def test_it_answers_with_the_last_word_of_a_run(shop: Shop, ask: Ask) -> None:  # noqa: F811
    shop.says(wants(("count", {"what": "apples", "says": "seven"})), words("Seven apples."))
    response = ask("How many?", model="agent:clerk", temperature=0, tools=None, guided_regex="a+", n=1)
    assert response.headers.get("x-facet-dropped-fields") == "guided_regex, temperature", response.text
    answer, run = response.json(), Run.objects.get()
    assert response.status_code == 200, response.text
    assert answer["choices"][0] == {
        "index": 0,
        "message": {"role": "assistant", "content": "Seven apples.", "refusal": None},
        "logprobs": None,
        "finish_reason": "stop",
    }
    assert (answer["object"], answer["model"], answer["usage"]["total_tokens"]) == (
        "chat.completion",
        "agent:clerk",
        56,
    )
    assert response.headers["x-facet-run"] == run.public_id and counted(shop.file) == {"apples": 1}
    assert (run.trigger, run.actor_kind, run.actor_id, run.input) == (
        "chat", "key", shop.world.key.pk, {"message": "How many?"},
    )  # fmt: skip
    lines = AuditEvent.objects.filter(client_request_id=run.public_id)
    assert {line.key_id for line in lines} == {shop.world.key.pk} and lines.count() == 3

    shop.says(words("Once more."))
    before = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    stream = ask(model="agent:clerk", stream=True, messages=[*before, {"role": "user", "content": "Again?"}])
    events = [line.removeprefix("data: ") for line in stream.text.splitlines() if line.startswith("data: ")]
    assert events[-1] == "[DONE]" and json.loads(events[0])["choices"][0]["delta"]["content"] == "Once more."
    said = Run.objects.latest("created_at", "id").input["message"]
    assert said.endswith("Now:\n\nAgain?") and "assistant: Hello" in said

    make.make_agent(shop.world.team, "newcomer", grants=[{"tool": "count"}])
    shop.says(words("Here I am."))
    assert ask("Who?", model="agent:newcomer").status_code == 200
    assert not AuditEvent.objects.filter(status="refused").exists(), "that it needs a run is no refusal"


def test_one_that_waits_for_a_person_says_so_and_one_that_fails_is_not_tried_again(shop: Shop, ask: Ask) -> None:  # noqa: F811
    shop.says(wants(("pay", {"what": "rent"})))
    answer = ask("Pay.", model="agent:clerk").json()
    run = Run.objects.get()
    assert run.state == "waiting" and run.public_id in answer["choices"][0]["message"]["content"]
    assert "a person's decision about pay" in answer["choices"][0]["message"]["content"]

    make.publish_agent(shop.agent, limits={"steps": 1})
    shop.says(wants(("count", {"what": "pears"})))
    failed = ask("Count.", model="agent:clerk")
    assert (failed.status_code, failed.json()["error"]["code"]) == (422, "limit_reached")
    assert "1 steps" in failed.json()["error"]["message"] and failed.headers["x-facet-run"].startswith("run_")


def test_who_waits_waits_for_the_database_too(shop: Shop, ask: Ask, client: httpx.Client, monkeypatch) -> None:  # noqa: F811
    """A 503 is tried again by clients themselves, which would start another run."""
    monkeypatch.setattr(rows, "AWAY_SECONDS", 0.01)
    read, is_there = rows.with_database, iter([True, False, False])

    def read_now_and_then(work: Callable[..., object], *given: object, **named: object) -> object:
        if not next(is_there, True):
            raise Unavailable("The database is away.")
        return read(work, *given, **named)

    monkeypatch.setattr(rows, "with_database", read_now_and_then)
    shop.says(words("Seven apples."))
    assert ask("How many?", model="agent:clerk").status_code == 200
    is_there = iter([True, False, False])
    shop.says(words("Eight apples."))
    made = client.post("/v1/agents/clerk/runs", json={"input": {"message": "How many?"}, "wait": 60})
    assert (made.status_code, made.json()["status"], Run.objects.count()) == (200, "succeeded", 2)


def test_the_same_key_of_a_request_finds_the_run_it_started(shop: Shop, ask: Ask) -> None:  # noqa: F811
    shop.says(words("Once."))
    headers = {"Idempotency-Key": "order-17"}
    answers = [ask("Count.", model="agent:clerk", headers=headers).json() for _ in range(2)]
    assert answers[0] == answers[1] and Run.objects.count() == 1 and len(shop.world.upstream.seen) == 1
    headers["Authorization"] = f"Bearer {rotate_key(actor=make.SYSTEM, key=shop.world.key)[1]}"
    assert ask("Count.", model="agent:clerk", headers=headers).json() == answers[0] and Run.objects.count() == 1
    other = ask("Something else.", model="agent:clerk", headers=headers)
    assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_key_reused")
    headers["Idempotency-Key"] = "order-18"
    shop.says(words("Twice."))
    statuses = [ask("Count.", model="agent:clerk", headers=headers, user=name).status_code for name in ("ann", "ben")]
    assert statuses == [200, 422], "an answer is its end user's"


def test_it_refuses_what_a_run_cannot_take_on_record(shop: Shop, ask: Ask) -> None:  # noqa: F811
    picture = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x.example/a.png"}}]}
    for more, status, code in (
        ({"tools": [{"type": "function", "function": {"name": "mine"}}]}, 400, "invalid_request"),
        ({"n": 2}, 400, "invalid_request"),
        ({"messages": [picture]}, 400, "invalid_request"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, 400, "invalid_request"),
        ({"headers": {"Authorization": "Bearer fk_live_nothing"}}, 401, "invalid_api_key"),
    ):
        response = ask(**{"model": "agent:clerk", **more})
        assert (response.status_code, response.json()["error"]["code"]) == (status, code), response.text
    Agent.objects.filter(pk=shop.agent.pk).update(audience="team")
    _, text = make.make_key(make.make_team("Others"))
    stranger = ask(model="agent:clerk", headers={"Authorization": f"Bearer {text}"})
    nothing = ask(model="agent:nothing", headers={"Authorization": f"Bearer {text}"})
    assert stranger.status_code == nothing.status_code == 404
    assert stranger.text.replace("clerk", "nothing") == nothing.text
    with_tools = {"tools": [{"type": "function", "function": {"name": "mine"}}]}
    probing = ask(model="agent:clerk", headers={"Authorization": f"Bearer {text}"}, **with_tools)
    assert probing.status_code == 404
    assert not Run.objects.exists()
    assert AuditEvent.objects.filter(status="refused", type__in=["agent", "chat"]).count() >= 5


def test_it_answers_as_a_response_too(shop: Shop, client: httpx.Client) -> None:  # noqa: F811
    """With OpenAI's own client: waited for, in the background, streamed, gone on from, cancelled."""
    base, key = f"{client.base_url}/v1/", shop.world.key_text
    shop.says(wants(("count", {"what": "apples", "says": "seven"})), words("Seven apples."), words("As I said."))
    with sdks.openai.OpenAI(base_url=base, api_key=key, max_retries=0) as sdk:
        raw = sdk.responses.with_raw_response.create(
            model="agent:clerk", input="How many?", instructions="Be brief.", temperature=0, metadata={"ticket": "7"}
        )
        whole, run = raw.parse(), Run.objects.get()
        assert (whole.output_text, whole.status, whole.usage.total_tokens) == ("Seven apples.", "completed", 56)
        assert (raw.headers["x-facet-run"], raw.headers["x-facet-dropped-fields"]) == (run.public_id, "temperature")
        assert run.input["message"].endswith("Now:\n\nHow many?") and "system: Be brief." in run.input["message"]
        assert sdk.responses.retrieve(whole.id).model_dump() == whole.model_dump() and whole.metadata == {"ticket": "7"}

        once = {"Idempotency-Key": "once"}
        further = {"model": "agent:clerk", "input": "Sure?", "previous_response_id": whole.id, "background": True}
        made, same = (sdk.responses.create(**further, extra_headers=once) for _ in range(2))
        assert made.id == same.id and made.background and Run.objects.count() == 2
        events = list(sdk.responses.retrieve(made.id, stream=True))
        assert [event.sequence_number for event in events] == list(range(len(events)))
        assert (events[1].type, events[-1].type) == ("response.queued", "response.completed")
        assert list(sdk.responses.retrieve(made.id, stream=True, starting_after=3)) == events[4:]
        assert sdk.responses.retrieve(made.id).output_text == "As I said."
        said = Run.objects.latest("created_at", "id").input["message"]
        assert "user: How many?" in said and "assistant: Seven apples." in said and "Be brief" not in said
        assert [item.content[0].text for item in sdk.responses.input_items.list(made.id)] == ["Sure?"]

        # One that asks a person: who waits is told so, who does not sees it go on.
        shop.says(wants(("pay", {"what": "rent"})), wants(("pay", {"what": "rent"})))
        told = list(sdk.responses.create(model="agent:clerk", input="Pay.", stream=True))
        assert told[-1].type == "response.incomplete" and "decision about pay" in told[-1].response.output_text
        made = sdk.responses.create(model="agent:clerk", input="Pay.", background=True)
        waiting = Run.objects.latest("created_at", "id")
        until(lambda: Run.objects.get(pk=waiting.pk).state == "waiting", "it waits")
        seen = sdk.responses.retrieve(made.id)
        assert (seen.status, seen.output, seen.to_dict()["facet"]["waits_for"]) == ("in_progress", [], "pay")
        for _ in range(2):
            assert sdk.responses.cancel(made.id).status == "cancelled"
        assert sdk.responses.retrieve(made.id).status == "cancelled" == Run.objects.get(pk=waiting.pk).state
        assert list(sdk.responses.retrieve(made.id, stream=True))[-1].type == "response.failed"

        make.publish_agent(shop.agent, limits={"steps": 1})
        shop.says(*[wants(("count", {"what": "pears"}))] * 2)
        with pytest.raises(sdks.openai.UnprocessableEntityError) as failed:
            sdk.responses.create(model="agent:clerk", input="Count.")
        assert failed.value.code == "limit_reached"
        (*_, last) = sdk.responses.create(model="agent:clerk", input="Count.", stream=True)
        assert last.response.error.code == "limit_reached"
        assert sdk.responses.retrieve(last.response.id).status == "failed"

        picture = [{"role": "user", "content": [{"type": "input_image", "image_url": "https://x.example/a.png"}]}]
        for more, param in (
            ({"tools": [{"type": "function", "name": "mine"}]}, "tools"),
            ({"input": picture}, "input[0].content"),
            ({"text": {"format": {"type": "json_object"}}}, "text.format"),
        ):
            with pytest.raises(sdks.openai.BadRequestError) as refused:
                sdk.responses.create(**{"model": "agent:clerk", "input": "x", **more})
            assert refused.value.param == param
        sdk.responses.delete(whole.id)
        with pytest.raises(sdks.openai.NotFoundError):
            sdk.responses.retrieve(whole.id)
    _, stranger = make.make_key(make.make_team("Others"))
    Agent.objects.filter(pk=shop.agent.pk).update(audience="team")
    head = {"Authorization": f"Bearer {stranger}"}
    assert client.get(f"/v1/responses/{made.id}", headers=head).status_code == 404
    asked = {"model": "agent:clerk", "input": picture, "background": True}
    assert client.post("/v1/responses", json=asked, headers=head).status_code == 404


def test_all_that_a_run_calls_is_its_end_users(shop: Shop, ask: Ask) -> None:  # noqa: F811
    shop.says(wants(("count", {"what": "apples", "says": "seven"})), words("Seven apples."))
    said = {"user": "customer-1", "metadata": {"project": "books"}}
    assert ask("How many?", model="agent:clerk", **said).status_code == 200
    assert (Run.objects.get().end_user, Run.objects.get().metadata) == ("customer-1", {"project": "books"})
    lines = AuditEvent.objects.filter(surface="agent", type__in=["agent", "tool"])
    assert {(line.type, line.end_user) for line in lines} == {("agent", "customer-1"), ("tool", "customer-1")}
    assert all(line.metadata == {"project": "books"} for line in lines)


def test_an_end_user_of_an_agent_has_a_limit_for_itself(shop: Shop, ask: Ask) -> None:  # noqa: F811
    set_quota(
        actor=SYSTEM,
        team=shop.world.team,
        agent="clerk",
        metric="requests",
        window="day",
        limit=2,
        each_end_user=True,
    )
    statuses = []
    for name in ("customer-1", "customer-1", "customer-2"):
        shop.says(wants(("count", {"what": "apples", "says": "seven"})), words("Seven apples."))
        statuses.append(ask("How many?", model="agent:clerk", user=name).status_code)
        shop.world.upstream.script.clear()
    used = EndUserCounter.objects.order_by("end_user").values_list("end_user", "used", "reserved")
    assert list(used) == [("customer-1", 2, 0), ("customer-2", 2, 0)]
    assert statuses[0] == statuses[2] == 200 != statuses[1]
    refused = AuditEvent.objects.get(surface="agent", status="refused")
    assert (refused.code, refused.end_user) == ("insufficient_quota", "customer-1")
