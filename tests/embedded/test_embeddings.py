"""The built-in embeddings, as their own server and as a provider behind the whole pipeline."""

import math
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from console.audit.models import AuditEvent, Payload
from console.catalog.models import Provider
from console.catalog.services.builtin import EMBEDDINGS, ensure_builtin
from console.catalog.services.versions import create_version
from console.core.errors import BadInput
from console.embedded import embeddings, vocabulary
from console.teams.actors import SYSTEM
from tests import make, sdks
from tests.live import LiveServer

# "hello world" as clients with the vocabulary cl100k_base write it.
TOKENS = [15339, 1917]


@pytest.fixture(scope="module")
def local() -> Iterator[LiveServer]:
    server = LiveServer("console.embedded.embeddings:application").start()
    yield server
    server.stop()


@pytest.fixture
def sdk(server: LiveServer, local: LiveServer) -> Iterator[Any]:
    version = ensure_builtin(actor=SYSTEM, base_url=f"{local.url}/v1", builtin=EMBEDDINGS)
    make.make_alias("embed", production=version)
    _, text = make.make_key(make.make_team("Support"))
    with sdks.openai.OpenAI(base_url=f"{server.url}/v1", api_key=text, timeout=60, max_retries=0) as made:
        yield made


def alike(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def test_texts_that_mean_the_same_are_close(sdk: Any) -> None:
    answer = sdk.embeddings.create(model="embed", input=["refund please", "money back", "the weather in Oslo"])
    refund, money, weather = (row.embedding for row in answer.data)
    assert len(refund) == 256 and math.isclose(alike(refund, refund), 1, abs_tol=1e-5)
    assert alike(refund, money) > alike(refund, weather) + 0.2
    as_floats = sdk.embeddings.create(model="embed", input="refund please", encoding_format="float")
    assert alike(as_floats.data[0].embedding, refund) > 0.99999
    call = AuditEvent.objects.filter(type="embedding").earliest("at", "id")
    assert (call.model, call.status) == ("builtin-embeddings/wordllama-l2-256", "ok")
    assert call.prompt_tokens == answer.usage.prompt_tokens > 6
    kept = orjson.loads(Payload.objects.get(event_id=call.pk, kind="output").body)
    assert kept["embeddings"]["count"] == 3 and "data" not in kept


def test_token_lists_mean_the_text_they_stand_for(sdk: Any) -> None:
    text = "hello world"
    as_text = sdk.embeddings.create(model="embed", input=[text, text])
    for tokens in (TOKENS, [TOKENS, TOKENS]):
        assert sdk.embeddings.create(model="embed", input=tokens).data[0].embedding == as_text.data[0].embedding
    with pytest.raises(sdks.openai.BadRequestError, match="200000 is no token of cl100k_base"):
        sdk.embeddings.create(model="embed", input=[200_000])


def test_vectors_can_be_shorter(sdk: Any) -> None:
    short = sdk.embeddings.create(model="embed", input="refund please", dimensions=64).data[0].embedding
    assert len(short) == 64 and math.isclose(alike(short, short), 1, abs_tol=1e-5)
    with pytest.raises(sdks.openai.BadRequestError, match="dimensions must be one of 64, 128, 256"):
        sdk.embeddings.create(model="embed", input="refund please", dimensions=100)


def test_a_text_that_is_too_long_is_named(sdk: Any) -> None:
    with pytest.raises(sdks.openai.BadRequestError, match=r"Input 1 has .* tokens; this model reads 8,192"):
        sdk.embeddings.create(model="embed", input=["short", "word " * 9000])


def test_what_reaches_the_server_past_the_gateway() -> None:
    for raw in (b"{", b"[]", b"{}", b'{"input": 1}', b'{"input": [{}]}', b'{"input": ["a", 1]}'):
        with pytest.raises(embeddings.Refused):
            embeddings.answer(raw)
    assert orjson.loads(embeddings.answer(b'{"input": ""}'))["data"][0]["embedding"] == [0.0] * 256
    assert vocabulary.text_of([15339, 100257, 1917]) == "hello world"


@pytest.mark.django_db
def test_it_offers_nothing_else() -> None:
    provider = Provider.objects.create(slug="words", name="Words", kind="wordllama", base_url="http://127.0.0.1:9/v1")
    with pytest.raises(BadInput, match="does not offer chat"):
        create_version(actor=SYSTEM, provider=provider, name="chatty", capabilities=["chat"])
