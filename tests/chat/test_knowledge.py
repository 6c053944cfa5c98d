"""One document, two ways to answer from it: what people are told in chat and on a site, and what programs are."""

import httpx2 as httpx
from django.urls import reverse

from console.chat.embed.history import shown_turn
from console.chat.models import Conversation
from console.chat.queries.export import as_markdown
from console.knowledge.services.collections import create_collection
from console.knowledge.services.documents import add_document, save_version
from console.teams.actors import SYSTEM
from tests import make
from tests.chat.conftest import Room
from tests.chat.embed.conftest import Visiting, ended
from tests.live import LiveServer
from tests.make import client_of
from tests.upstream import sse, text_chunks

OLD = "# Refunds\n\nRefunds are paid within 30 days."
QUESTION = "When are refunds paid?"


def test_a_changed_document_is_in_the_next_answer_of_chat_widget_and_api(room: Room, server: LiveServer) -> None:
    prices = create_collection(actor=SYSTEM, team=room.team, slug="prices", name="Prices")
    policy = add_document(actor=SYSTEM, collection=prices, name="Price policy", text=OLD)
    voice = make.make_prompt(room.team, "support-voice", "Be kind.")
    agent = make.make_agent(room.team, "support", prompt=voice, knowledge=["prices"])
    visitor = Visiting(make.make_widget(room.team, agent, public_id="shop2"))
    _, key = make.make_key(room.team)
    auditor = client_of(make.make_member(room.team, role="auditor"))

    def asked(version: int, words: str) -> None:
        """Ask in chat, on the site and by the API; all three are sent these words of this version."""
        room.upstream.enqueue_stream(sse(*text_chunks("Soon", " [1].")))
        start = {"agent": "support", "text": QUESTION}
        place = room.client.post(reverse("chat:start"), start)["Location"]
        conversation = Conversation.objects.get(pk=place.split("/")[2])
        told = room.ended(conversation)
        body = {"model": "support-chat", "messages": [{"role": "user", "content": QUESTION}]}
        more = {"prompt": {"id": "support-voice"}, "knowledge": {"collections": ["prices"]}}
        headers = {"Authorization": f"Bearer {key}"}
        answer = httpx.post(f"{server.url}/v1/chat/completions", json=body | more, headers=headers, verify=False)
        shown = ended(visitor.say(QUESTION))
        for seen in room.upstream.seen[-3:]:
            system, user = seen.body["messages"][0], seen.body["messages"][-1]
            assert system == {"role": "system", "content": "Be kind."}
            assert words in user["content"] and f'document="Price policy" version="{version}"' in user["content"]
            assert user["content"].endswith(QUESTION)
        source = {"n": 1, "document": "Price policy", "version": version, "collection": "prices", "heading": "Refunds"}
        assert answer.json()["facet"] == {"knowledge": [source]}
        assert told.sources == shown.sources == [source | {"document_id": str(policy.pk), "passage": 1}]
        page = room.client.get(place).content.decode()
        assert 'aria-label="Sources"' in page and f"v{version}" in page
        assert f'href="{reverse("knowledge:version", args=[policy.pk, version])}"' in page
        assert f"[1] Price policy, version {version}: Refunds" in as_markdown(conversation)
        record = auditor.get(reverse("usage:audit_record", args=[answer.headers["x-request-id"]])).content.decode()
        assert f"Price policy, version {version}</a> " in record
        (one,) = shown_turn(shown, visitor.widget)["sources"]
        assert one == {"n": 1, "name": "Price policy", "heading": "Refunds"}
        for heading, part in (("Price policy › Refunds", "Refunds"), ("Price policy", "")):
            shown.sources[0]["heading"] = heading
            assert shown_turn(shown, visitor.widget)["sources"][0]["heading"] == part, "the name is not said twice"

    asked(1, "30 days")
    save_version(actor=SYSTEM, document=policy, text=OLD.replace("30 days", "a week"), seen_version=1)
    asked(2, "a week")
    assert room.ended(room.start()).sources == [], "of an assistant without documents"
