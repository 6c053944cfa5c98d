"""Somebody in front of the chat page, with an assistant that the scripted provider answers."""

from collections.abc import Iterator

import pytest
from django.urls import reverse

from console.catalog.models import Provider
from console.chat.live import BEING_WRITTEN
from console.chat.models import Conversation, Message
from tests import make
from tests.live import LiveServer
from tests.make import client_of
from tests.upstream import Upstream
from tests.waiting import until


class Room:
    """A team with an assistant and one person, Ada, who is signed in with `client`."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self.team = make.make_team("Support")
        provider = Provider.objects.create(slug="fake", name="Fake", kind="openai", base_url=upstream.url)
        self.model = make.make_model("fake-model", provider=provider, capabilities=["chat"])
        make.make_alias("support-chat", production=self.model, sandbox=self.model)
        self.agent = make.make_agent(self.team, "helper", name="Helper")
        self.ada = make.make_member(self.team, make.make_user("ada@example.com"))
        self.client = client_of(self.ada)

    def start(self, text: str = "Where is my order?") -> Conversation:
        response = self.client.post(reverse("chat:start"), {"agent": "helper", "text": text})
        assert response.status_code == 302, response.content.decode()[:2000]
        return Conversation.objects.get(pk=response["Location"].split("/")[2])

    def post(self, name: str, pk: object, **fields: str) -> int:
        return self.client.post(reverse(f"chat:{name}", args=[pk]), fields).status_code

    @staticmethod
    def answer(conversation: Conversation) -> Message:
        """Return the newest message as it is now."""
        conversation.refresh_from_db()
        return Message.objects.get(pk=conversation.leaf_id)

    def ended(self, conversation: Conversation) -> Message:
        """Return the answer at the end of the branch shown, once it is over."""

        def is_over() -> bool:
            answer = self.answer(conversation)
            return answer.status != "writing" and answer.pk not in BEING_WRITTEN

        until(is_over, "nobody writes the answer any more")
        return self.answer(conversation)


@pytest.fixture
def room(server: LiveServer, upstream: Upstream) -> Iterator[Room]:
    yield Room(upstream)

    def stop_all() -> None:
        for live in tuple(BEING_WRITTEN.values()):
            live.cut("stopped")

    until(lambda: not BEING_WRITTEN, "no answer is written any more", meanwhile=stop_all)
