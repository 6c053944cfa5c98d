"""A dataset as examples to train a model with."""

import json

import pytest

from console.audit.models import AuditEvent
from console.evals.models import Dataset, DatasetItem
from console.evals.services.datasets import upload_dataset
from console.teams.actors import SYSTEM
from console.teams.models import Role
from tests import make
from tests.conftest import Cast
from tests.make import client_of

pytestmark = pytest.mark.django_db
LINES = [
    {"input": "How soon?", "system": "Be brief.", "expected": "Within a week."},
    {"input": "Nobody answered this"},
    {"variables": {"product": "Tent"}, "expected": "Sleep well."},
]


def a_dataset(cast: Cast) -> Dataset:
    text = "\n".join(map(json.dumps, LINES))
    made = upload_dataset(actor=SYSTEM, team=cast.team_a, name="Questions", text=text, form="jsonl")
    tools = [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}]
    asked = {"messages": [{"role": "user", "content": "Where is 17?"}]}
    called: dict = {"dataset": made, "body": asked | {"tools": tools}, "tool_calls": [["look_up", {"order": 17}]]}
    DatasetItem.objects.create(place=4, status="ok", **called)
    DatasetItem.objects.create(place=5, status="error", **called)
    DatasetItem.objects.create(place=6, status="ok", is_forgotten=True, **called)
    return made


def test_answered_items_become_examples_and_taking_them_is_recorded(cast: Cast) -> None:
    dataset = a_dataset(cast)
    client = client_of(cast.alice)
    page = f"/evaluations/datasets/{dataset.pk}/"
    assert f'href="{page}examples.jsonl"' in client.get(page).text
    response = client.get(f"{page}examples.jsonl")
    assert response["Content-Disposition"].startswith("attachment") and response["Cache-Control"] == "no-store"
    answered, called = map(json.loads, response.text.splitlines())
    assert answered == {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "How soon?"},
            {"role": "assistant", "content": "Within a week."},
        ]
    }
    (call,) = called["messages"][-1]["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == {"order": 17} and call["function"]["name"] == "look_up"
    assert called["tools"][0]["function"]["name"] == "look_up" and "content" not in called["messages"][-1]
    assert AuditEvent.objects.get(action="dataset.read").actor_id == cast.alice.pk


def test_messages_of_anthropics_shape_become_chat_completions(cast: Cast) -> None:
    made = upload_dataset(actor=SYSTEM, team=cast.team_a, name="Messages", text='{"input": "x"}', form="jsonl")
    tool = {"name": "look_up", "input_schema": {"type": "object"}}
    picture = {"type": "image", "source": {"type": "file", "file_id": "file_1"}}
    asked = {"max_tokens": 9, "system": "Be brief.", "messages": [{"role": "user", "content": "Where is 17?"}]}
    items = [asked | {"tools": [tool]}, asked | {"messages": [{"role": "user", "content": [picture]}]}]
    for place, body in enumerate(items, 2):
        DatasetItem.objects.create(
            dataset=made, place=place, operation="message", body=body, status="ok", expected="There."
        )
    page = f"/evaluations/datasets/{made.pk}/examples.jsonl"
    (only,) = map(json.loads, client_of(cast.alice).get(page).text.splitlines())
    assert only["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Where is 17?"},
        {"role": "assistant", "content": "There."},
    ]
    assert only["tools"] == [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}]


def test_it_is_for_those_who_may_read_content(cast: Cast) -> None:
    dataset = a_dataset(cast)
    page = f"/evaluations/datasets/{dataset.pk}/"
    carla = client_of(make.make_member(cast.team_a, role=Role.MEMBER))
    assert "examples.jsonl" not in carla.get(page).text
    assert carla.get(f"{page}examples.jsonl").status_code == 403
    assert client_of(cast.charlie).get(f"{page}examples.jsonl").status_code == 404
    DatasetItem.objects.exclude(place=2).delete()
    refused = client_of(cast.alice).get(f"{page}examples.jsonl")
    assert refused.status_code == 409 and "nothing to train on" in refused.text
    assert not AuditEvent.objects.filter(action="dataset.read").exists()
