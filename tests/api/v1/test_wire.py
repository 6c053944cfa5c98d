"""Addresses, credentials, headers and errors of /v1/, as any client meets them."""

import json
import socket

import pytest

from console.audit import actions
from console.audit.models import AuditEvent
from console.audit.services import record
from console.catalog.services.versions import retire_version
from console.core.ids import parse_request_id
from console.teams.actors import SYSTEM
from console.teams.services.keys import change_key, revoke_key
from tests import make

PATH = "/v1/chat/completions"
BODY = {"model": "support-chat", "messages": [{"role": "user", "content": "hi"}]}


def is_error(response, status, code, param=None):
    """Check OpenAI's error shape, whose `code` is a string, and the headers every answer has."""
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["code"], error["param"]) == (code, param)
    assert isinstance(error["message"], str) and error["message"] and isinstance(error["type"], str)
    assert response.headers["content-type"] == "application/json"
    assert (
        response.headers["x-request-id"].startswith("req_") and response.headers["x-content-type-options"] == "nosniff"
    )
    return error


def line_of(response):
    return AuditEvent.objects.get(pk=parse_request_id(response.headers["x-request-id"]))


# Addresses and methods ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    ["/v1/", "/v1/nothing", "/v1/chat", "/v1/chat/completions/", "/v1/chat/completions/7", "/v1/%00", "/v1/%ff"],
)
def test_an_unknown_address(client, path):
    is_error(client.get(path), 404, "unknown_route")
    is_error(client.post(path, json=BODY), 404, "unknown_route")


def test_an_address_clients_come_to_by_themselves(client):
    for path, hint in (("/v1/assistants", "/docs/"), ("/v1/v1/messages", "base_url")):
        assert hint in is_error(client.post(path, json=BODY), 404, "unknown_route")["message"]


def test_a_key_at_an_address_of_the_console_is_told_where_programs_call(client):
    for method, path in (("POST", "/chat/completions"), ("GET", "/models"), ("POST", "/messages"), ("GET", "/")):
        error = is_error(client.request(method, path), 404, "unknown_route")
        assert "a client's base URL ends in /v1" in error["message"]
    assert client.get("/health/live").status_code == 200, "whoever watches it may send a key along"


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_a_method_chat_does_not_have(client, method):
    response = client.request(method, PATH)
    is_error(response, 405, "method_not_allowed")
    assert response.headers["allow"] == "POST"


def test_a_method_models_does_not_have(client):
    assert client.head(PATH).status_code == 405
    response = client.post("/v1/models", json={})
    is_error(response, 405, "method_not_allowed")
    assert response.headers["allow"] == "GET"


# Credentials ----------------------------------------------------------------------------------------------------------


def test_the_key_as_bearer_or_as_x_api_key(client, world):
    del client.headers["authorization"]
    for headers in (
        {"Authorization": f"Bearer {world.key_text}"},
        {"Authorization": f"bearer  {world.key_text}"},
        {"x-api-key": world.key_text},
        {"x-api-key": world.key_text, "Authorization": f"Bearer {world.key_text}"},
    ):
        assert client.post(PATH, json=BODY, headers=headers).status_code == 200


@pytest.mark.parametrize("text", [None, "x", "fk_live_short", "fk_live_" + "A" * 40, "sk-" + "a" * 48])
def test_a_key_that_is_none(client, world, text):
    del client.headers["authorization"]
    response = client.post(PATH, json=BODY, headers={"Authorization": f"Bearer {text}"} if text else {})
    error = is_error(response, 401, "invalid_api_key")
    assert error["type"] == "authentication_error" and response.headers["www-authenticate"].startswith("Bearer")
    assert (text or "?") not in error["message"]


def test_every_unusable_key_is_refused_in_the_same_words(client, world):
    revoke_key(actor=SYSTEM, key=world.key)
    said = []
    for text in (world.key_text, "fk_live_nonsense", ""):
        response = client.post(PATH, json=BODY, headers={"Authorization": f"Bearer {text}"} if text else {})
        said.append(response.json())
    assert said[0] == said[1] == said[2]
    none = client.post(PATH, json=BODY, headers={"Authorization": ""})
    assert is_error(none, 401, "invalid_api_key")["message"].startswith("No API key was sent. Send one as `Auth")
    assert world.calls()[0].reason == "the key is revoked"


def test_two_different_keys(client, world):
    _, other = make.make_key(world.team)
    response = client.post(PATH, json=BODY, headers={"x-api-key": other})
    is_error(response, 400, "two_credentials")
    assert not world.upstream.seen


@pytest.mark.parametrize("scheme", ["Basic dXNlcjpwYXNz", "Bearer", "Token abc"])
def test_an_authorization_that_is_not_bearer(client, scheme):
    response = client.post(PATH, json=BODY, headers={"Authorization": scheme})
    is_error(response, 400, "invalid_authorization_header")


@pytest.mark.parametrize("name", ["api_key", "API-KEY", "access_token"])
def test_a_key_in_the_address(client, world, name):
    response = client.post(f"{PATH}?{name}=whatever", json=BODY)
    is_error(response, 400, "key_in_query")
    assert line_of(response).code == "key_in_query"
    stranger = client.get(f"/v1/models?{name}=whatever", headers={"Authorization": "Bearer x"})
    is_error(stranger, 400, "key_in_query")
    assert not world.upstream.seen


def test_a_key_in_the_address_twice_or_under_another_name(client, world):
    for query in (f"q={world.key_text}", f"q={world.key_text}&q=1"):
        is_error(client.post(f"{PATH}?{query}", json=BODY), 400, "key_in_query")
    assert not world.upstream.seen


def test_a_key_without_the_scope(client, world):
    _, text = make.make_key(world.team, "reader", scopes=["audit:read"])
    response = client.post(PATH, json=BODY, headers={"Authorization": f"Bearer {text}"})
    is_error(response, 403, "scope_missing")
    line = line_of(response)
    assert (line.status, line.team_id, line.actor) == ("refused", world.team.pk, "reader")


def test_a_sandbox_key_stays_in_the_sandbox(client, world):
    _, text = make.make_key(world.team, "tester", environment="sandbox")
    headers = {"Authorization": f"Bearer {text}"}
    assert client.post(PATH, json=BODY, headers=headers).status_code == 200
    assert world.calls()[-1].environment == "sandbox"
    refused = client.post(PATH, json={**BODY, "model": "support-chat@production"}, headers=headers)
    is_error(refused, 403, "policy_denied", "model")
    assert client.post(PATH, json={**BODY, "model": "support-chat@sandbox"}).status_code == 200


def test_a_key_that_is_limited_to_aliases(client, world):
    make.make_alias("other", production=world.model)
    _, text = make.make_key(world.team, "narrow", aliases=["other"])
    response = client.post(PATH, json=BODY, headers={"Authorization": f"Bearer {text}"})
    is_error(response, 404, "model_not_found", "model")
    assert client.post(PATH, json={**BODY, "model": "other"}, headers={"Authorization": f"Bearer {text}"}).is_success


def test_cookies_say_nothing(client, world):
    del client.headers["authorization"]
    assert client.post(PATH, json=BODY, headers={"Cookie": "facet-8000=whatever"}).status_code == 401


# Headers and sizes ----------------------------------------------------------------------------------------------------


def test_headers_and_parameters_that_mean_nothing_to_us(client, world):
    headers = {
        "OpenAI-Organization": "org-1",
        "OpenAI-Project": "proj-1",
        "OpenAI-Beta": "assistants=v2",
        "X-Stainless-Lang": "python",
        "X-Stainless-Retry-Count": "0",
        "X-Whatever": b"\xe9",
        "Forwarded": "for=1.2.3.4",
        "X-Forwarded-For": "1.2.3.4",
    }
    response = client.post(f"{PATH}?beta=1&beta=2&api-version=2024-06-01", json=BODY, headers=headers)
    assert response.status_code == 200
    assert world.calls()[0].client_address == "127.0.0.1", "only proxies that are trusted are believed"
    sent = world.upstream.seen[0].headers
    assert not {name for name in sent if name.startswith(("x-", "openai", "cookie", "forwarded"))}


def test_headers_of_an_answer(client, world):
    response = client.post(PATH, json=BODY, headers={"X-Client-Request-Id": b"mine\xad"})
    headers = response.headers
    assert line_of(response).client_request_id == "mine"
    assert headers["openai-version"] and headers["x-facet-release"] and int(headers["openai-processing-ms"]) >= 0
    assert headers["cache-control"] == "no-store" and "server" not in {h.lower() for h in headers if h != "server"}
    assert "set-cookie" not in headers


def test_rate_limit_headers(client, world):
    from usage_app.services.quotas import set_quota

    set_quota(actor=SYSTEM, team=world.team, metric="requests", window="hour", limit=10)
    set_quota(actor=SYSTEM, team=world.team, metric="tokens", window="day", limit=100_000)
    for stream in (False, True):
        headers = client.post(PATH, json={**BODY, "stream": stream}).headers
        assert headers["x-ratelimit-limit-requests"] == "10"
        assert headers["x-ratelimit-remaining-requests"] == ("8" if stream else "9")
        assert headers["x-ratelimit-limit-tokens"] == "100000"
        assert 0 < int(headers["x-ratelimit-remaining-tokens"]) < 100_000
        assert headers["x-ratelimit-reset-requests"].endswith("s") and headers["x-ratelimit-reset-tokens"].endswith("s")


def test_too_many_headers(client):
    is_error(client.post(PATH, json=BODY, headers={"X-Big": "a" * 40_000}), 431, "headers_too_large")
    is_error(client.get("/v1/models", headers={f"X-{n}": "a" * 100 for n in range(400)}), 431, "headers_too_large")


def test_long_and_odd_queries(client, world):
    is_error(client.post(f"{PATH}?a={'b' * 5000}", json=BODY), 431, "headers_too_large")
    assert client.post(f"{PATH}?{'&'.join('abcdefgh' * 30)}", json=BODY).status_code == 200, "many fields are no fault"
    assert client.post(f"{PATH}?%00=%ff&=&&;", json=BODY).status_code == 200


def test_a_body_that_is_too_large(client, world, settings):
    settings.GATEWAY_BODY_BYTES = 2000
    large = json.dumps({**BODY, "user": "x" * 3000})
    headers = {"Content-Type": "application/json"}
    announced = client.post(PATH, content=large, headers=headers)
    is_error(announced, 413, "request_too_large")
    assert "If it has images, make them smaller" in announced.json()["error"]["message"]
    chunked = client.post(PATH, content=iter([large[:1500].encode(), large[1500:].encode()]), headers=headers)
    is_error(chunked, 413, "request_too_large")
    assert [line.code for line in world.calls()] == ["request_too_large"] * 2
    assert not world.upstream.seen


def test_a_large_body_that_fits(client, world):
    text = "wörd " * 60_000
    response = client.post(PATH, json={**BODY, "messages": [{"role": "user", "content": text}]})
    assert response.status_code == 200 and world.upstream.seen[0].body["messages"][0]["content"] == text


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "multipart/form-data; boundary=x"},
    ],
)
def test_a_body_of_another_kind(client, world, headers):
    is_error(client.post(PATH, content=json.dumps(BODY), headers=headers), 415, "unsupported_media_type")


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "Application/JSON", None])
def test_kinds_of_body_that_are_read(client, kind):
    assert (
        client.post(PATH, content=json.dumps(BODY), headers={"Content-Type": kind} if kind else {}).status_code == 200
    )


def raw(server, text):
    """Send bytes as they are and return all that comes back."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_a_request_that_ends_early_leaves_nothing(server, world):
    raw(server, f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{{".encode())
    assert not world.calls() and not world.upstream.seen


def test_a_content_length_that_is_no_number(server, world):
    answer = raw(server, f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n{{}}".encode())
    assert answer.startswith(b"HTTP/1.1 400")


# Bodies ---------------------------------------------------------------------------------------------------------------


UNREADABLE = [
    b"",
    b"{",
    b"null",
    b"[]",
    b'"text"',
    b'{"model": "a", "model": "b"}',
    b'{"model": NaN}',
    b'{"model": "\\u0000"}',
    b'{"model": "\\ud800"}',
    b'{"model": "\xff"}',
    b"[" * 100_000,
    b'{"temperature": 1e999}',
    b'{"seed": 99999999999999999999999}',
]


def test_a_body_that_cannot_be_read(client, world):
    for body in UNREADABLE:
        is_error(client.post(PATH, content=body, headers={"Content-Type": "application/json"}), 400, "invalid_request")
        line = world.calls()[-1]
        assert (line.status, line.http_status, line.key_id) == ("refused", 400, world.key.pk)
    assert len(world.calls()) == len(UNREADABLE)


def test_a_stranger_with_a_broken_body_hears_only_of_the_key(client, world):
    response = client.post(PATH, content=b"{", headers={"Authorization": "Bearer nobody"})
    is_error(response, 401, "invalid_api_key")


WRONG = [
    ({"model": None}, "model"),
    ({"model": ""}, "model"),
    ({"model": 7}, "model"),
    ({"model": "x" * 201}, "model"),
    ({"messages": None}, "messages"),
    ({"messages": []}, "messages"),
    ({"messages": "hi"}, "messages"),
    ({"messages": [{"role": "user"}] * 2001}, "messages"),
    ({"messages": ["hi"]}, "messages[0]"),
    ({"messages": [{"role": "boss", "content": "x"}]}, "messages[0].role"),
    ({"messages": [{"role": ["user"], "content": "x"}]}, "messages[0].role"),
    ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": ["x"]}]}, "messages[0].content"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"max_tokens": "10"}, "max_tokens"),
    ({"max_completion_tokens": True}, "max_completion_tokens"),
    ({"max_completion_tokens": 1.5}, "max_completion_tokens"),
    ({"n": 0}, "n"),
    ({"n": 17}, "n"),
    ({"temperature": "hot"}, "temperature"),
    ({"top_p": True}, "top_p"),
    ({"stream": "yes"}, "stream"),
    ({"stream_options": 1}, "stream_options"),
    ({"tools": {}}, "tools"),
    ({"tools": [{}] * 129}, "tools"),
    ({"functions": "f"}, "functions"),
    ({"response_format": "json"}, "response_format"),
    ({"response_format": {}}, "response_format"),
    ({"base_url": "http://evil"}, "base_url"),
    ({"api_key": "x"}, "api_key"),
    ({"extra_headers": {}}, "extra_headers"),
]


def test_a_field_that_is_wrong_is_named(client, world):
    for fields, param in WRONG:
        is_error(client.post(PATH, json={**BODY, **fields}), 400, "invalid_request", param)
    assert not world.upstream.seen and len(world.calls()) == len(WRONG)


ODD = [
    {"functions": ["f"]},
    {"functions": [{"name": "f"}], "function_call": 7},
    {"messages": [{"role": "assistant", "function_call": "f"}, {"role": "function", "content": None}]},
    {"tools": [7], "tool_choice": []},
    {"stream": True, "stream_options": {"include_usage": "yes"}},
    {"messages": [{"role": "user", "content": [{}]}]},
    {"messages": [{"role": "assistant", "tool_calls": 7}]},
    {"stop": {"a": 1}, "logit_bias": [1], "seed": "x", "n": None, "stream": None, "max_tokens": None},
    {
        "messages": [
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,"}}]}
        ]
    },
]


def test_no_body_breaks_us(client, world):
    for fields in ODD:
        assert client.post(PATH, json={**BODY, **fields}).status_code in {200, 400}, fields


def test_unknown_fields_are_passed_dropped_or_refused(client, world, settings):
    body = {**BODY, "guided_regex": "a+", "metadata": {"a": "b"}, "prompt": None, "é\r\nx-evil: 1": 2}
    for policy, named in (("pass", "metadata"), ("drop", "guided_regex, metadata, \\xe9\\r\\nx-evil: 1")):
        settings.GATEWAY_UNKNOWN_FIELDS = policy
        answer = client.post(PATH, json=body)
        assert (answer.status_code, answer.headers.get("x-facet-dropped-fields", "")) == (200, named)
        assert "x-evil" not in answer.headers
        assert ", ".join(json.loads(line_of(answer).detail)["dropped_fields"]) == named
    settings.GATEWAY_UNKNOWN_FIELDS = "refuse"
    is_error(client.post(PATH, json=body), 400, "invalid_request", "guided_regex")
    assert ["guided_regex" in seen.body for seen in world.upstream.seen] == [True, False]
    assert not any("metadata" in seen.body for seen in world.upstream.seen)


def test_what_is_never_sent_on_is_named_where_it_belongs_and_refused_where_it_does_not(client, sdk, world, settings):
    settings.GATEWAY_UNKNOWN_FIELDS = "refuse"
    kept = {"metadata": {"order": "7"}, "store": True, "service_tier": "flex"}
    answer = sdk.chat.completions.with_raw_response.create(**BODY, **kept)
    assert answer.headers["x-facet-dropped-fields"] == "metadata, service_tier, store"
    assert json.loads(line_of(answer).detail)["dropped_fields"] == sorted(kept)
    assert kept.keys().isdisjoint(world.upstream.seen[0].body)
    for path, body, param in (
        ("/v1/embeddings", {"input": "a", "metadata": {}, "store": False}, "store"),
        ("/v1/completions", {"prompt": "a", "metadata": {}, "store": False}, "store"),
        ("/v1/messages", {"messages": BODY["messages"], "max_tokens": 9, "store": None}, "store"),
    ):
        refused = client.post(path, json={"model": BODY["model"], **body})
        assert refused.status_code == 400 and param in refused.json()["error"]["message"], path
        assert line_of(refused).status == "refused"
    assert len(world.upstream.seen) == 1


def test_the_keys_word_goes_before_the_installations(client, world, settings):
    settings.GATEWAY_UNKNOWN_FIELDS = "refuse"
    body = {**BODY, "guided_regex": "a+"}
    made = {word: make.make_key(world.team, word or "none", unknown_fields=word) for word in ("", "pass", "drop")}
    heads = {word: {"authorization": f"Bearer {text}"} for word, (_, text) in made.items()}
    for word, status, named in (("pass", 200, ""), ("drop", 200, "guided_regex"), ("", 400, "")):
        answer = client.post(PATH, json=body, headers=heads[word])
        assert (answer.status_code, answer.headers.get("x-facet-dropped-fields", "")) == (status, named), word
        assert ("guided_regex" in line_of(answer).detail) == bool(named)
    assert ["guided_regex" in seen.body for seen in world.upstream.seen] == [True, False]
    settings.GATEWAY_UNKNOWN_FIELDS = "pass"
    key = made["drop"][0]
    change_key(actor=SYSTEM, key=key, name=key.name, scopes=key.scopes, unknown_fields="refuse")
    refused = client.post(PATH, json=body, headers=heads["drop"])
    is_error(refused, 400, "invalid_request", "guided_regex")
    assert (line_of(refused).status, line_of(refused).key_id) == ("refused", key.pk)


def test_what_openai_knows_is_accepted(client, world):
    fields = {
        "messages": [
            {"role": "system", "content": "a"},
            {"role": "developer", "content": [{"type": "text", "text": "b"}]},
            {"role": "user", "content": [{"type": "text", "text": "c"}], "name": "u"},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": "d"},
        ],
        "max_completion_tokens": 50,
        "temperature": 0.2,
        "top_p": 1,
        "n": 1,
        "stop": ["x"],
        "seed": 7,
        "presence_penalty": 0,
        "frequency_penalty": -0.5,
        "logit_bias": {"50256": -100},
        "logprobs": True,
        "top_logprobs": 2,
        "user": "u",
        "safety_identifier": "s",
        "metadata": {"a": "b"},
        "store": False,
        "service_tier": "auto",
        "parallel_tool_calls": True,
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {}, "strict": True}}],
        "reasoning_effort": "low",
        "verbosity": "low",
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}, "strict": True}},
        "prediction": {"type": "content", "content": "x"},
    }
    assert client.post(PATH, json={**BODY, **fields}).status_code == 200
    sent = world.upstream.seen[0].body
    assert sent["messages"] == fields["messages"] and sent["max_completion_tokens"] == 50 and "max_tokens" not in sent


def test_what_the_model_cannot_do_is_refused_by_the_fields_name(client, world):
    plain = make.make_model("plain-model", provider=world.provider, capabilities=["chat"])
    make.make_alias("plain", production=plain)
    tool = {"type": "function", "function": {"name": "f"}}
    for fields, param in (
        ({"tools": [tool]}, "tools"),
        ({"response_format": {"type": "json_object"}}, "response_format.type"),
    ):
        is_error(client.post(PATH, json={**BODY, "model": "plain", **fields}), 400, "invalid_request", param)


def test_a_model_that_is_unknown_switched_off_or_somebody_elses(client, world):
    from console.catalog.models import Alias

    is_error(client.post(PATH, json={**BODY, "model": "nobody"}), 404, "model_not_found", "model")
    theirs = make.make_alias("theirs", production=world.model)
    theirs.teams.add(make.make_team("Others"))
    unknown = client.post(PATH, json={**BODY, "model": "theirs"})
    is_error(unknown, 404, "model_not_found", "model")
    Alias.objects.create(name="unpinned")
    is_error(client.post(PATH, json={**BODY, "model": "unpinned"}), 404, "model_not_found", "model")
    is_error(client.post(PATH, json={**BODY, "model": "support-chat@moon"}), 404, "model_not_found", "model")
    assert [line.status for line in world.calls()] == ["refused"] * 4


# Models ---------------------------------------------------------------------------------------------------------------


def test_the_list_of_models(client, world):
    make.make_alias("team/special", production=world.model)
    hidden = make.make_alias("hidden", production=world.model)
    hidden.teams.add(make.make_team("Others"))
    make.make_alias("only-sandbox", sandbox=world.model)
    body = client.get("/v1/models").json()
    assert body["object"] == "list" and [row["id"] for row in body["data"]] == ["support-chat", "team/special"]
    for row in body["data"]:
        assert row["object"] == "model" and isinstance(row["created"], int) and row["owned_by"] == "fake"


@pytest.mark.parametrize("path", ["team/special", "team%2Fspecial", "support-chat", "support-chat/"])
def test_one_model(client, world, path):
    make.make_alias("team/special", production=world.model)
    assert client.get(f"/v1/models/{path}").json()["id"] == path.replace("%2F", "/").strip("/")


@pytest.mark.parametrize("name", ["nobody", "%00", "%2500", "a%0d%0ab", "%ff", "x" * 3000])
def test_a_model_that_is_not_there(client, world, name):
    response = client.get(f"/v1/models/{name}")
    is_error(response, 404, "model_not_found", "model")
    assert line_of(response).status == "refused"


def test_exact_versions_are_called_and_listed_by_keys_that_may(client, world):
    exact = "fake/fake-model"
    is_error(client.post(PATH, json={**BODY, "model": exact}), 404, "model_not_found", "model")
    _, text = make.make_key(world.team, scopes=["models:call", "models:exact"], aliases=["support-chat"])
    head = {"Authorization": f"Bearer {text}"}
    for model, expected in ((exact, 200), ("support-chat", 200), ("fake/none", 404), ("fake/fake-model@sandbox", 404)):
        assert client.post(PATH, json={**BODY, "model": model}, headers=head).status_code == expected, model
    assert [line.alias for line in world.calls()[1:3]] == [exact, "support-chat"]
    listed = client.get("/v1/models", headers=head).json()["data"]
    assert [row["id"] for row in listed] == ["support-chat", exact] and listed[1]["owned_by"] == "fake"
    assert client.get(f"/v1/models/{exact}", headers=head).json() == listed[1]
    page = client.get(f"/v1/models/{exact}", headers={**head, "anthropic-version": "2023-06-01"}).json()
    assert (page["type"], page["id"]) == ("model", exact)
    make.make_model("other", provider=world.provider)
    record(actions.MODEL_CREATED, actor=SYSTEM, target=world.model)
    is_error(client.post(PATH, json={**BODY, "model": "fake/other"}, headers=head), 404, "model_not_found", "model")
    _, text = make.make_key(world.team, scopes=["models:call", "models:exact"])
    unlimited = {"Authorization": f"Bearer {text}"}
    assert client.post(PATH, json={**BODY, "model": "fake/other"}, headers=unlimited).status_code == 200
    retire_version(actor=SYSTEM, version=make.make_model("old", provider=world.provider))
    is_error(client.post(PATH, json={**BODY, "model": "fake/old"}, headers=head), 404, "model_not_found", "model")
    assert client.get("/v1/models", headers=head).json()["data"] == listed


def test_models_of_the_sandbox_by_their_full_name(client, world):
    assert client.get("/v1/models/support-chat@sandbox").json()["id"] == "support-chat@sandbox"
    is_error(client.get("/v1/models/support-chat@moon"), 404, "model_not_found", "model")
    _, text = make.make_key(world.team, environment="sandbox")
    head = {"Authorization": f"Bearer {text}"}
    assert client.get("/v1/models/support-chat", headers=head).status_code == 200
    is_error(client.get("/v1/models/support-chat@production", headers=head), 404, "model_not_found", "model")


def test_models_need_a_key_too(client, world):
    is_error(client.get("/v1/models", headers={"Authorization": "Bearer x"}), 401, "invalid_api_key")
    revoke_key(actor=SYSTEM, key=world.key)
    is_error(client.get("/v1/models"), 401, "invalid_api_key")
    is_error(client.get("/v1/models/%00"), 401, "invalid_api_key")


def test_anthropics_list_of_models(client, world):
    make.make_alias("another", production=world.model)
    body = client.get("/v1/models", headers={"anthropic-version": "2023-06-01"}).json()
    assert (body["has_more"], body["first_id"], body["last_id"]) == (False, "another", "support-chat")
    assert {tuple(sorted(row)) for row in body["data"]} == {("created_at", "display_name", "id", "type")}
