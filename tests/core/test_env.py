"""A variable that makes no sense stops the start with a sentence that says why."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from console.core.env import env_choice, env_networks, env_sender, env_url

CHOICES = ("pass", "refuse")


@pytest.mark.parametrize(
    ("read", "text", "found"),
    [
        (lambda: env_choice("X", CHOICES, "pass"), "", "pass"),
        (lambda: env_choice("X", CHOICES, "pass"), "Refuse", "refuse"),
        (lambda: env_networks("X", ["::1/128"]), "", ["::1/128"]),
        (lambda: env_networks("X"), "10.1.2.3/8, 192.0.2.7", ["10.0.0.0/8", "192.0.2.7/32"]),
        (lambda: env_url("X"), "", ""),
        (lambda: env_url("X"), "https://facet.example.com:8443/", "https://facet.example.com:8443"),
        (lambda: env_sender("X", "a@b"), "", "a@b"),
        (lambda: env_sender("X", "a@b"), '"Fäcet, Inc." <f@x.com>', '"Fäcet, Inc." <f@x.com>'),
    ],
)
def test_it_reads(monkeypatch: pytest.MonkeyPatch, read: Callable[[], Any], text: str, found: Any) -> None:
    monkeypatch.setenv("X", text)
    assert read() == found


@pytest.mark.parametrize(
    ("read", "text", "said"),
    [
        (lambda: env_choice("X", CHOICES, "pass"), "drop", "X is 'drop'; write one of pass, refuse."),
        (lambda: env_networks("X"), "10.0.0.0/8,office", "X holds 'office'; write networks"),
        (lambda: env_networks("X"), "10/99", "X holds '10/99'"),
        (lambda: env_url("X"), "facet.example.com", "write http:// or https://, and a host"),
        (lambda: env_url("X"), "http://", "write http:// or https://, and a host"),
        (lambda: env_url("X"), "http://host:port", "write http:// or https://, and a host"),
        (lambda: env_sender("X", "a@b"), "Facet", "write an address"),
        (lambda: env_sender("X", "a@b"), "Facet, Inc. <f@x.com>", 'the name in "…"'),
        (lambda: env_url("X"), "https://host/büro", "write spaces and other letters in its path as %20"),
    ],
)
def test_it_refuses(monkeypatch: pytest.MonkeyPatch, read: Callable[[], Any], text: str, said: str) -> None:
    monkeypatch.setenv("X", text)
    with pytest.raises(ImproperlyConfigured) as refused:
        read()
    assert said in str(refused.value)
