"""Whose call it was: what clients call their own users, on the line of each call."""

import hashlib

import pytest

from console.audit.models import Payload
from tests import sdks

CHAT = {"model": "support-chat", "messages": [{"role": "user", "content": "Hello?"}]}
MESSAGE = {**CHAT, "max_tokens": 200}


def whose(world) -> list[str]:
    return [line.end_user for line in world.calls()]


def test_openais_client_says_it_in_every_operation(sdk, world):
    sdk.chat.completions.create(**CHAT, user="customer-1")
    sdk.chat.completions.create(**CHAT, user="customer-1", safety_identifier="safe-1")
    list(sdk.chat.completions.create(**CHAT, user="customer-2", stream=True))
    sdk.responses.create(model="support-chat", input="Hello?", safety_identifier="safe-2")
    sdk.responses.create(model="support-chat", input="Hello?", user="customer-3")
    sdk.chat.completions.create(**CHAT)
    assert whose(world) == ["customer-1", "safe-1", "customer-2", "safe-2", "customer-3", ""]
    assert world.upstream.seen[0].body["user"] == "customer-1", "the provider is told as before"


def test_anthropics_client_says_it_in_metadata(anthropic_sdk, world):
    anthropic_sdk.messages.create(**MESSAGE, metadata={"user_id": "customer-1"})
    anthropic_sdk.messages.create(**MESSAGE)
    assert whose(world) == ["customer-1", ""]


def test_a_refused_call_has_it_too(sdk, world):
    for more in ({"model": "nobody"}, {"model": "support-chat", "n": 99}):
        with pytest.raises(sdks.openai.APIStatusError):
            sdk.chat.completions.create(**{**CHAT, **more}, user="customer-1")
    refused = [line for line in world.calls() if line.code == "model_not_found"]
    assert [line.end_user for line in refused] == ["customer-1"]


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("  customer 1\n", "customer 1"),
        ("   ", ""),
        ("", ""),
        (None, ""),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("=1+1\t\x07\u202e🦄", "=1+1\t\x07\u202e🦄"),
        ("x" * 10_000, hashlib.sha256(b"x" * 10_000).hexdigest()),
        ("sk-proj-" + "a1B2" * 12, "[redacted]"),
    ],
    ids=["spaces", "only spaces", "empty", "null", "markup", "odd letters", "10 KB", "a secret"],
)
def test_what_is_kept_of_it(ask, world, said, kept):
    assert ask(user=said).status_code == 200
    assert whose(world) == [kept]


@pytest.mark.parametrize("value", [42, 1.5, True, ["a"], {"id": "a"}], ids=str)
def test_what_is_no_text_is_refused_by_name(sdk, anthropic_sdk, world, value):
    for create, body, param in (
        (sdk.chat.completions.create, CHAT, "user"),
        (sdk.chat.completions.create, CHAT, "safety_identifier"),
        (sdk.responses.create, {"model": "support-chat", "input": "Hello?"}, "user"),
        (sdk.responses.create, {"model": "support-chat", "input": "Hello?"}, "safety_identifier"),
        (sdk.completions.create, {"model": "support-chat", "prompt": "Hello?"}, "user"),
        (sdk.embeddings.create, {"model": "support-chat", "input": "Hello?"}, "user"),
    ):
        with pytest.raises(sdks.openai.BadRequestError) as refused:
            create(**body, extra_body={param: value})
        assert refused.value.param == param and refused.value.type == "invalid_request_error"
    with pytest.raises(sdks.anthropic.BadRequestError, match=r"metadata\.user_id must be a text"):
        anthropic_sdk.messages.create(**MESSAGE, extra_body={"metadata": {"user_id": value}})
    assert world.upstream.seen == [] and set(whose(world)) == {""}


def test_a_nul_is_refused_or_shown(client, world):
    body = '{"model":"support-chat","messages":[{"role":"user","content":"Hi"}],"user":"a\\u0000b"}'
    response = client.post("/v1/chat/completions", content=body)
    assert response.status_code in {200, 400}
    assert "\0" not in "".join(whose(world))


def test_redaction_covers_it(ask, world, settings):
    """A server of the same process: the setting holds there as well."""
    settings.AUDIT_REDACT_FIELDS = ["user"]
    ask(user="customer-1")
    ask(user="customer-1", safety_identifier="safe-1")
    assert whose(world) == ["", "safe-1"]
    assert "customer-1" not in "".join(Payload.objects.filter(kind="input").values_list("body", flat=True))
