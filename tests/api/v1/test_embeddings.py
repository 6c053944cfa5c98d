"""Embeddings: OpenAI's client in both encodings, token lists as LangChain sends them, and what the log keeps."""

import base64
import hashlib
import struct
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from console.audit.models import Payload
from console.teams.actors import SYSTEM
from tests import make, sdks
from usage_app.services.quotas import set_quota

VECTORS = [[0.25, -0.5, 1.0], [0.0, 0.125, -2.0]]
PACKED = [struct.pack("<3f", *vector) for vector in VECTORS]


def vectors(*data: Any, **more: Any) -> dict[str, Any]:
    rows = [{"object": "embedding", "index": i, "embedding": e} for i, e in enumerate(data)]
    usage = {"prompt_tokens": 7, "total_tokens": 7}
    return {"object": "list", "data": rows, "model": "fake-embed", "usage": usage, **more}


def as_base64() -> list[str]:
    return [base64.b64encode(packed).decode() for packed in PACKED]


@pytest.fixture(autouse=True)
def embed(world) -> Iterator[None]:
    model = make.make_model("fake-embed", provider=world.provider, capabilities=["embedding"], price=("0.02", "0"))
    make.make_alias("embed", production=model)
    yield


def kept(call) -> dict[str, Any]:
    return orjson.loads(Payload.objects.get(event_id=call.pk, kind="output").body)


def test_both_encodings_whatever_the_provider_writes(sdk, client, world):
    for written in (VECTORS, as_base64()):
        world.upstream.enqueue(vectors(*written))
        answer = sdk.embeddings.create(model="embed", input=["one", "two"])  # the client asks for base64 by itself
        assert [item.embedding for item in answer.data] == VECTORS and answer.usage.total_tokens == 7
        assert world.upstream.seen[-1].body["encoding_format"] == "base64"
        for encoding, expected in (("float", VECTORS), ("base64", as_base64())):
            world.upstream.enqueue(vectors(*written))
            body = {"model": "embed", "input": ["one", "two"], "encoding_format": encoding, "dimensions": 3}
            found = client.post("/v1/embeddings", json=body)
            assert [row["embedding"] for row in found.json()["data"]] == expected
    assert world.upstream.seen[-1].body["dimensions"] == 3 and world.upstream.seen[-1].path == "/v1/embeddings"
    assert found.headers["x-facet-model-version"] == "fake/fake-embed" and found.headers["x-facet-cost"] == "0.000001"


async def test_they_come_in_the_order_of_the_texts(async_sdk, world):
    found = vectors(*VECTORS)
    world.upstream.enqueue({**found, "data": found["data"][::-1]})
    answer = await async_sdk.embeddings.create(model="embed", input=["one", "two"])
    assert [(item.index, item.embedding) for item in answer.data] == [(0, VECTORS[0]), (1, VECTORS[1])]


def test_the_log_keeps_shape_and_digest_and_no_numbers(sdk, world):
    world.upstream.enqueue(vectors(*VECTORS))
    sdk.embeddings.create(model="embed", input=["one", "two"])
    call = world.calls()[-1]
    assert (call.type, call.route, call.status, call.prompt_tokens) == ("embedding", "/v1/embeddings", "ok", 7)
    digest = hashlib.sha256(b"".join(PACKED)).hexdigest()
    shape = {"count": 2, "dimensions": 3, "encoding_format": "base64", "sha256": digest}
    assert kept(call)["embeddings"] == shape and "data" not in kept(call)
    assert '"two"' in Payload.objects.get(event_id=call.pk, kind="input").body


def test_a_repeated_request_gets_the_same_vectors(sdk, world):
    world.upstream.enqueue(vectors(*VECTORS))
    for _ in range(2):
        raw = sdk.embeddings.with_raw_response.create(
            model="embed", input=["one", "two"], extra_headers={"Idempotency-Key": "once"}
        )
        assert [item.embedding for item in raw.parse().data] == VECTORS
    assert raw.headers["x-facet-idempotent-replay"] == "true" and len(world.upstream.seen) == 1


def test_token_lists_pass_to_a_real_provider_and_are_counted(sdk, world):
    set_quota(actor=SYSTEM, team=world.team, metric="tokens", window="day", limit=10)
    for tokens in ([5, 6, 7], [[5, 6], [7]]):
        world.upstream.enqueue(
            vectors(*VECTORS[: 1 if tokens[0] == 5 else 2], usage={"prompt_tokens": 3, "total_tokens": 3})
        )
        sdk.embeddings.create(model="embed", input=tokens)
        assert world.upstream.seen[-1].body["input"] == tokens
    with pytest.raises(sdks.openai.RateLimitError) as refused:  # six of ten are used
        sdk.embeddings.create(model="embed", input=[5, 6, 7, 8, 9])
    assert refused.value.code == "insufficient_quota"


def test_an_answer_that_is_none(sdk, world):
    broken = [
        b"[]",
        {"data": []},
        vectors(VECTORS[0]),
        vectors(VECTORS[0], VECTORS[1][:2]),
        vectors(VECTORS[0], ["x"]),
        vectors("AAA=", "AAAA"),
        vectors("!", "!"),
        vectors(*VECTORS, data=[{"index": 1, "embedding": VECTORS[0]}] * 2),
    ]
    for answer in broken:
        world.upstream.enqueue(answer)
        world.forgive()
        with pytest.raises(sdks.openai.InternalServerError) as failed:
            sdk.embeddings.create(model="embed", input=["one", "two"])
        assert failed.value.status_code == 502 and failed.value.code == "upstream_invalid"


def test_headers_and_redaction_are_those_of_every_call(client, world):
    set_quota(actor=SYSTEM, team=world.team, metric="requests", window="minute", limit=10)
    world.upstream.enqueue(vectors(VECTORS[0]))
    secret = "sk-proj-" + "a1B2" * 12
    body = {"model": "embed", "input": f"my key is {secret}", "pooling": "mean", "metadata": {"a": "b"}}
    answer = client.post("/v1/embeddings", json=body)
    sent = world.upstream.seen[0].body
    assert sent["pooling"] == "mean" and "metadata" not in sent
    assert answer.headers["x-facet-dropped-fields"] == "metadata"
    assert answer.headers["x-ratelimit-remaining-requests"] == "9" and answer.json()["data"][0]["index"] == 0
    assert secret not in Payload.objects.get(event_id=world.calls()[-1].pk, kind="input").body
    assert world.calls()[-1].first_token_us is None
    for path in ("/v1/embeddings", "/v1/completions"):
        refused = client.get(path)
        assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
        assert refused.json()["error"]["code"] == "method_not_allowed"
