"""Read prompts as Langfuse writes them; what has no counterpart here is named, never guessed."""

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from console.core.clock import now
from console.core.errors import BadInput
from console.core.strict_json import loads
from prompts_app.errors import BadText
from prompts_app.parameters import KNOWN, check_parameters
from prompts_app.text.parse import NAME
from prompts_app.text.refs import LABEL, LONGEST_SLUG, RESERVED, SLUG

LARGEST = 20 * 1024 * 1024
LARGEST_SENT = 1_500_000  # over the wire, where somebody waits; the command takes larger files
_MOST = 20_000
_REFERENCE = re.compile(r"@@@langfusePrompt:([^@\n]*)@@@")
_BRACES = re.compile(r"\{\{([^{}]*)\}\}|\{\{")
_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}


@dataclass(slots=True)
class Source:
    """One version of one prompt, as the file has it. `notes` are remarks on what has no counterpart here."""

    name: str
    slug: str
    version: int
    is_chat: bool
    messages: list[dict[str, str]]
    parameters: dict[str, Any]
    labels: list[str]
    tags: list[str]
    message: str
    author: str
    created_at: dt.datetime
    notes: list[str] = field(default_factory=list)

    @property
    def title(self) -> str:
        return f"{self.name} v{self.version}"

    def references(self) -> set[str]:
        """Return the names of the prompts this one refers to."""
        found = (_parts(m[1]) for text in self.messages for m in _REFERENCE.finditer(text["text"]))
        return {parts["name"] for parts in found if parts.get("name")}


def read_file(raw: bytes) -> list[Source]:
    """Return every version in the file, by name and number. Takes a list, an API answer, one prompt, or JSON lines."""
    if len(raw) > LARGEST:
        raise BadInput(f"The file has {len(raw):,} bytes; {LARGEST:,} is the most.", param="file")
    try:
        value = loads(raw)[0]
    except BadInput:
        lines = [line for line in raw.splitlines() if line.strip()]
        if len(lines) < 2 or not all(line.lstrip().startswith(b"{") for line in lines):
            raise
        value = [loads(line)[0] for line in lines]
    if isinstance(value, dict):
        value = next((value[name] for name in ("data", "prompts") if isinstance(value.get(name), list)), [value])
    if not isinstance(value, list) or not value or len(value) > _MOST:
        raise BadInput(f"The file must hold a list of 1 to {_MOST:,} prompts.", param="file")
    found = [_source(item, place) for place, item in enumerate(value, 1)]
    title, count = Counter(source.title for source in found).most_common(1)[0]
    if count > 1:
        raise BadInput(f"The file has {title} {'twice' if count == 2 else f'{count} times'}.", param="file")
    return sorted(found, key=lambda s: (s.name, s.version))


def in_order(sources: Iterable[Source]) -> list[list[Source]]:
    """Return the versions of each prompt, those first that others refer to; circles are for the save to refuse."""
    by_name: dict[str, list[Source]] = {}
    for source in sources:
        by_name.setdefault(source.name, []).append(source)
    order: dict[str, list[Source]] = {}
    begun: set[str] = set()
    for first in by_name:
        path = [first]
        while path:
            name = path[-1]
            needs = set() if name in begun else {one for source in by_name[name] for one in source.references()}
            begun.add(name)
            if further := sorted(one for one in needs - begun if one in by_name):
                path += further
            else:
                order[path.pop()] = by_name[name]
    return list(order.values())


def _source(item: Any, place: int) -> Source:
    if isinstance(item, dict) and "versions" in item and "prompt" not in item:
        raise BadInput(
            "This is Langfuse's list of prompts, which has no texts; docs/prompts-git.md says how to fetch them.",
            param="file",
        )
    if not isinstance(item, dict) or not isinstance(item.get("name"), str) or "prompt" not in item:
        raise BadInput(f"Entry {place} is no prompt: it needs name, version and prompt.", param="file")
    name, version = item["name"], item.get("version", 1)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise BadInput(f"{name[:60]!r}: version must be a number from 1.", param="file")
    notes: list[str] = []
    is_chat = isinstance(item["prompt"], list)
    messages = _messages(item["prompt"], name, notes)
    if item.get("resolutionGraph") and not any(_REFERENCE.search(message["text"]) for message in messages):
        notes.append("what it referred to stands in its text; fetched with resolve=false, it becomes a partial")
    return Source(
        name=name,
        slug=slug_for(name),
        version=version,
        is_chat=is_chat,
        messages=messages,
        parameters=_parameters(item.get("config"), notes),
        labels=_labels(item.get("labels"), notes),
        tags=[tag for tag in _list(item.get("tags")) if isinstance(tag, str)],
        message=str(item.get("commitMessage") or f"Langfuse version {version}")[:500],
        author=str(item.get("createdBy") or "Langfuse")[:200],
        created_at=_moment(item.get("createdAt")),
        notes=notes,
    )


def slug_for(name: str) -> str:
    """Return the name as a slug: `Movie Critic` is `movie-critic`. BadInput when it cannot become one."""
    slug = plain_slug(name)
    if slug is None or slug.partition("/")[0] in RESERVED:
        raise BadInput(f"{name[:60]!r} cannot become a prompt's name; rename it in the file.", param="file")
    return slug


def plain_slug(name: str) -> str | None:
    parts = [re.sub(r"[^a-z0-9_-]+", "-", part.lower()).strip("-_") for part in name.split("/")]
    slug = "/".join(part for part in parts if part)
    return slug if SLUG.fullmatch(slug) and len(slug) <= LONGEST_SLUG else None


def _messages(prompt: Any, name: str, notes: list[str]) -> list[dict[str, str]]:
    if isinstance(prompt, str):
        return [{"role": "", "text": prompt}]
    if not isinstance(prompt, list):
        raise BadInput(f"{name[:60]!r}: prompt must be a text or a list of messages.", param="file")
    found = []
    for one in prompt:
        kind = one.get("type") if isinstance(one, dict) else None
        if kind == "placeholder":
            notes.append(f"the placeholder {str(one.get('name'))[:60]!r} is left out; callers send their own messages")
            continue
        role = one.get("role") if isinstance(one, dict) else None
        if not isinstance(role, str) or role not in _ROLES or not isinstance(one.get("content"), str):
            notes.append(f"a message of role {str(role)[:40]!r} is left out")
            continue
        if role == "developer":
            notes.append("the role developer becomes system")
        found.append({"role": _ROLES[role], "text": one["content"]})
    return found


def _parameters(config: Any, notes: list[str]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, value in config.items() if isinstance(config, dict) else ():
        if name not in KNOWN:
            notes.append(f"config {name[:60]!r} is left out; it is no parameter here")
            continue
        try:
            kept |= check_parameters({name: value})
        except BadInput as error:
            notes.append(f"config {name[:60]!r} is left out ({error.message})")
    return kept


def _labels(labels: Any, notes: list[str]) -> list[str]:
    kept = []
    for label in _list(labels):
        if label == "latest":  # Langfuse's own word for the newest version
            continue
        if isinstance(label, str) and LABEL.fullmatch(label):
            kept.append(label)
        else:
            notes.append(f"the label {str(label)[:60]!r} cannot be one here")
    return kept


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _moment(text: Any) -> dt.datetime:
    """Return when a version was made; a moment before 1970, or none that can be one, says now."""
    latest = now()
    try:
        found = dt.datetime.fromisoformat(str(text))
        found = (found if found.tzinfo else found.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return latest
    return min(found, latest) if found.year >= 1970 else latest


def _parts(body: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in body.split("|") if "=" in part)


def translate(text: str, numbers: Mapping[tuple[str, int], int], partials: Mapping[str, str], notes: list[str]) -> str:
    """Return a text in our two forms. `partials` are slugs by their name, `numbers` our numbers by name and theirs."""

    def braces(found: re.Match[str]) -> str:
        inside = (found[1] or "").strip()
        if NAME.fullmatch(inside):
            return f"{{{{{inside}}}}}"
        notes.append(f"{found[0][:60]!r} is no variable here and stays as text")
        return f"\\{found[0]}"

    def reference(found: re.Match[str]) -> str:
        parts = _parts(found[1])
        slug = partials.get(parts.get("name", ""))
        version, label = parts.get("version", ""), parts.get("label", "")
        is_number = version.isdecimal() and len(version) < 10
        number = numbers.get((parts.get("name", ""), int(version))) if is_number else None
        if slug and number:
            return f"{{{{> {slug}@{number}}}}}"
        if slug and LABEL.fullmatch(label) and label != "latest":
            return f"{{{{> {slug}:{label}}}}}"
        if slug and label == "latest":
            notes.append(f"{found[0][:80]} follows the environment instead of the newest version")
            return f"{{{{> {slug}}}}}"
        raise BadText(f"{found[0][:100]} names no text prompt of the file or of this library.", line=1)

    pieces, at = [], 0
    for found in _REFERENCE.finditer(text):
        pieces += [_BRACES.sub(braces, text[at : found.start()]), reference(found)]
        at = found.end()
    return "".join([*pieces, _BRACES.sub(braces, text[at:])])
