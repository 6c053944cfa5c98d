"""Tell the story: `make example-support`."""

import os
import time
from pathlib import Path
from typing import Any

from examples.console import Console, find_console
from examples.scripted import answer_as
from examples.serving import Reply, Request, say, serve, tell
from examples.support.model import think
from examples.support.setting_up import ALIAS, COLLECTION, MODEL, change_prices, policy_of, set_up

PORT = int(os.environ.get("EXAMPLE_PORT") or 8753)
TICKETS = ("How to send a bike bell back.", "Exchanging a helmet that is too small.")
_SITE = Path(__file__).with_name("site.html")


def story() -> None:
    console = find_console()
    page = b""

    def answer(request: Request) -> Reply:
        if request.path == "/":
            return Reply(page, content_type="text/html; charset=utf-8")
        return answer_as(MODEL, think, request) or Reply({"error": f"There is no {request.path} here."}, status=404)

    site = f"http://localhost:{PORT}"
    serve(PORT, answer)
    widget, voice = set_up(console, site, f"http://127.0.0.1:{PORT}")
    page = _SITE.read_text().replace("{snippet}", widget["snippet"]).encode()

    say("1. A script has resolved tickets summed up as articles:")
    summarise(console, voice)
    say(
        f"\n2. A widget answers on a customer's site. Ask it what a return costs; the story waits for that:\n   {site}/"
    )
    wait_for_visitor(console, widget)

    policy = f"{console.url}/knowledge/documents/{policy_of(console)['id']}/"
    say(f"\n3. The price policy changes once, in one document: {policy}")
    say(f"   {change_prices(console)}")
    say("   The script again:")
    summarise(console, voice)
    say(f"   Ask the widget again: {site}/")

    say(f"\n4. The operator sees both in one log:\n   {console.url}/audit/?alias={ALIAS}")


def summarise(console: Console, voice: str) -> None:
    """Do what a help desk's script does: an ordinary call, with the voice and the documents that the widget has."""
    for ticket in TICKETS:
        wish = f"Summarise this resolved ticket as an article of our help pages.\nTicket: {ticket}"
        body = {"model": ALIAS, "prompt": {"id": voice}, "messages": [{"role": "user", "content": wish}]}
        body["knowledge"] = [COLLECTION]
        article = console.call("POST", "chat/completions", body)["choices"][0]["message"]["content"]
        say(f"   {article.replace(chr(10) * 2, ': ')}")


def wait_for_visitor(console: Console, widget: dict[str, Any]) -> None:
    before = answers(console, widget)
    while not answers(console, widget) - before:
        time.sleep(1)


def answers(console: Console, widget: dict[str, Any]) -> set[str]:
    """Return the ids of what visitors were answered lately."""
    path = f"widgets/{widget['id']}/conversations/"
    talks = console.ask("GET", path)["data"][:5]
    said = [one for talk in talks for one in console.ask("GET", f"{path}{talk['id']}/messages/")["data"]]
    return {one["id"] for one in said if one["role"] == "assistant" and one["status"] == "done"}


if __name__ == "__main__":
    tell(story)
