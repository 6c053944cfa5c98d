"""One record of the log with everything but its content."""

import json
import re
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.urls import NoReverseMatch, reverse

from console.audit.models import AuditEvent, EventType, Seal
from console.audit.search import Criteria
from console.audit.sql import search
from console.core.formatting import as_text, number
from console.core.ids import TRACE_PARENT
from usage_app.amounts import in_words, money
from usage_app.models import Metric
from usage_app.queries.audit.summaries import Line

# How long the neighbours of a record may be searched for. Without them the arrows are missing, which is no harm.
_NEIGHBOUR_SECONDS = 0.15
_SLUG = re.compile(r"[-a-zA-Z0-9_]+")
_OF_RESPONSE = re.compile(r'"response": ?"(resp_[0-9a-f]{32})"')
_FOR_WORDS = frozenset(
    {
        *(EventType.AGENT.value, EventType.CHAT.value, EventType.COMPLETION.value, EventType.MESSAGE.value),
        *(EventType.PLAYGROUND.value, EventType.RESPONSE.value),
    }
)
# What a record says by its own names, in words.
_WORDS = {
    "sign_in_link": "sign-in link",
    "password": "password",
    "totp": "authenticator app",
    "webauthn": "passkey or security key",
    "recovery_codes": "recovery code",
    "socialaccount": "single sign-on",
}
# What a record of a quota says in the unit of the metric it names.
_AMOUNTS = frozenset({"limit", "used", "amount"})
_CALL = re.compile(r"req_[0-9a-f]{32}")
_RUN = re.compile(r"run_[0-9a-f]{32}(?= |$)")


@dataclass(frozen=True, slots=True)
class Change:
    """One field of a change. None is shown as nothing, so that a field that came or went is seen."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Source:
    """A part of a document that stood before the question of a call."""

    n: int
    document: str
    version: int
    collection: str
    heading: str
    path: str = ""


class Prompt(NamedTuple):
    """A prompt that took part, as people write it, and where its version is; nothing where that cannot be told."""

    name: str
    path: str


class Label(NamedTuple):
    """One of the pairs a caller labelled its call with, and the log's address with all that have it."""

    name: str
    value: str
    path: str


@dataclass(slots=True)
class Record:
    line: Line
    seal: Seal | None
    prompts: list[Prompt]
    changes: list[Change]
    notes: list[tuple[str, str]]
    sources: list[Source]
    newer: AuditEvent | None = None
    older: AuditEvent | None = None

    @property
    def event(self) -> AuditEvent:
        return self.line.event

    @property
    def run(self) -> str:
        """The run it tells of, by the id people see."""
        event = self.event
        named = _RUN.match(event.client_request_id if event.surface == "agent" and not event.action else event.target)
        return named[0] if named else ""

    @property
    def trace(self) -> str:
        """The trace of the client's own that the call is part of, where the client said so."""
        parent = self.event.trace_parent
        return parent[1] if parent else ""

    @property
    def end_user_path(self) -> str:
        """The log's address with the records of the same end user."""
        return f"{reverse('usage:audit')}?{urlencode({'end_user': self.event.end_user})}"

    @property
    def metadata(self) -> list[Label]:
        """What its caller says it was for."""
        log = reverse("usage:audit")
        return [
            Label(name, value, f"{log}?{urlencode({'metadata': f'{name}={value}'})}")
            for name, value in (self.event.metadata or {}).items()
        ]

    @property
    def named(self) -> str:
        """What the client calls its request, where that is not the name of a trace."""
        said = self.event.client_request_id
        return "" if said in {self.run, self.call} or TRACE_PARENT.fullmatch(said) else said

    @property
    def call(self) -> str:
        """The call whose question this is the vector of, where its client gave it no name of its own."""
        said = self.event.client_request_id
        return said if self.event.type == EventType.EMBEDDING and _CALL.fullmatch(said) else ""

    @property
    def response(self) -> str:
        """The response in the background that it was the call of."""
        return response_of(self.event)

    @property
    def agent(self) -> str:
        """The short name of the agent, without its version; nothing where it cannot be one."""
        slug = self.event.agent.partition("@")[0]
        return slug if _SLUG.fullmatch(slug) else ""

    @property
    def asks_for_words(self) -> bool:
        """Whether it is a call that can be asked again, as far as its input is kept."""
        return self.event.type in _FOR_WORDS and bool(self.event.input_sha256)

    @property
    def has_content(self) -> bool:
        return bool(self.event.input_sha256 or self.event.output_sha256)


def _plain(value: Any) -> str | None:
    return None if value is None else as_text(value)


def _details(text: str) -> tuple[list[Change], list[tuple[str, str]]]:
    """Split a record's detail into what changed from before to after, and what else it says."""
    try:
        detail = json.loads(text) if text else {}
    except ValueError:
        return [], [("Detail", text)]
    if not isinstance(detail, dict):
        return [], [("Detail", text)]
    before, after = detail.pop("before", None) or {}, detail.pop("after", None) or {}
    if not isinstance(before, dict) or not isinstance(after, dict):
        before, after = {"value": before}, {"value": after}
    if (metric := detail.get("metric")) in Metric.values:
        before, after, detail = (_in_units(metric, one) for one in (before, after, detail))
    changes = [Change(n, _plain(before.get(n)), _plain(after.get(n))) for n in {**before, **after}]
    return changes, [_noted(str(name), value) for name, value in detail.items()]


def _noted(name: str, value: Any) -> tuple[str, str]:
    """Return one thing a record says in words and units: `cost_micros` of 6259 is a cost of $0.0063."""
    text = name.removesuffix("_micros").replace("_", " ")
    if isinstance(value, int) and not isinstance(value, bool):
        return text, money(value) if name.endswith("_micros") else number(value)
    return text, _format_value(name, value)


def _in_units(metric: str, said: dict[str, Any]) -> dict[str, Any]:
    return {
        name: in_words(metric, value) if name in _AMOUNTS and isinstance(value, int) else value
        for name, value in said.items()
    }


def _format_value(name: str, value: Any) -> str:
    if name == "decisions" and isinstance(value, list) and all(isinstance(one, dict) for one in value):
        said = ((one.get("effect"), one.get("reason") or one.get("rule")) for one in value)
        return "\n".join(dict.fromkeys(f"{str(effect).capitalize()}: {why}" for effect, why in said))
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ", ".join(_WORDS.get(one) or str(one) for one in value) or "None"
    return _plain(value) or "None"


def sources_of(event: AuditEvent) -> list[Source]:
    """Return the parts of documents a call was given, as they were called then."""
    return [
        Source(one["n"], one["document"], one["version"], one["collection"], one["heading"], _path_of(one))
        for one in _knowledge_of(event).get("sources", [])
    ]


def _path_of(source: dict[str, Any]) -> str:
    try:
        return reverse("knowledge:version", args=[source["document_id"], source["version"]])
    except (KeyError, NoReverseMatch):
        return ""


def _knowledge_of(event: AuditEvent) -> dict[str, Any]:
    """Return what the line of a call says of documents; an agent's line has a field that is called so as well."""
    if event.action or '"knowledge"' not in event.detail:
        return {}
    try:
        found = json.loads(event.detail)["knowledge"]
    except (ValueError, TypeError, KeyError):
        return {}
    return found if isinstance(found, dict) and "sources" in found else {}


def response_of(event: AuditEvent) -> str:
    """Return the id of the response in the background that a call was made for; nothing for others."""
    if event.action or not (named := _OF_RESPONSE.search(event.detail)):
        return ""
    return named[1]


def _search(knowledge: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what there is to say of a search besides what it found."""
    parts = []
    if not knowledge["sources"]:
        parts.append(("Documents", f"Nothing found in {', '.join(knowledge['collections'])}."))
    if knowledge.get("note"):
        parts.append(("Search", knowledge["note"]))
    return parts


def _prompts(text: str) -> list[Prompt]:
    try:
        refs = json.loads(text) if text else []
    except ValueError:
        return [Prompt(text, "")]
    if isinstance(refs, dict):
        refs = [refs]
    return [_prompt(ref) for ref in refs] if isinstance(refs, list) else [Prompt(text, "")]


def _prompt(ref: Any) -> Prompt:
    """Return one of them as people write it: `support/answer@7`."""
    if isinstance(ref, dict) and "slug" in ref and "number" in ref:
        ref, label = f"{ref['slug']}@{ref['number']}", ref.get("label")
    else:
        ref, label = ref if isinstance(ref, str) else json.dumps(ref), None
    slug, _, version = ref.rpartition("@")
    try:
        path = reverse("prompts:version", args=[slug, version])
    except NoReverseMatch:
        path = ""
    return Prompt(f"{ref} ({label})" if label else ref, path)


def _seal_of(event: AuditEvent) -> Seal | None:
    block = Seal.objects.filter(from_tx__lte=event.tx).order_by("-from_tx").first()
    return block if block and event.tx < block.to_tx else None


def record(event: AuditEvent, criteria: Criteria | None = None) -> Record:
    """Return the record and, within the list's filter, the records beside it."""
    changes, notes = _details(event.detail)
    if knowledge := _knowledge_of(event):
        notes = [*_search(knowledge), *((name, text) for name, text in notes if name != "knowledge")]
    response = response_of(event)
    notes = [
        (name, text)
        for name, text in notes
        if not (name == "run" and _RUN.match(text))
        and not (name == "response" and text == response)
        and not (name == "traceparent" and not event.action)
    ]
    found = Record(Line(event), _seal_of(event), _prompts(event.prompt), changes, notes, sources_of(event))
    if criteria is not None and not criteria.text:
        older = search.find(criteria, older_than=event.pk, limit=1, seconds=_NEIGHBOUR_SECONDS).events
        newer = search.find(criteria, newer_than=event.pk, limit=1, seconds=_NEIGHBOUR_SECONDS).events
        found.older, found.newer = (older[0] if older else None), (newer[0] if newer else None)
    return found
