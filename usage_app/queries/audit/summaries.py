"""One record of the log in words, for a row of the list and the head of the drawer."""

import re
from dataclasses import dataclass
from functools import cache, cached_property

from django.urls import reverse

from console.audit import actions
from console.audit.models import AuditEvent, EventType, Status
from console.core.ids import request_id

_ICONS: dict[str, str] = {
    EventType.CHAT: "message-square",
    EventType.COMPLETION: "square-terminal",
    EventType.EMBEDDING: "braces",
    EventType.RESPONSE: "message-square-text",
    EventType.MESSAGE: "mail",
    EventType.PLAYGROUND: "flask-conical",
    EventType.QUESTION: "circle-help",
    EventType.AGENT: "bot",
    EventType.TOOL: "wrench",
    EventType.MODELS: "list",
    EventType.FILES: "file-text",
    EventType.BATCHES: "layers",
    EventType.ADMIN: "settings-2",
    EventType.ACCESS: "log-in",
}
_TONES: dict[str, str] = {
    Status.ERROR: "bad",
    Status.INTERRUPTED: "bad",
    Status.REFUSED: "warn",
    Status.CLIENT_DISCONNECTED: "line",
}
_WORDS: dict[str, str] = {
    Status.ERROR: "Error",
    Status.INTERRUPTED: "Interrupted",
    Status.REFUSED: "Refused",
    Status.CLIENT_DISCONNECTED: "Client disconnected",
}
_SHORT: dict[str, str] = {EventType.ADMIN: "Change", EventType.ACCESS: "Access"}
# What pins a model's name down: a date or a version at its end.
_VERSION = re.compile(r"[-@:](?=(\d{4}-\d{2}-\d{2}|\d{8}|v\d[\w.]*)$)")


@cache
def _log_path() -> str:
    return reverse("usage:audit")


@dataclass
class Line:
    event: AuditEvent

    @cached_property
    def path(self) -> str:
        """The record's address. Put together by hand: reversing it for every row takes a tenth of the page's time."""
        return f"{_log_path()}{request_id(self.event.pk)}/"

    @property
    def is_call(self) -> bool:
        return not self.event.action

    @property
    def kind(self) -> str:
        return self.event.get_type_display() if self.event.type in EventType.values else self.event.type

    @property
    def short_kind(self) -> str:
        return _SHORT.get(self.event.type, self.kind)

    @property
    def icon(self) -> str:
        return _ICONS.get(self.event.type, "circle-dot")

    @property
    def tone(self) -> str:
        return _TONES.get(self.event.status, "")

    @property
    def is_ok(self) -> bool:
        return self.event.status == Status.OK

    @property
    def status(self) -> str:
        """What the badge says: the word, and the HTTP status that tells more."""
        event = self.event
        if event.status == Status.REFUSED and event.code.startswith("quota"):
            return f"Quota, {event.http_status or 429}"
        word = _WORDS.get(event.status, event.status)
        return f"{word} {event.http_status}" if event.http_status and event.status in {"error", "refused"} else word

    @property
    def caller(self) -> str:
        return self.event.actor or self.event.key or "Unknown"

    @property
    def sentence(self) -> str:
        """What somebody did, for lines that are no calls: `moved the pin support-chat`."""
        known = actions.action(self.event.action)
        return known.sentence if known else self.event.action

    @property
    def tokens(self) -> int:
        return self.event.prompt_tokens + self.event.completion_tokens

    @cached_property
    def _model(self) -> list[str]:
        name = self.event.model
        found = _VERSION.search(name)
        return [name[: found.start()], found[1]] if found else [name, ""]

    @property
    def model_name(self) -> str:
        """The model without its provider, for the list."""
        return self._model[0].rpartition("/")[2]

    @property
    def model_base(self) -> str:
        return self._model[0]

    @property
    def model_version(self) -> str:
        return self._model[1]
