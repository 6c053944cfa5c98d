"""Redaction: before anything is stored, and cheap enough for the hot path."""

import json
import time
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.audit.redaction import prepare_payload, redact
from console.core.scrub import scrub

SECRETS = [
    "fk_live_" + "a1B2" * 8,
    "fws_" + "aB-_" * 10 + "xyz",
    "fk_test_" + "a1B2" * 8,
    "sk-" + "x9" * 20,
    "sk-ant-" + "x9_-" * 10,
    "ghp_" + "Ab1" * 12,
    "AKIA" + "ABCD1234" * 2,
    "xoxb-12345-abcdef-98765",
    "AIza" + "a" * 35,
    "Bearer " + "t0ken" * 6,
    "BEARER " + "t0ken" * 6,
    "-----BEGIN RSA PRIVATE KEY-----\nMIIabc+/=\n-----END",
    "-----BEGIN PRIVATE KEY-----\\nMIIabc+/=\\n-----END",
    "eyJhbGciOiJI.eyJzdWIiOiIxMjM0.c2lnbmF0dXJl",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_it_takes_known_secrets_out_wherever_they_stand(secret: str) -> None:
    for text in (secret, f"use {secret} please", f'{{"content": "({secret})"}}', f"{secret}\n{secret}"):
        clean, count = redact(text)
        assert secret not in clean
        assert count == text.count(secret)
        assert "[redacted]" in clean


@pytest.mark.parametrize(
    "text", ["the task-based flow of a risk-averse desk", "max_tokens", "a high_five", "earers", ""]
)
def test_it_leaves_ordinary_text_alone(text: str) -> None:
    assert redact(text) == (text, 0)


def test_it_takes_configured_fields_out_of_json() -> None:
    body = json.dumps({"user": "a", "Password": 'p"w\\', "api_key": 12345, "authorization": ["x", "y"], "n": 1})
    clean, count = redact(body)
    assert count == 3
    assert json.loads(clean) == {
        "user": "a",
        "Password": "[redacted]",
        "api_key": "[redacted]",
        "authorization": "[redacted]",
        "n": 1,
    }


def test_it_takes_configured_fields_out_of_json_inside_json() -> None:
    arguments = json.dumps({"password": 'a"b\\c', "path": "/x"})
    clean, count = redact(json.dumps({"function": {"name": "login", "arguments": arguments}}))
    assert count == 1
    assert json.loads(json.loads(clean)["function"]["arguments"]) == {"password": "[redacted]", "path": "/x"}


def test_it_keeps_a_schema_that_describes_a_secret_field() -> None:
    body = json.dumps({"properties": {"password": {"type": "string"}}, "required": ["password"]})
    assert redact(body) == (body, 0)


def test_it_follows_the_setting(settings) -> None:
    settings.AUDIT_REDACT_FIELDS = ["iban"]
    assert redact('{"iban": "DE02", "password": "x"}') == ('{"iban": "[redacted]", "password": "x"}', 1)


def test_it_keeps_a_short_body_as_it_is() -> None:
    body = '{"text": "Grüße"}'
    payload = prepare_payload(body)
    assert payload.body == body
    assert payload.bytes == len(body.encode())
    assert payload.stored_sha256 == sha256(body.encode()).digest()
    assert (payload.sha256, payload.is_cut, payload.redactions) == (None, False, 0)


def test_it_cuts_on_a_character_boundary_and_keeps_length_and_digest(settings) -> None:
    settings.AUDIT_CONTENT_BYTES = 1024
    body = "x" + "ü" * 2000
    payload = prepare_payload(body)
    assert payload.body == "x" + "ü" * 511
    assert payload.is_cut
    assert payload.bytes == 4001
    assert payload.sha256 == sha256(body.encode()).digest()
    assert payload.stored_sha256 == sha256(payload.body.encode()).digest()


def test_it_finds_a_secret_across_the_cut(settings) -> None:
    settings.AUDIT_CONTENT_BYTES = 1024
    secret = "fk_live_" + "s3cr3t" * 6
    payload = prepare_payload("." * 1000 + " " + secret + "." * 40_000)
    assert payload.redactions == 1
    assert "fk_live_" not in payload.body


def test_it_stores_what_postgresql_cannot_hold_as_something_it_can() -> None:
    payload = prepare_payload("a\0b\ud800c")
    assert payload.body == "a\N{SYMBOL FOR NULL}b?c"
    assert payload.stored_sha256 == sha256(payload.body.encode()).digest()


@given(st.text(max_size=400))
def test_it_never_changes_a_body_without_a_mark(body: str) -> None:
    payload = prepare_payload(body.encode("utf-8", "replace").decode().replace("\0", ""))
    assert payload.redactions or payload.body == body.encode("utf-8", "replace").decode().replace("\0", "")
    payload.body.encode()


@pytest.mark.parametrize(
    "text",
    [
        "eyJaaaaaaaaaa-" * 150_000,
        "eyJaaaaaaaaaa." * 150_000,
        "-----BEGIN PRIVATE KEY-----" * 60_000,
        "Bearer " + " " * 2_000_000,
        '"password":"' * 150_000,
        '\\"password\\": \\"' * 120_000,
        '"password": [' * 150_000,
        "sk-" * 600_000,
    ],
    ids=lambda text: text[:16],
)
def test_it_is_linear_in_the_length_of_hostile_text(text: str) -> None:
    started = time.thread_time()  # others may have the processor meanwhile
    scrub(text)
    redact(text[:400_000])
    assert time.thread_time() - started < 1.5
