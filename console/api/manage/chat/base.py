"""What views of the chat share: only people have access, and only to their own conversations."""

from typing import Any

from console.api.manage.base import Endpoint
from console.chat import access, requests
from console.chat.models import Conversation, Message
from console.chat.requests import Speaker
from console.core.errors import NotAllowed
from console.teams.models import User


class ChatEndpoint(Endpoint):
    """A view of somebody's own conversations. A key is a team's and may change hands; what a person said is theirs."""

    needs = "view_team"

    def check_permissions(self, request: Any) -> None:
        super().check_permissions(request)
        if self.caller.user is None:
            raise NotAllowed(
                "Conversations are people's: use the session of somebody signed in. With a key, call the assistant at"
                " /v1/chat/completions.",
                code="person_required",
            )

    @property
    def person(self) -> User:
        assert self.caller.user is not None
        return self.caller.user

    def conversation(self, pk: Any, to: str = "read") -> Conversation:
        return access.conversation_for(self.caller, pk, to)

    def message(self, pk: Any, to: str = "read") -> Message:
        return access.message_for(self.caller, pk, to)

    def speaker(self, conversation: Conversation) -> Speaker:
        return requests.person(conversation, self.person, self.client_address)
