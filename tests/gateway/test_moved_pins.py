"""A pin moved while calls come in: who asks after the move gets the new version, in every process, and nobody fails."""

import threading
import time
from typing import NamedTuple

import httpx2 as httpx

from console.catalog.models import Pin
from console.catalog.services.pins import move_pin
from console.teams.actors import SYSTEM
from tests import make
from tests.live import WebProcess
from tests.waiting import until

BODY = {"model": "support-chat", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 5}


class Answered(NamedTuple):
    began: float
    status: int
    version: str


def ask_until(stopped: threading.Event, url: str, headers: dict[str, str], answers: list[Answered]) -> None:
    with httpx.Client(base_url=url, headers=headers, timeout=60, verify=False) as client:
        while not stopped.is_set():
            began = time.monotonic()
            response = client.post("/v1/chat/completions", json=BODY)
            answers.append(Answered(began, response.status_code, response.headers.get("x-facet-model-version", "")))


def test_a_moved_pin_holds_from_the_next_call_on_in_another_process_and_no_call_fails(world, server) -> None:
    new = make.make_model("new-model", provider=world.provider, capabilities=["chat"])
    other = WebProcess()
    stopped, answers = threading.Event(), {"here": [], "there": []}
    try:
        addresses = {"here": server.url, "there": other.wait().url}
        threads = [
            threading.Thread(target=ask_until, args=(stopped, addresses[where], world.headers, answers[where]))
            for where in [*answers] * 3
        ]
        for thread in threads:
            thread.start()
        until(lambda: min(map(len, answers.values())) >= 50, "both answer")
        pin = Pin.objects.get(alias=world.alias, environment="production")
        move_pin(
            actor=SYSTEM,
            alias=world.alias,
            environment="production",
            to=new,
            reason="Try it.",
            seen_revision=pin.revision,
        )
        moved, before = time.monotonic(), {where: len(found) for where, found in answers.items()}
        until(lambda: all(len(found) >= before[where] + 50 for where, found in answers.items()), "both go on answering")
    finally:
        stopped.set()
        for thread in threads:
            thread.join(60)
        other.stop()
    for found in answers.values():
        assert {answer.status for answer in found} == {200}
        assert {answer.version for answer in found} == {"fake/fake-model", "fake/new-model"}
        assert {answer.version for answer in found if answer.began > moved} == {"fake/new-model"}
