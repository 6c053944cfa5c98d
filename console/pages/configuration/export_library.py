"""The part of an export about prompts, labels and tests."""

from collections import defaultdict
from typing import Any

from agents_app.models import Tool
from prompts_app.models import Kind, Prompt, PromptVersion, Review, Visibility
from prompts_app.text.content import read_content
from prompts_app.text.refs import parse_ref
from prompts_app.text.variables import check_declared

_MOST = 10_000_000  # characters; what is kept was checked when it was saved
_HAS_DEFAULT = ("choices", "default", "example")


def prompts(agents: list[dict[str, Any]], left_out: list[str]) -> list[dict[str, Any]]:
    """Return what labels mean, what was saved last, and what something names by its number."""
    found = Prompt.objects.filter(deleted_at=None, team__archived_at=None).select_related("team", "head")
    found = found.prefetch_related("labels__version", "covers", "test_cases", "waivers__partial").order_by("slug")
    library = {prompt.slug: prompt for prompt in found}
    kept: dict[str, dict[int, PromptVersion]] = {slug: _present(prompt) for slug, prompt in library.items()}
    named = _numbers_named(library, kept, [agent.get("prompt", "") for agent in agents])
    rows = [_row(prompt, kept[slug], named[slug]) for slug, prompt in library.items()]
    older = PromptVersion.objects.filter(prompt__in=found).count() - sum(len(versions) for versions in kept.values())
    if older:
        left_out.append(f"{older} older versions of prompts; `manage.py prompts export` writes them into git.")
    asked = Review.objects.filter(prompt__in=found, status__in=[Review.Status.OPEN, Review.Status.CHANGES])
    for review in asked.select_related("prompt", "version").order_by("prompt__slug", "label"):
        left_out.append(f"the review of {review.version} for {review.label}, which is still open.")
    return rows


def _present(prompt: Prompt) -> dict[int, PromptVersion]:
    versions = [label.version for label in prompt.labels.all()] + ([prompt.head] if prompt.head else [])
    return {version.number: version for version in versions}


def _numbers_named(
    library: dict[str, Prompt], kept: dict[str, dict[int, PromptVersion]], by_agents: list[str]
) -> dict[str, set[int]]:
    """Return which versions are named by number: by agents, tools, and what is in the file of other prompts."""
    named: dict[str, set[int]] = defaultdict(set)
    waiting = [version for versions in kept.values() for version in versions.values()]
    refs: list[tuple[str, int]] = []
    tools = Tool.objects.filter(deleted_at=None, kind="completion")
    for said in [*by_agents, *(tool.config.get("prompt") or "" for tool in tools)]:
        ref = parse_ref(said)
        refs += [(ref.slug, ref.number)] if ref and ref.number else []
    while refs or waiting:
        if waiting:
            refs += [(include["slug"], include["number"]) for include in waiting.pop().includes if include["number"]]
            continue
        slug, number = refs.pop()
        if slug not in library or number in named[slug]:
            continue
        version = PromptVersion.objects.filter(prompt=library[slug], number=number).first()
        if version is not None:
            named[slug].add(number)
            waiting += [] if number in kept[slug] else [version]
            kept[slug][number] = version
    return named


def _row(prompt: Prompt, kept: dict[int, PromptVersion], named: set[int]) -> dict[str, Any]:
    row: dict[str, Any] = {"slug": prompt.slug, "team": prompt.team.slug, "kind": prompt.kind}
    row |= {"visibility": prompt.visibility} if prompt.visibility != Visibility.TEAM else {}
    row |= {"description": prompt.description} if prompt.description else {}
    row |= {"tags": prompt.tags} if prompt.tags else {}
    covers = sorted(team.slug for team in prompt.covers.all() if team.archived_at is None)
    if prompt.is_required and (covers or not prompt.covers.all()):  # covering nobody any more is not covering everybody
        row["is_required"] = True
    if covers:
        row["covers"] = covers
    row["versions"] = _versions(prompt, kept, named)
    if waivers := sorted(prompt.waivers.all(), key=lambda waiver: waiver.partial.slug):
        row["waivers"] = [{"partial": waiver.partial.slug, "reason": waiver.reason} for waiver in waivers]
    if cases := sorted(prompt.test_cases.all(), key=lambda case: case.name):
        row["tests"] = [_test(case) for case in cases]
    return row


def _versions(prompt: Prompt, kept: dict[int, PromptVersion], named: set[int]) -> list[dict[str, Any]]:
    """Return the versions, oldest first. Several that say the same are one, unless their numbers are named."""
    parts: list[tuple[int, dict[str, Any]]] = []
    labels = defaultdict(list)
    for label in prompt.labels.all():
        labels[label.version.number].append(label.name)
    for number, version in sorted(kept.items(), reverse=True):
        row = _version(prompt, version)
        same = None if number in named else next((one for n, one in parts if _text(one) == _text(row)), None)
        if same is not None:
            same.setdefault("labels", []).extend(labels[number])
            continue
        row |= {"labels": labels[number]} if labels[number] else {}
        row |= {"number": number} if number in named else {}
        parts.append((number, row))
    order = ("labels", "number", "message", "text", "messages", "variables", "parameters")
    rows = [{name: row[name] for name in order if row.get(name)} for _, row in reversed(parts)]
    return [row | ({"labels": sorted(row["labels"])} if "labels" in row else {}) for row in rows]


def _version(prompt: Prompt, version: PromptVersion) -> dict[str, Any]:
    content, row = version.content, dict[str, Any](message=version.message)
    if prompt.kind == Kind.CHAT:
        row["messages"] = [{"role": one["role"], "text": one["text"]} for one in content]
    else:
        row["text"] = content[0]["text"]
    if version.variables != check_declared([], read_content(content, prompt.kind, limit=_MOST).variables):
        row["variables"] = [_variable(variable) for variable in version.variables]
    row["parameters"] = version.parameters
    return row


def _text(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in {"labels", "number", "message"}}


def _variable(declared: dict[str, Any]) -> dict[str, Any]:
    said = {"name": declared["name"]} | ({"type": declared["type"]} if declared["type"] != "text" else {})
    said |= {} if declared["is_required"] else {"required": False}
    return said | {name: declared[name] for name in _HAS_DEFAULT if declared.get(name) not in (None, [])}


def _test(case: Any) -> dict[str, Any]:
    row: dict[str, Any] = {"name": case.name}
    row |= {name: value for name in ("variables", "message", "expected") if (value := getattr(case, name))}
    row["checks"] = [{name: value for name, value in check.items() if value != ""} for check in case.checks]
    return row
