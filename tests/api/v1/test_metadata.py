"""What a call was for: what clients label it with, on its line."""

import json

import pytest

from console.audit.models import Payload
from console.batches.models import Batch
from tests import sdks

CHAT = {"model": "support-chat", "messages": [{"role": "user", "content": "Hello?"}]}
MESSAGE = {**CHAT, "max_tokens": 200}
RESPONSE = {"model": "support-chat", "input": "Hello?"}
BOOKS = {"project": "books", "tier": "gold"}
HEADER = "X-Facet-Metadata"


def headed(value) -> dict[str, str]:
    return {HEADER: value if isinstance(value, str | bytes) else json.dumps(value)}


def kept(world) -> list[dict[str, str] | None]:
    return [line.metadata for line in world.calls()]


def test_openais_client_says_it_in_the_body(sdk, world):
    sdk.chat.completions.create(**CHAT, metadata=BOOKS)
    list(sdk.chat.completions.create(**CHAT, metadata={"project": "films"}, stream=True))
    sdk.responses.create(**RESPONSE, metadata=BOOKS)
    sdk.chat.completions.create(**CHAT)
    sdk.chat.completions.create(**CHAT, metadata={})
    assert kept(world) == [BOOKS, {"project": "films"}, BOOKS, None, None]
    assert all("metadata" not in seen.body for seen in world.upstream.seen), "it is for our log, not for a provider"


def test_what_has_no_field_says_it_in_a_header(sdk, anthropic_sdk, world):
    world.model.capabilities = ["chat", "completion", "embedding"]
    world.model.save()
    choice = {"index": 0, "text": "Hi", "finish_reason": "stop"}
    world.upstream.enqueue({"id": "1", "object": "text_completion", "created": 1, "model": "m", "choices": [choice]})
    sdk.completions.create(model="support-chat", prompt="Hello?", extra_headers=headed(BOOKS))
    world.upstream.enqueue({"object": "list", "data": [{"index": 0, "embedding": [0.5]}], "usage": {}, "model": "m"})
    sdk.embeddings.create(
        model="support-chat", input="Hello?", encoding_format="float", extra_headers=headed({"project": "b\u00fccher"})
    )
    whose = {"user_id": "customer-1"}
    anthropic_sdk.messages.create(**MESSAGE, metadata=whose, extra_headers=headed(BOOKS))
    anthropic_sdk.messages.create(**MESSAGE, metadata=whose)
    assert kept(world) == [BOOKS, {"project": "b\u00fccher"}, BOOKS, None]


def test_of_what_both_say_the_bodys_counts(client, world):
    said = {"metadata": {"project": "books"}}
    client.post("/v1/chat/completions", json=CHAT | said, headers=headed({"project": "films", "tier": "gold"}))
    raw = {HEADER: '{"project": "b\u00fccher"}'.encode()}
    client.post("/v1/chat/completions", json=CHAT, headers=raw)
    assert kept(world) == [BOOKS, {"project": "b\u00fccher"}]


def test_a_refused_call_has_it_too(sdk, world):
    for more in ({"model": "nobody", "metadata": BOOKS}, {"n": 99, "extra_headers": headed(BOOKS)}):
        with pytest.raises(sdks.openai.APIStatusError):
            sdk.chat.completions.create(**{**CHAT, **more})
    assert kept(world) == [BOOKS, BOOKS]


@pytest.mark.parametrize(
    ("said", "is_kept"),
    [
        ({" project\n": "  books "}, {"project": "books"}),
        ({"": "books", "  ": "films"}, None),
        ({"project": ""}, {"project": ""}),
        ({"<b>": "=1+1\t\x07\u202e\U0001f984"}, {"<b>": "=1+1\t\x07\u202e\U0001f984"}),
        ({"token": "sk-proj-" + "a1B2" * 12}, {"token": "[redacted]"}),
        ({f"{n:064}": "x" * 512 for n in range(16)}, {f"{n:064}": "x" * 512 for n in range(16)}),
        ({"password": "books", "Api_Key": "films", "a": "b"}, {"a": "b"}),
    ],
    ids=["spaces", "no name", "no text", "odd letters", "a secret", "as much as there may be", "redacted names"],
)
def test_what_is_kept_of_it(ask, world, said, is_kept):
    assert ask(metadata=said).status_code == 200
    assert ask(headers=headed(said)).status_code == 200
    assert kept(world) == [is_kept, is_kept]


NOT_LABELS = [
    ["a"],
    "a",
    7,
    {"project": 7},
    {"project": None},
    {"project": {"name": "books"}},
    {str(n): "x" for n in range(17)},
    {"x" * 65: "x"},
    {"x": "x" * 513},
]


@pytest.mark.parametrize("value", NOT_LABELS, ids=lambda value: str(value)[:20])
def test_what_is_no_label_is_refused_by_name(sdk, client, world, value):
    for create, body in (
        (sdk.chat.completions.create, CHAT),
        (sdk.responses.create, RESPONSE),
        (sdk.completions.create, {"model": "support-chat", "prompt": "Hello?"}),
        (sdk.embeddings.create, RESPONSE),
    ):
        with pytest.raises(sdks.openai.BadRequestError) as refused:
            create(**body, extra_body={"metadata": value})
        assert (refused.value.param, refused.value.type) == ("metadata", "invalid_request_error")
    refused = client.post("/v1/chat/completions", json=CHAT, headers=headed(json.dumps(value)))
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "x-facet-metadata")
    assert world.upstream.seen == [] and set(map(str, kept(world))) == {"None"}


@pytest.mark.parametrize(
    "raw",
    [b"", b"project=books", b"{", b'{"a": "b"} x', b'{"a": "b", "a": "c"}', b'{"a": "\\u0000"}', b'{"a": "\xff"}'],
)
def test_a_malformed_header_is_refused(client, anthropic_sdk, world, raw):
    refused = client.post("/v1/chat/completions", json=CHAT, headers={HEADER: raw})
    error = refused.json()["error"]
    assert (refused.status_code, error["param"], error["code"]) == (400, "x-facet-metadata", "invalid_request")
    assert "x-facet-metadata" in error["message"] and "body" not in error["message"]
    with pytest.raises(sdks.anthropic.BadRequestError, match="x-facet-metadata"):
        anthropic_sdk.messages.create(**MESSAGE, extra_headers={HEADER: raw.decode("ascii", "ignore") + "x"})
    assert world.upstream.seen == []
    assert {(line.status, line.http_status) for line in world.calls()} == {("refused", 400)}


def test_body_and_header_have_one_limit(client, world):
    many = {f"a{n}": "x" for n in range(9)}
    said = {f"b{n}": "x" for n in range(8)}
    refused = client.post("/v1/chat/completions", json={**CHAT, "metadata": said}, headers=headed(many))
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "x-facet-metadata")
    assert "together" in refused.json()["error"]["message"]
    less = {**CHAT, "metadata": {**said, "a0": "y"}}
    del less["metadata"]["b0"]
    assert client.post("/v1/chat/completions", json=less, headers=headed(many)).status_code == 200


def test_redaction_covers_it(ask, world, settings):
    """A server of the same process: the setting holds there as well."""
    settings.AUDIT_REDACT_FIELDS = ["Project"]
    ask(metadata=BOOKS)
    settings.AUDIT_REDACT_FIELDS = ["metadata"]
    ask(metadata=BOOKS, headers=headed(BOOKS))
    assert kept(world) == [{"tier": "gold"}, None]
    assert "books" not in Payload.objects.filter(kind="input").earliest("event_id").body


def test_a_batch_says_it_in_body_and_header(client, world):
    text = json.dumps({"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": CHAT})
    file = client.post("/v1/files", files={"file": ("a.jsonl", text)}, data={"purpose": "batch"}).json()["id"]
    body = {"input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    head = headed({"project": "films", "tier": "gold"})
    made = client.post("/v1/batches", json={**body, "metadata": {"project": "books"}}, headers=head)
    assert made.json()["metadata"] == BOOKS == Batch.objects.get().metadata
    for value in NOT_LABELS:
        refused = client.post("/v1/batches", json={**body, "metadata": value}, headers=head)
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "metadata")
