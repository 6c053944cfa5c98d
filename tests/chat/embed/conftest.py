"""A widget on a shop's site, with an assistant that the scripted provider answers, and visitors."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from console.chat.live import BEING_WRITTEN
from console.chat.models import Message, Widget
from tests import make
from tests.chat.conftest import Room
from tests.chat.conftest import room as room
from tests.waiting import until

SHOP, OTHER = "https://shop.example", "https://other.example"


class Visiting:
    """Somebody on a site, with the token its snippet got for them."""

    def __init__(self, widget: Widget, origin: str = SHOP, token: str = "", **body: Any) -> None:
        self.widget, self.origin, self.client = widget, origin, Client()
        self.token = token or self.mint(**body).json().get("token", "")

    def mint(self, **body: Any) -> Any:
        headers = {"Origin": self.origin} if self.origin else {}
        url = reverse("embed:visitor", args=[self.widget.public_id])
        return self.client.post(url, json.dumps(body), content_type="application/json", headers=headers)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def get(self, name: str, *arguments: Any, **query: Any) -> Any:
        url = reverse(f"embed:{name}", args=[self.widget.public_id, *arguments])
        return self.client.get(url, query, headers=self.headers)

    def post(self, name: str, *arguments: Any, **body: Any) -> Any:
        url = reverse(f"embed:{name}", args=[self.widget.public_id, *arguments])
        return self.client.post(url, json.dumps(body), content_type="application/json", headers=self.headers)

    def say(self, text: str) -> Message:
        """Say something and return the last turn of what came back."""
        response = self.post("say", text=text)
        assert response.status_code == 201, response.content
        return Message.objects.get(pk=response.json()["turns"][-1]["id"])

    def turns(self) -> list[dict[str, Any]]:
        return list(self.get("conversation").json()["turns"])


def ended(message: Message) -> Message:
    """Return a message once nobody writes it any more."""

    def is_over() -> bool:
        message.refresh_from_db()
        return message.status != "writing" and message.pk not in BEING_WRITTEN

    until(is_over, "nobody writes the message any more")
    message.refresh_from_db()
    return message


@pytest.fixture
def widget(room: Room) -> Iterator[Widget]:
    yield make.make_widget(room.team, room.agent, public_id="shop1", name="Shop", title="Ask the shop")
