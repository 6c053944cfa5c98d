"""Pictures in calls: counted by their size and not by their bytes, and sent to models that look at them."""

import base64
import json
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from console.audit import actions
from console.audit.services import record
from console.core.pictures import MOST_TOKENS, Picture, pictures_in
from console.teams.actors import SYSTEM
from tests.gateway.conftest import World
from usage_app.services.quotas import change_quota, set_quota

HEADERS = {"anthropic-version": "2023-06-01"}


def data_of(size: tuple[int, int], form: str = "PNG", **more: Any) -> str:
    out = BytesIO()
    Image.new("RGB", size, "red").save(out, form, **more)
    return base64.b64encode(out.getvalue()).decode()


def asked(data: str) -> dict[str, dict[str, Any]]:
    """The same picture as each of the three routes takes it, and the field that holds it."""
    url = f"data:image/png;base64,{data}"
    source = {"type": "base64", "media_type": "image/png", "data": data}
    result = {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "image", "source": source}]}
    call = {"type": "tool_use", "id": "a", "name": "look", "input": {}}
    turns = [{"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    return {
        "/v1/chat/completions": {
            "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]
        },
        "/v1/messages": {"max_tokens": 10, "messages": turns},
        "/v1/responses": {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": url}]}]},
    }


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP"])
def test_its_size_is_read_from_its_first_bytes(form: str) -> None:
    more = {"exif": b"Exif\0\0" + b"\0" * 60_000} if form == "JPEG" else {}
    for (width, height), tokens in {(100, 60): 255, (1024, 1024): 2_560, (2400, 1600): MOST_TOKENS}.items():
        assert Picture("", data_of((width, height), form, **more), "").tokens == tokens
    assert form != "WEBP" or Picture("", data_of((700, 700), form, lossless=True), "").tokens == 22 * 22 * 5 // 2
    whole = data_of((1024, 1024), form, **more)
    for wrong in (whole[:8], "AAAA", "é", whole[:8] + "A" * 4000, ""):
        assert Picture("", wrong, "").tokens == MOST_TOKENS


def test_pictures_are_found_wherever_they_may_stand() -> None:
    odd = [{"type": "image"}, {"type": "image_url", "image_url": 7}, {"type": "input_image", "file_id": "file-1"}, 3]
    bodies = asked("QUJD")
    said = [turn for body in bodies.values() for name in ("messages", "input") for turn in body.get(name, ())]
    found = list(pictures_in([*said, {"output": odd}, 7]))
    assert [(one.data, one.address) for one in found] == [("QUJD", "")] * 3 + [("", "")] * 2 + [("", "file-1")]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/responses"])
def test_a_large_one_sets_aside_what_it_may_be_and_no_more(client, world: World, path: str) -> None:
    """1,024 pixels square are 2,560 tokens at most; a quarter of the letters would be 250,000."""
    large = data_of((1024, 1024)) + "A" * 1_000_000
    body = {"model": "support-chat", **asked(large)[path]}
    body["max_output_tokens" if path == "/v1/responses" else "max_tokens"] = 10
    quota = set_quota(actor=SYSTEM, team=world.team, metric="tokens", window="month", limit=2_500)
    for limit, status in ((2_500, 429), (2_700, 200)):
        change_quota(actor=SYSTEM, quota=quota, limit=limit)
        answer = client.post(path, json=body, headers=HEADERS)
        assert answer.status_code == status, answer.text


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/responses"])
def test_a_model_that_does_not_look_at_pictures_is_not_sent_any(client, world: World, path: str) -> None:
    world.model.capabilities = ["chat", "tools"]
    world.model.save(update_fields=["capabilities"])
    record(actions.MODEL_CHANGED, actor=SYSTEM, target=world.model)
    body = {"model": "support-chat", "max_tokens": 10, **asked(data_of((9, 9)))[path]}
    if path == "/v1/responses":
        body["max_output_tokens"] = body.pop("max_tokens")
    hidden = json.dumps(body).replace('"image', '"im\\u0061ge').replace('"input_image', '"input_im\\u0061ge')
    for content in (json.dumps(body), hidden):
        answer = client.post(path, content=content, headers=HEADERS | {"content-type": "application/json"})
        error = answer.json()["error"]
        assert answer.status_code == 400 and "'support-chat' does not accept images" in error["message"], error
    assert "an operator ticks Vision on the model's page" in error["message"] and not world.upstream.seen
    if path == "/v1/responses":
        assert error["param"] == "input"
        said = {"type": "message", "role": "user", "content": "What is an image?"}
        assert client.post(path, json={**body, "input": [said]}).status_code == 200, "words about one are words"
    assert {line.status for line in world.calls()} <= {"refused", "ok"}
